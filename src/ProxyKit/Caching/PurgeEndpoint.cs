using System.Net;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Forwarding;

namespace ProxyKit.Caching;

/// <summary>Obeys <c>PURGE</c>.</summary>
internal sealed class PurgeEndpoint(IProxyCache cache)
{
    public const string Method = "PURGE";

    private const string Field = "Proxy-Purge";

    public async Task InvokeAsync(HttpContext context)
    {
        // Who authorizes is the app; what has not been authorized is not for strangers.
        if (context.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>() is null && !IsLocal(context))
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return;
        }
        // Byte for byte as the client wrote it, as keys are.
        var (request, target) = (context.Request, context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        var url = target.StartsWith('/') ? new Uri($"{request.Scheme}://{request.Host.ToUriComponent()}{target}") : new Uri(request.GetEncodedUrl());
        var count = context.Request.Headers[Field].ToString() switch
        {
            "" => await cache.PurgeAsync(url, CachePurgeMode.Remove),
            "soft" => await cache.PurgeAsync(url, CachePurgeMode.MarkInvalid),
            "prefix" => await cache.PurgePrefixAsync(url, CachePurgeMode.Remove),
            _ => -1,
        };
        context.Response.StatusCode = count switch
        {
            < 0 => StatusCodes.Status400BadRequest,
            0 => StatusCodes.Status404NotFound,
            _ => StatusCodes.Status200OK,
        };
    }

    // A Unix socket has no addresses: what may open it is local. A balancer on this machine forwards other machines' requests, and says so.
    private static bool IsLocal(HttpContext context)
    {
        if (context.Connection.RemoteIpAddress is { } peer && !IPAddress.IsLoopback(peer))
            return false;
        foreach (var (name, _) in context.Request.Headers)
        {
            if (name.Length > 0 && (HeaderRules.Describe(name).Rule == HeaderRule.Forwarding || name.Equals("Via", StringComparison.OrdinalIgnoreCase)))
                return false;
        }
        return true;
    }
}
