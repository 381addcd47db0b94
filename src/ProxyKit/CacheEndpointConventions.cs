using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit;
using ProxyKit.Caching;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The cache in front of an app's own endpoints, and the endpoint by which it is purged.</summary>
public static class ProxyCacheEndpointConventions
{
    /// <summary>
    /// Puts the proxy's cache in front of an endpoint of the app's own: <c>app.MapGet("/prices", …).WithProxyCache()</c>. What the endpoint's <c>Cache-Control</c> allows is stored.
    /// <c>AddReverseProxy()</c> must have been called. Proxied routes have <c>WithCache()</c>.
    /// </summary>
    public static TBuilder WithProxyCache<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithProxyCache(static _ => { });

    /// <summary>The same, with settings. See <see cref="CacheConfig"/>.</summary>
    /// <exception cref="ProxyConfigurationException">Thrown when the endpoint is built: the settings are wrong.</exception>
    public static TBuilder WithProxyCache<TBuilder>(this TBuilder builder, Action<CacheOptions> configure)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        var options = new CacheOptions(new());
        configure(options);
        builder.Finally(endpoint => CachedEndpoint.Wrap(endpoint, options.ToConfig()));
        return builder;
    }

    /// <summary>
    /// Answers <c>PURGE</c> requests by removing what is stored of their URL: 200, or 404 where there was nothing. With <c>Proxy-Purge: soft</c> it is marked as invalid instead, with
    /// <c>Proxy-Purge: prefix</c> all URLs that begin so are removed. Without authorization of the app's (<c>.RequireAuthorization("operators")</c>) only requests from this machine are obeyed; all others
    /// are 403. Varnish: <c>return (purge)</c> behind an <c>acl</c>.
    /// </summary>
    /// <param name="endpoints">The app, or a group.</param>
    /// <param name="pattern">A route pattern, such as <c>/{**path}</c>.</param>
    public static IEndpointConventionBuilder MapCachePurge(this IEndpointRouteBuilder endpoints, [StringSyntax("Route")] string pattern)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(pattern);
        var purge = new PurgeEndpoint(endpoints.ServiceProvider.GetService<IProxyCache>()
            ?? throw new InvalidOperationException("The reverse proxy's services are missing: call builder.Services.AddReverseProxy() before builder.Build()."));
        return endpoints.MapMethods(pattern, [PurgeEndpoint.Method], (RequestDelegate)purge.InvokeAsync);
    }
}
