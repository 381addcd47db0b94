using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using ProxyKit;
using ProxyKit.Buffering;
using ProxyKit.Caching;
using ProxyKit.Compression;
using ProxyKit.Caching.Disk;
using ProxyKit.Configuration;
using ProxyKit.Diagnostics;
using ProxyKit.Discovery;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;
using ProxyKit.Health;
using ProxyKit.LoadBalancing;
using ProxyKit.Mirroring;
using ProxyKit.Pipeline;
using ProxyKit.Resilience;
using ProxyKit.Routing;
using ProxyKit.SessionAffinity;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the reverse proxy to an app.</summary>
public static class ProxyKitServiceCollectionExtensions
{
    /// <summary>Adds the reverse proxy. Then map routes with <c>app.MapProxy(…)</c>. Calling it again changes nothing and returns a builder for the same.</summary>
    public static ReverseProxyBuilder AddReverseProxy(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddRouting();
        services.AddOptions();
        services.AddLogging();
        services.AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<ContentFiles>();
        services.TryAddSingleton<HttpHandlerFactory>();
        services.TryAddSingleton<ProxyTracing>();
        services.TryAddSingleton<ProxyMetrics>();
        services.TryAddSingleton<ConcurrencyMetrics>();
        services.TryAddSingleton<MirrorMetrics>();
        services.TryAddSingleton<BufferBudget>();
        services.TryAddSingleton<BufferingLog>();
        services.TryAddSingleton<BufferingMetrics>();
        services.TryAddSingleton<TempFiles>();
        services.TryAddSingleton<BufferingServices>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IProxyCacheStore, MemoryCacheStore>());
        services.TryAddSingleton<CacheLog>();
        services.TryAddSingleton<CacheMetrics>();
        services.TryAddSingleton<CacheServices>();
        services.TryAddSingleton<CacheEndpoints>();
        services.TryAddSingleton<IProxyCache, ProxyCache>();
        services.TryAddEnumerable([ServiceDescriptor.Singleton<IContentCoding, BrotliCoding>(), ServiceDescriptor.Singleton<IContentCoding, GzipCoding>()]);
        services.TryAddSingleton<CompressionMetrics>();
        services.TryAddSingleton<CompressionServices>();
        services.TryAddSingleton<FastCgiConnectionMetrics>();
        services.TryAddSingleton(provider => new ExchangeClock.Pool(provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton<ClientDataRate>();
        services.TryAddSingleton<ForwarderServices>();
        services.TryAddSingleton<ClusterDirectory>();
        services.TryAddSingleton<HealthMetrics>();
        services.TryAddSingleton<HealthServices>();
        services.TryAddSingleton<DestinationEvents>();
        services.TryAddSingleton<IProxyControl, ProxyControl>();
        services.TryAddSingleton<DnsLookup>();
        services.TryAddSingleton<DiscoveryLog>();
        services.TryAddSingleton<DiscoveryMetrics>();
        services.TryAddSingleton<DiscoveryServices>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IDestinationSource, DnsSource>());
        services.TryAddSingleton<ClusterServices>();
        services.TryAddSingleton<ResilienceTelemetry>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ILoadBalancingPolicy, PowerOfTwoChoicesPolicy>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ILoadBalancingPolicy, RoundRobinPolicy>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ILoadBalancingPolicy, RandomPolicy>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ILoadBalancingPolicy, LeastRequestsPolicy>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ILoadBalancingPolicy, LeastTimePolicy>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ILoadBalancingPolicy, FirstPolicy>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ILoadBalancingPolicy, FirstAlphabeticalPolicy>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ILoadBalancingPolicy, HashPolicy>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IProxyCacheStore, DiskCacheStore>());
        services.TryAddSingleton<AffinityServices>();
        services.TryAddEnumerable(
        [
            ServiceDescriptor.Singleton<ISessionAffinityPolicy, HashCookiePolicy>(),
            ServiceDescriptor.Singleton<ISessionAffinityPolicy, EncryptedCookiePolicy>(),
            ServiceDescriptor.Singleton<ISessionAffinityPolicy, ArrCookiePolicy>(),
            ServiceDescriptor.Singleton<ISessionAffinityPolicy, CustomHeaderPolicy>(),
            ServiceDescriptor.Singleton<ISessionAffinityPolicy, LearnPolicy>(),
        ]);
        services.TryAddSingleton<ProxyConfigMonitor>(_ => new());
        services.TryAddSingleton<ConfigValidator>();
        services.TryAddSingleton<ProxyConfigManager>();
        services.TryAddSingleton<StartupAdvice>();
        services.TryAddSingleton<CodeRoutes>();
        services.TryAddSingleton<IProxyForwarder, DirectForwarder>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ProxyStartup>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<Microsoft.AspNetCore.Hosting.IStartupFilter, NominatedFields.Recorder>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<Microsoft.AspNetCore.Hosting.IStartupFilter, EndpointChecks>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<MatcherPolicy, HeaderMatcherPolicy>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<MatcherPolicy, QueryParameterMatcherPolicy>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<KestrelServerOptions>, ConfigureKestrel>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<SocketTransportOptions>, ConfigureKestrel>());
        return new ReverseProxyBuilder(services);
    }

    /// <summary>Adds the reverse proxy, with settings that hold for all its routes.</summary>
    public static ReverseProxyBuilder AddReverseProxy(this IServiceCollection services, Action<ReverseProxyOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var builder = services.AddReverseProxy();
        services.Configure(configure);
        return builder;
    }
}
