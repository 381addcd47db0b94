using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary><c>Cache-Status</c> (RFC 9211).</summary>
internal static class CacheStatusField
{
    public const string Name = "Cache-Status";

    private const string Cache = "ProxyKit";

    // The last texts of hits: for a second they are the same.
    [ThreadStatic]
    private static (long Ttl, string? Text) t_hit;

    /// <summary>Adds what this cache has to say after what those nearer to the origin said.</summary>
    public static void Append(IHeaderDictionary headers, string parameters)
    {
        var before = headers[Name];
        headers[Name] = before.Count == 0 ? parameters : StringValues.Concat(before, parameters);
    }

    public static string OfStored(CacheResult result, CachedResponseHead head, TimeSpan age)
    {
        var ttl = (long)Math.Floor((head.Freshness.Lifetime - age).TotalSeconds);
        if (result == CacheResult.Revalidated)
            return string.Create(CultureInfo.InvariantCulture, $"{Cache}; fwd=stale; fwd-status=304; ttl={ttl}");
        if (t_hit is var (known, text) && known == ttl && text is not null)
            return text;
        text = string.Create(CultureInfo.InvariantCulture, $"{Cache}; hit; ttl={ttl}");
        t_hit = (ttl, text);
        return text;
    }

    public static string OfForwarded(CacheResult result, FlightAnswer answer, CacheForward forward)
    {
        var status = answer.Response.StatusCode;
        var outcome = result == CacheResult.Collapsed ? "; collapsed" : answer.Refusal == CacheRefusal.None ? "; stored" : $"; detail={answer.Refusal}";
        return string.Create(CultureInfo.InvariantCulture, $"{Cache}; fwd={Word(forward)}; fwd-status={status}{outcome}");
    }

    public static string OfPassed(HttpContext context, CacheRefusal refusal)
    {
        var isSafe = HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method);
        return isSafe ? $"{Cache}; fwd={(refusal == CacheRefusal.None ? "uri-miss" : "bypass")}{(refusal is CacheRefusal.None or CacheRefusal.Bypass ? "" : $"; detail={refusal}")}" : $"{Cache}; fwd=method";
    }

    private static string Word(CacheForward forward) => forward switch
    {
        CacheForward.UriMiss => "uri-miss",
        CacheForward.VaryMiss => "vary-miss",
        CacheForward.Stale => "stale",
        CacheForward.Request => "request",
        _ => "partial",
    };
}
