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
    private static readonly CacheDirectives s_pragma = new() { NoCache = true };

    /// <summary><c>current_age</c> (RFC 9111 §4.2.3).</summary>
    public static TimeSpan Age(CachedResponseHead head, DateTimeOffset now)
    {
        // A clock that is set back does not make a response younger than it came.
        var resident = now - head.ResponseTime;
        return resident > TimeSpan.Zero ? head.Freshness.InitialAge + resident : head.Freshness.InitialAge;
    }

    /// <summary>What the stored response is good for. <paramref name="request"/>: the request's directives, of which those that force a refresh count only where the route allows it.</summary>
    public static CacheUse Decide(CachedResponseHead head, TimeSpan age, CacheDirectives request, CacheConfig config)
    {
        var freshness = head.Freshness;
        if (head.IsInvalid || freshness.NoCache)
            return CacheUse.Validate;
        if (config.AllowClientRefresh && MustRefresh(freshness, age, request))
            return CacheUse.Validate;
        if (age < freshness.Lifetime)
            return CacheUse.Fresh;
        if (freshness.MustRevalidate)
            return CacheUse.Validate;
        var stale = age - freshness.Lifetime;
        if (stale < freshness.StaleWhileRevalidate)
            return CacheUse.StaleWhileRevalidate;
        return request.MaxStale is { } most && stale <= most ? CacheUse.StaleAllowed : CacheUse.Validate;
    }

    /// <summary>Whether it may be served although the upstream has failed (RFC 9111 §4.2.4, RFC 5861 §4).</summary>
    public static bool MayServeOnError(CachedResponseHead head, TimeSpan age, CacheDirectives request, CacheConfig config)
    {
        var freshness = head.Freshness;
        if (freshness.NoCache || (config.AllowClientRefresh && request.NoCache))
            return false;
        if (age < freshness.Lifetime && !head.IsInvalid)
            return true;
        if (freshness.MustRevalidate)
            return false;
        var stale = age - freshness.Lifetime;
        return stale <= freshness.StaleIfError || stale <= request.StaleIfError || stale <= request.MaxStale;
    }

    /// <summary>The request's directives; <c>Pragma: no-cache</c> too where there is no <c>Cache-Control</c> (RFC 9111 §5.4).</summary>
    public static CacheDirectives RequestDirectives(HttpRequest request)
    {
        var headers = request.Headers;
        if (headers.CacheControl is { Count: > 0 } lines)
            return CacheDirectives.Parse(lines);
        return headers.Pragma is { Count: > 0 } pragma && FieldList.Contains(pragma, "no-cache") ? s_pragma : CacheDirectives.None;
    }

    private static bool MustRefresh(CacheFreshness freshness, TimeSpan age, CacheDirectives request) =>
        request.NoCache ||
        (request.MaxAge is { } most && age > most) ||
        (request.MinFresh is { } least && freshness.Lifetime - age < least);
}
