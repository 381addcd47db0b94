using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Features.Authentication;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.FastCgi;

namespace ProxyKit.Caching;

/// <summary>
/// A request of the cache's own, made after a client's: the response may be for many clients, and may take longer than the one that asked first. It knows what the
/// client's knows, and holds nothing of the server's.
/// </summary>
internal static class DetachedContext
{
    public static DefaultHttpContext Create(HttpContext client, ProxyContext? proxy, CacheResponseFeature response)
    {
        var features = new FeatureCollection(24);
        var request = client.Request;
        var original = client.Features.GetRequiredFeature<IHttpRequestFeature>();
        var headers = new HeaderDictionary(request.Headers.Count);
        foreach (var (name, value) in request.Headers)
            headers[name] = value;
        features.Set<IHttpRequestFeature>(new HttpRequestFeature
        {
            Method = request.Method,
            Scheme = original.Scheme,
            PathBase = original.PathBase,
            Path = original.Path,
            QueryString = original.QueryString,
            Protocol = original.Protocol,
            RawTarget = original.RawTarget,
            Headers = headers,
            Body = Stream.Null,
        });
        features.Set<IHttpRequestBodyDetectionFeature>(NoBody.Instance);
        features.Set<IHttpResponseFeature>(response);
        features.Set<IHttpResponseBodyFeature>(response);
        features.Set<IHttpResponseTrailersFeature>(response);
        features.Set<IHttpRequestLifetimeFeature>(response);

        var connection = client.Connection;
        features.Set<IHttpConnectionFeature>(new HttpConnectionFeature
        {
            ConnectionId = connection.Id,
            RemoteIpAddress = connection.RemoteIpAddress,
            RemotePort = connection.RemotePort,
            LocalIpAddress = connection.LocalIpAddress,
            LocalPort = connection.LocalPort,
        });
        if (client.Features.Get<ITlsConnectionFeature>() is { } tls)
            features.Set<ITlsConnectionFeature>(new TlsConnectionFeature { ClientCertificate = tls.ClientCertificate });
        features.Set<IHttpRequestIdentifierFeature>(new HttpRequestIdentifierFeature { TraceIdentifier = client.TraceIdentifier });
        features.Set<IItemsFeature>(new ItemsFeature { Items = new Dictionary<object, object?>(client.Items) });
        features.Set<IHttpAuthenticationFeature>(new HttpAuthenticationFeature { User = client.User is { } user ? new ClaimsPrincipal(user) : null });
        features.Set(client.Features.Get<IEndpointFeature>());
        features.Set<IRouteValuesFeature>(new RouteValuesFeature { RouteValues = new(request.RouteValues) });
        features.Set(client.Features.Get<Script>());
        features.Set(proxy);

        var context = new DefaultHttpContext(features);
        if (client.RequestServices?.GetService<IServiceScopeFactory>() is { } scopes)
            features.Set<IServiceProvidersFeature>(new RequestServicesFeature(context, scopes));
        return context;
    }

    /// <summary>Ends what the context has begun.</summary>
    public static async ValueTask DisposeAsync(HttpContext context)
    {
        if (context.Features.Get<IServiceProvidersFeature>() is RequestServicesFeature services)
            await services.DisposeAsync();
    }

    private sealed class NoBody : IHttpRequestBodyDetectionFeature
    {
        public static NoBody Instance { get; } = new();

        public bool CanHaveBody => false;
    }

    private sealed class RouteValuesFeature : IRouteValuesFeature
    {
        public Microsoft.AspNetCore.Routing.RouteValueDictionary RouteValues { get; set; } = [];
    }
}
