using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Cors;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing;

namespace ProxyKit.Routing;

/// <summary>Turns what a route asks of ASP.NET Core into endpoint metadata.</summary>
internal static class ProxyEndpoint
{
    public static void AddMetadata(EndpointBuilder endpoint, RouteConfig route)
    {
        var metadata = endpoint.Metadata;
        metadata.Add(route);
        if (endpoint is RouteEndpointBuilder { } withOrder && route.Order is { } order)
            withOrder.Order = order;

        if (route.Match.Methods.Count > 0)
            metadata.Add(new HttpMethodMetadata(route.Match.Methods, acceptCorsPreflight: route.CorsPolicy is not null));
        if (route.Match.Hosts.Count > 0)
            metadata.Add(new HostAttribute([.. route.Match.Hosts]));
        if (route.Match.Headers.Count > 0)
            metadata.Add(new HeaderMatchMetadata([.. route.Match.Headers]));
        if (route.Match.QueryParameters.Count > 0)
            metadata.Add(new QueryParameterMatchMetadata([.. route.Match.QueryParameters]));

        if (Is(route.AuthorizationPolicy, "anonymous"))
            metadata.Add(new AllowAnonymousAttribute());
        else if (Is(route.AuthorizationPolicy, "default"))
            metadata.Add(new AuthorizeAttribute());
        else if (route.AuthorizationPolicy is { } authorization)
            metadata.Add(new AuthorizeAttribute(authorization));

        if (Is(route.CorsPolicy, "disable"))
            metadata.Add(new DisableCorsAttribute());
        else if (Is(route.CorsPolicy, "default"))
            metadata.Add(new EnableCorsAttribute());
        else if (route.CorsPolicy is { } cors)
            metadata.Add(new EnableCorsAttribute(cors));

        if (Is(route.RateLimiterPolicy, "disable"))
            metadata.Add(new DisableRateLimitingAttribute());
        else if (route.RateLimiterPolicy is { } rateLimiter && !Is(rateLimiter, "default"))
            metadata.Add(new EnableRateLimitingAttribute(rateLimiter));

        if (Is(route.TimeoutPolicy, "disable"))
            metadata.Add(new DisableRequestTimeoutAttribute());
        else if (route.TimeoutPolicy is { } timeout)
            metadata.Add(new RequestTimeoutAttribute(timeout));

        if (Is(route.OutputCachePolicy, "default"))
            metadata.Add(new OutputCacheAttribute());
        else if (route.OutputCachePolicy is { } outputCache)
            metadata.Add(new OutputCacheAttribute { PolicyName = outputCache });

        if (route.MaxRequestBodySize is { } size)
            metadata.Add(new BodySizeLimit(size < 0 ? null : size));
    }

    private static bool Is(string? value, string name) => string.Equals(value, name, StringComparison.OrdinalIgnoreCase);

    private sealed record BodySizeLimit(long? MaxRequestBodySize) : IRequestSizeLimitMetadata;
}
