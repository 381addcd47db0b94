namespace ProxyKit.Caching;

/// <summary>What caches know of status codes.</summary>
internal static class StatusCodeRules
{
    /// <summary>Whether a cache may think of a lifetime by itself (RFC 9110 §15.1).</summary>
    public static bool IsHeuristicallyCacheable(int status) => status is 200 or 203 or 204 or 206 or 300 or 301 or 308 or 404 or 405 or 410 or 414 or 501;

    /// <summary>Whether all is known that RFC 9110 §15 says of it, as <c>must-understand</c> wants (RFC 9111 §5.2.2.3).</summary>
    public static bool IsUnderstood(int status) =>
        status is (>= 200 and <= 206) or (>= 300 and <= 305) or 307 or 308 or (>= 400 and <= 417) or 421 or 422 or 426 or (>= 500 and <= 505);

    /// <summary>Whether it can be stored at all: final, and not about another response.</summary>
    public static bool IsFinal(int status) => status is >= 200 and not 304;
}
