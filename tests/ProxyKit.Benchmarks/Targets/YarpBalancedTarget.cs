extern alias yarp;

using System.Net;
using YarpActive = yarp::Yarp.ReverseProxy.Configuration.ActiveHealthCheckConfig;
using YarpAffinity = yarp::Yarp.ReverseProxy.Configuration.SessionAffinityConfig;
using YarpCluster = yarp::Yarp.ReverseProxy.Configuration.ClusterConfig;
using YarpDestination = yarp::Yarp.ReverseProxy.Configuration.DestinationConfig;
using YarpHealth = yarp::Yarp.ReverseProxy.Configuration.HealthCheckConfig;
using YarpMapping = yarp::Microsoft.AspNetCore.Builder.ReverseProxyIEndpointRouteBuilderExtensions;
using YarpMatch = yarp::Yarp.ReverseProxy.Configuration.RouteMatch;
using YarpMemoryConfig = yarp::Microsoft.Extensions.DependencyInjection.InMemoryConfigProviderExtensions;
using YarpPassive = yarp::Yarp.ReverseProxy.Configuration.PassiveHealthCheckConfig;
using YarpRequest = yarp::Yarp.ReverseProxy.Forwarder.ForwarderRequestConfig;
using YarpRoute = yarp::Yarp.ReverseProxy.Configuration.RouteConfig;
using YarpServices = yarp::Microsoft.Extensions.DependencyInjection.ReverseProxyServiceCollectionExtensions;

namespace ProxyKit.Benchmarks.Targets;

/// <summary>YARP with what it has of <see cref="ProxyKitBalancedTarget"/>: two destinations, active and passive health checks, session affinity. It has no retries.</summary>
internal static class YarpBalancedTarget
{
    public static WebApplication Build(WebApplicationBuilder builder, string backend)
    {
        YarpRoute[] routes = [new() { RouteId = "all", ClusterId = "backend", Match = new YarpMatch { Path = "/{**path}" } }];
        YarpCluster[] clusters =
        [
            new()
            {
                ClusterId = "backend",
                Destinations = new Dictionary<string, YarpDestination> { ["1"] = new() { Address = backend }, ["2"] = new() { Address = BalancedBackends.Second(backend) } },
                HttpRequest = new YarpRequest { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact },
                HealthCheck = new YarpHealth
                {
                    Active = new YarpActive { Enabled = true, Interval = TimeSpan.FromSeconds(5), Path = "/s/1" },
                    Passive = new YarpPassive { Enabled = true },
                },
                SessionAffinity = new YarpAffinity { Enabled = true, Policy = "HashCookie", AffinityKeyName = "affinity" },
            },
        ];
        YarpMemoryConfig.LoadFromMemory(YarpServices.AddReverseProxy(builder.Services), routes, clusters);
        var app = builder.Build();
        YarpMapping.MapReverseProxy(app);
        return app;
    }
}
