using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that put a cache in front of the upstream.</summary>
public static class ProxyCacheSteps
{
    /// <summary>Stores what the upstream's fields allow a shared cache to store (RFC 9111), and answers later requests with it. See <see cref="CacheConfig"/>.</summary>
    public static ProxyRouteBuilder WithCache(this ProxyRouteBuilder builder) => builder.WithCache(static _ => { });

    /// <summary>The same, and responses that do not say how long they are fresh are so for <paramref name="defaultTimeToLive"/>. See <see cref="CacheConfig.DefaultTimeToLive"/>.</summary>
    /// <param name="builder">The route.</param>
    /// <param name="defaultTimeToLive">At least 0.</param>
    public static ProxyRouteBuilder WithCache(this ProxyRouteBuilder builder, TimeSpan defaultTimeToLive) => builder.WithCache(cache => cache.DefaultTimeToLive = defaultTimeToLive);

    /// <summary>The same, with settings. Calls go on with what is there. See <see cref="CacheConfig"/>.</summary>
    /// <param name="builder">The route.</param>
    /// <param name="configure">Changes the settings.</param>
    public static ProxyRouteBuilder WithCache(this ProxyRouteBuilder builder, Action<CacheOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.ConfigureRoute(route =>
        {
            var options = new CacheOptions(route.Cache ?? new());
            configure(options);
            return route with { Cache = options.ToConfig() };
        });
    }
}
