using Microsoft.AspNetCore.Http;

namespace ProxyKit;

/// <summary>What the policy <see cref="LoadBalancingPolicies.Hash"/> goes by: requests with the same key go to the same destination.</summary>
public sealed record HashConfig
{
    /// <summary>Where the key is taken from. A request that has none goes to a destination at random. Default: <see cref="HashSource.ClientIp"/>.</summary>
    public HashSource Source { get; init; }

    /// <summary>The name of the header, cookie or query parameter; required with these, and only with these.</summary>
    public string? Name { get; init; }

    /// <summary>The key by code of your own, in the place of <see cref="Source"/>; null or empty for a request that has none. Not in JSON.</summary>
    public Func<HttpContext, string?>? Key { get; init; }

    /// <summary>
    /// How much more than its share a destination may be answering, by its weight, before its keys go on to the next: more than 1, at most 10. With 1.25, of 100
    /// requests under way in a cluster of 10 a destination has at most 13. Default: no bound. HAProxy: <c>hash-balance-factor</c>, there in percent.
    /// </summary>
    public double? BoundedLoadFactor { get; init; }
}

/// <summary>Where the key of a request is taken from.</summary>
public enum HashSource
{
    /// <summary>
    /// The client's address: <c>HttpContext.Connection.RemoteIpAddress</c>, as the app's forwarded-headers middleware may have set it. nginx: <c>ip_hash</c>;
    /// HAProxy: <c>source</c>.
    /// </summary>
    ClientIp,

    /// <summary>A request header. HAProxy: <c>hdr(name)</c>.</summary>
    Header,

    /// <summary>A cookie. nginx: <c>hash $cookie_name</c>.</summary>
    Cookie,

    /// <summary>A query parameter. HAProxy: <c>url_param name</c>.</summary>
    Query,

    /// <summary>The path without the query. HAProxy: <c>uri</c>.</summary>
    Path,

    /// <summary>The path and the query. nginx: <c>hash $request_uri</c>; HAProxy: <c>uri whole</c>.</summary>
    Url,
}
