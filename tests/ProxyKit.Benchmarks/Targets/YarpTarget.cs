extern alias yarp;

using System.Net;
using YarpCluster = yarp::Yarp.ReverseProxy.Configuration.ClusterConfig;
using YarpDestination = yarp::Yarp.ReverseProxy.Configuration.DestinationConfig;
using YarpMapping = yarp::Microsoft.AspNetCore.Builder.ReverseProxyIEndpointRouteBuilderExtensions;
using YarpMatch = yarp::Yarp.ReverseProxy.Configuration.RouteMatch;
using YarpMemoryConfig = yarp::Microsoft.Extensions.DependencyInjection.InMemoryConfigProviderExtensions;
using YarpRequest = yarp::Yarp.ReverseProxy.Forwarder.ForwarderRequestConfig;
using YarpRoute = yarp::Yarp.ReverseProxy.Configuration.RouteConfig;
using YarpServices = yarp::Microsoft.Extensions.DependencyInjection.ReverseProxyServiceCollectionExtensions;

namespace ProxyKit.Benchmarks.Targets;

/// <summary>YARP as its documentation sets it up: a route, a cluster, its whole pipeline and its default transforms.</summary>
internal static class YarpTarget
{
    public static WebApplication Build(WebApplicationBuilder builder, string backend)
    {
        YarpRoute[] routes = [new() { RouteId = "all", ClusterId = "backend", Match = new YarpMatch { Path = "/{**path}" } }];
        YarpCluster[] clusters =
        [
            new()
            {
                ClusterId = "backend",
                Destinations = new Dictionary<string, YarpDestination> { ["backend"] = new() { Address = backend } },
                // YARP asks for HTTP/2 by default, and over plain HTTP falls back to what all the others here are told to use.
                HttpRequest = new YarpRequest { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact },
            },
        ];
        YarpMemoryConfig.LoadFromMemory(YarpServices.AddReverseProxy(builder.Services), routes, clusters);
        var app = builder.Build();
        YarpMapping.MapReverseProxy(app);
        return app;
    }
}
