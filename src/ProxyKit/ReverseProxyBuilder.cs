using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Configuration;
using ProxyKit.Forwarding;

namespace ProxyKit;

/// <summary>What all routes share: named clusters, configuration, hooks. Made by <c>AddReverseProxy</c>.</summary>
public sealed class ReverseProxyBuilder
{
    internal ReverseProxyBuilder(IServiceCollection services) => Services = services;

    /// <summary>The app's services.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Adds a cluster that routes refer to by name: <c>app.MapProxy("/orders/{**path}", "orders")</c>.</summary>
    /// <param name="clusterId">The name, unique among all clusters.</param>
    /// <param name="configure">Its destinations and settings.</param>
    public ReverseProxyBuilder AddCluster(string clusterId, Action<ClusterBuilder> configure)
    {
        ArgumentException.ThrowIfNullOrEmpty(clusterId);
        ArgumentNullException.ThrowIfNull(configure);
        var cluster = new ClusterBuilder(clusterId);
        configure(cluster);
        Services.AddSingleton(new CodeCluster(cluster.Config));
        return this;
    }

    /// <summary>
    /// Takes routes and clusters from a configuration section in the shape of YARP's <c>ReverseProxy</c>, and follows its changes. Map them with
    /// <c>app.MapReverseProxy()</c>. A key or value that is not known is an error at start-up.
    /// </summary>
    public ReverseProxyBuilder LoadFromConfig(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        Services.AddSingleton<IProxyConfigSource>(services => new ConfigurationConfigSource(configuration, services.GetService<IConfiguration>()));
        return this;
    }

    /// <summary>Takes routes and clusters from <paramref name="source"/>, and follows its changes.</summary>
    public ReverseProxyBuilder AddConfigSource(IProxyConfigSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        Services.AddSingleton(source);
        return this;
    }

    /// <summary>Adds a load balancing policy of your own; clusters refer to it by its name.</summary>
    public ReverseProxyBuilder AddLoadBalancingPolicy<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TPolicy>()
        where TPolicy : class, ILoadBalancingPolicy
    {
        Services.AddSingleton<ILoadBalancingPolicy, TPolicy>();
        return this;
    }

    /// <summary>Adds a store of your own for cached responses; routes refer to it by its name.</summary>
    public ReverseProxyBuilder AddCacheStore<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TStore>()
        where TStore : class, IProxyCacheStore
    {
        Services.AddSingleton<IProxyCacheStore, TStore>();
        return this;
    }

    /// <summary>Adds a content coding of your own, or one in the place of another of its name; a route's <see cref="CompressionConfig.Codings"/> refers to it by its name.</summary>
    public ReverseProxyBuilder AddContentCoding<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TCoding>()
        where TCoding : class, IContentCoding
    {
        Services.AddSingleton<IContentCoding, TCoding>();
        return this;
    }

    /// <summary>Adds a session affinity policy of your own; clusters refer to it by its name.</summary>
    public ReverseProxyBuilder AddSessionAffinityPolicy<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TPolicy>()
        where TPolicy : class, ISessionAffinityPolicy
    {
        Services.AddSingleton<ISessionAffinityPolicy, TPolicy>();
        return this;
    }

    /// <summary>Adds a source of destinations of your own; clusters refer to it by its name.</summary>
    public ReverseProxyBuilder AddDestinationSource<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TSource>()
        where TSource : class, IDestinationSource
    {
        Services.AddSingleton<IDestinationSource, TSource>();
        return this;
    }

    /// <summary>Has the last word on the handler of each cluster, for what <see cref="HttpClientConfig"/> has no word for.</summary>
    public ReverseProxyBuilder ConfigureHttpHandler(Action<ClusterConfig, SocketsHttpHandler> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Services.AddSingleton(new HttpHandlerHook(configure));
        return this;
    }
}

/// <summary>A named cluster that code declares.</summary>
internal sealed record CodeCluster(ClusterConfig Config);
