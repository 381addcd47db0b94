extern alias yarp;

using System.Net;
using Microsoft.AspNetCore.ResponseCompression;
using YarpCluster = yarp::Yarp.ReverseProxy.Configuration.ClusterConfig;
using YarpDestination = yarp::Yarp.ReverseProxy.Configuration.DestinationConfig;
using YarpMapping = yarp::Microsoft.AspNetCore.Builder.ReverseProxyIEndpointRouteBuilderExtensions;
using YarpMatch = yarp::Yarp.ReverseProxy.Configuration.RouteMatch;
using YarpMemoryConfig = yarp::Microsoft.Extensions.DependencyInjection.InMemoryConfigProviderExtensions;
using YarpRequest = yarp::Yarp.ReverseProxy.Forwarder.ForwarderRequestConfig;
using YarpRoute = yarp::Yarp.ReverseProxy.Configuration.RouteConfig;
using YarpServices = yarp::Microsoft.Extensions.DependencyInjection.ReverseProxyServiceCollectionExtensions;

namespace ProxyKit.Benchmarks.Targets;

/// <summary>YARP with ASP.NET Core's output cache before it, and its response compression between the two, so that it is stored compressed. The cache does not look at what the backend says.</summary>
internal static class YarpOutputCacheTarget
{
    private const string Policy = "a-day";

    public static WebApplication Build(WebApplicationBuilder builder, string backend)
    {
        YarpRoute[] routes = [new() { RouteId = "all", ClusterId = "backend", OutputCachePolicy = Policy, Match = new YarpMatch { Path = "/{**path}" } }];
        YarpCluster[] clusters =
        [
            new()
            {
                ClusterId = "backend",
                Destinations = new Dictionary<string, YarpDestination> { ["backend"] = new() { Address = backend } },
                HttpRequest = new YarpRequest { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact },
            },
        ];
        YarpMemoryConfig.LoadFromMemory(YarpServices.AddReverseProxy(builder.Services), routes, clusters);
        builder.Services.AddOutputCache(options => options.AddPolicy(Policy, policy => policy.Expire(TimeSpan.FromDays(1)).SetVaryByHeader("Accept-Encoding")));
        builder.Services.AddResponseCompression(options => options.Providers.Add<GzipCompressionProvider>());
        var app = builder.Build();
        app.UseOutputCache();
        app.UseResponseCompression();
        YarpMapping.MapReverseProxy(app);
        return app;
    }
}
