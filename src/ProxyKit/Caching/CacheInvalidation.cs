using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>What a successful unsafe request makes invalid (RFC 9111 §4.4): its own URL, those in <c>Location</c> and <c>Content-Location</c> of the same origin, and cache groups (RFC 9875).</summary>
internal static class CacheInvalidation
{
    public static async ValueTask InvalidateAsync(CacheServices services, HttpContext context)
    {
        var (request, headers) = (context.Request, context.Response.Headers);
        foreach (var zone in services.Zones.All)
        {
            foreach (var url in zone.UrlKeys(context))
                await services.PurgeAsync(zone.Store, url, soft: false);
        }
        if (headers.Location.Count > 0 || headers.ContentLocation.Count > 0)
        {
            var origin = new Uri($"{request.Scheme}://{request.Host.ToUriComponent()}{request.PathBase.ToUriComponent()}{request.Path.ToUriComponent()}");
            await InvalidateAsync(services, origin, headers.Location);
            await InvalidateAsync(services, origin, headers.ContentLocation);
        }
        foreach (var group in CacheGroups.Invalidated(request, headers))
            await services.PurgeTagAsync(group, soft: false);
    }

    private static async ValueTask InvalidateAsync(CacheServices services, Uri origin, StringValues location)
    {
        // Nobody may make another's responses invalid.
        if (location is [{ } text] && Uri.TryCreate(origin, text, out var url) && url.Scheme == origin.Scheme && url.Authority == origin.Authority)
            await services.PurgeUrlAsync(url, soft: false);
    }

    /// <summary>The zone and the URL of a key, which begin it.</summary>
    public static string UrlOf(string key)
    {
        var end = key.IndexOf('\n', key.IndexOf('\n', StringComparison.Ordinal) + 1);
        return end < 0 ? key : key[..end];
    }
}
