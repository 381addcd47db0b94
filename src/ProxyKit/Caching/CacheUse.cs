using Microsoft.AspNetCore.Http;

namespace ProxyKit.Caching;

/// <summary>What a stored response is good for now (RFC 9111 §4).</summary>
internal enum CacheUse
{
    /// <summary>It answers.</summary>
    Fresh,

    /// <summary>It answers, and is validated in the background (RFC 5861 §3).</summary>
    StaleWhileRevalidate,

    /// <summary>It answers although it is stale: the client allows it (<c>max-stale</c>).</summary>
    StaleAllowed,

    /// <summary>It has to be validated first.</summary>
    Validate,
}

/// <summary>Age and freshness of stored responses.</summary>
internal static class CacheUses
{
    /// <summary><c>current_age</c> (RFC 9111 §4.2.3).</summary>
    public static TimeSpan Age(CachedResponseHead head, DateTimeOffset now) => throw new NotImplementedException();

    /// <summary>What the stored response is good for. <paramref name="request"/>: the request's directives, of which those that force a refresh count only where the route allows it.</summary>
    public static CacheUse Decide(CachedResponseHead head, TimeSpan age, CacheDirectives request, CacheConfig config) => throw new NotImplementedException();

    /// <summary>Whether it may be served although the upstream has failed (RFC 9111 §4.2.4, RFC 5861 §4).</summary>
    public static bool MayServeOnError(CachedResponseHead head, TimeSpan age, CacheDirectives request, CacheConfig config) => throw new NotImplementedException();

    /// <summary>The request's directives; <c>Pragma: no-cache</c> too where there is no <c>Cache-Control</c> (RFC 9111 §5.4).</summary>
    public static CacheDirectives RequestDirectives(HttpRequest request) => throw new NotImplementedException();
}
