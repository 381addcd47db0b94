namespace ProxyKit;

/// <summary>The names of the session affinity policies that ProxyKit brings; see <see cref="SessionAffinityConfig.Policy"/>.</summary>
public static class SessionAffinityPolicies
{
    /// <summary>
    /// A cookie with a hash of the destination. The default: it needs no keys, and all proxy instances understand it. HAProxy: <c>cookie … insert indirect dynamic</c>;
    /// nginx: <c>sticky cookie</c>.
    /// </summary>
    public const string HashCookie = nameof(HashCookie);

    /// <summary>A cookie with the encrypted destination. Needs <c>AddDataProtection()</c>, with keys that all proxy instances share.</summary>
    public const string Cookie = nameof(Cookie);

    /// <summary>A cookie as Application Request Routing of IIS and Azure App Service set it: the SHA-256 of the destination's name in hexadecimal.</summary>
    public const string ArrCookie = nameof(ArrCookie);

    /// <summary>A header with a hash of the destination, for clients that keep no cookies: the response has it, and the client sends it back.</summary>
    public const string CustomHeader = nameof(CustomHeader);

    /// <summary>
    /// The application's own session cookie: the proxy remembers which destination set it. The client gets no further cookie. What is remembered is this process's own,
    /// so it is for a single proxy instance. nginx: <c>sticky learn</c>; HAProxy: <c>stick store-response</c>; AWS: application-based stickiness.
    /// </summary>
    public const string Learn = nameof(Learn);
}
