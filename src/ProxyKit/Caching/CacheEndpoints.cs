using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Template;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ProxyKit.Caching;

/// <summary>Marks an endpoint of the app's own that has a cache.</summary>
internal sealed class CachedEndpoint
{
    private static readonly CachedEndpoint s_mark = new();

    /// <summary>Puts a cache in front of an endpoint.</summary>
    public static void Wrap(EndpointBuilder endpoint, CacheConfig config)
    {
        var services = endpoint.ApplicationServices.GetService<CacheServices>()
            ?? throw new InvalidOperationException("The reverse proxy's services are missing: call builder.Services.AddReverseProxy() before builder.Build().");
        var name = (endpoint as RouteEndpointBuilder)?.RoutePattern.RawText ?? endpoint.DisplayName ?? "";
        var errors = new List<string>();
        var limits = endpoint.ApplicationServices.GetRequiredService<IOptions<ReverseProxyOptions>>().Value.Cache;
        CacheValidator.Validate($"Endpoint '{name}'", new() { RouteId = name, Cache = config }, limits, services.Stores, errors);
        if (errors.Count > 0)
            throw new ProxyConfigurationException(errors);
        if (!config.Enabled || endpoint.RequestDelegate is not { } next)
            return;
        // No route is called so: a route's name is not empty, and its keys are its own.
        var stage = new CacheStage($"\t{name}", next, config, services, PathForwarding.Raw);
        services.Zones.Set(stage.Zone, stage);
        endpoint.RequestDelegate = stage.InvokeAsync;
        endpoint.Metadata.Add(s_mark);
    }
}

/// <summary>Which endpoint with a cache answers a URL: what routing does, for requests that do not come from a client.</summary>
internal sealed class CacheEndpoints(EndpointDataSource endpoints)
{
    public RouteEndpoint? Find(HttpContext context)
    {
        RouteEndpoint? best = null;
        RouteValueDictionary? values = null;
        foreach (var endpoint in endpoints.Endpoints.OfType<RouteEndpoint>())
        {
            if (!HasCache(endpoint) || !Matches(endpoint, context.Request, out var found) || (best is not null && Compare(endpoint, best) >= 0))
                continue;
            (best, values) = (endpoint, found);
        }
        if (values is not null)
            context.Request.RouteValues = values;
        return best;
    }

    private static bool HasCache(RouteEndpoint endpoint) =>
        endpoint.Metadata.GetMetadata<RouteConfig>() is { Cache.Enabled: true } || endpoint.Metadata.GetMetadata<CachedEndpoint>() is not null;

    private static bool Matches(RouteEndpoint endpoint, HttpRequest request, out RouteValueDictionary values)
    {
        values = [];
        var pattern = endpoint.RoutePattern;
        if (!new TemplateMatcher(new RouteTemplate(pattern), new(pattern.Defaults)).TryMatch(request.Path, values))
            return false;
        if (endpoint.Metadata.GetMetadata<IHttpMethodMetadata>() is { HttpMethods: { Count: > 0 } methods } && !methods.Contains(HttpMethods.Get, StringComparer.OrdinalIgnoreCase))
            return false;
        return endpoint.Metadata.GetMetadata<IHostMetadata>() is not { Hosts: { Count: > 0 } hosts } || hosts.Any(host => IsHost(host, request.Host));
    }

    private static bool IsHost(string pattern, HostString host)
    {
        var wanted = new HostString(pattern);
        if (wanted.Port is { } port && port != host.Port)
            return false;
        return wanted.Host == "*" || wanted.Host.Equals(host.Host, StringComparison.OrdinalIgnoreCase)
            || (wanted.Host.StartsWith("*.", StringComparison.Ordinal) && host.Host.EndsWith(wanted.Host[1..], StringComparison.OrdinalIgnoreCase));
    }

    private static int Compare(RouteEndpoint a, RouteEndpoint b) =>
        a.Order != b.Order ? a.Order.CompareTo(b.Order) : a.RoutePattern.InboundPrecedence.CompareTo(b.RoutePattern.InboundPrecedence);
}
