using Microsoft.AspNetCore.Http;

namespace ProxyKit.Caching;

/// <summary>Conditional requests: ours to the upstream, and the client's to us (RFC 9110 §13, RFC 9111 §4.3).</summary>
internal static class CacheValidation
{
    /// <summary>Puts the stored response's validators in the place of what conditions the request has. False if it has none.</summary>
    public static bool AddConditions(IHeaderDictionary request, CachedResponseHead stored) => throw new NotImplementedException();

    /// <summary>Removes the request's conditions (<c>If-None-Match</c>, <c>If-Modified-Since</c>, <c>If-Match</c>, <c>If-Unmodified-Since</c>, <c>If-Range</c>).</summary>
    public static void RemoveConditions(IHeaderDictionary request) => throw new NotImplementedException();

    /// <summary>
    /// The stored response, updated with a 304's fields (RFC 9111 §3.2), its freshness computed anew as for a response with the merged fields. Null if the 304 does not belong to it: its
    /// strong validator is another one.
    /// </summary>
    public static CachedResponseHead? Update(
        CachedResponseHead stored, HttpRequest request, HttpResponse notModified, string? accelExpires, DateTimeOffset requestTime, DateTimeOffset responseTime, CacheConfig config) =>
        throw new NotImplementedException();

    /// <summary>What the client's own conditions make of the stored response: null (send it), 304 or 412. The method is GET or HEAD.</summary>
    public static int? Evaluate(HttpRequest request, CachedResponseHead stored) => throw new NotImplementedException();
}
