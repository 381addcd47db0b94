namespace ProxyKit;

/// <summary>
/// Gives a share of a route's requests to other clusters: a canary, an experiment, a migration. What they leave goes to the route's own
/// <see cref="RouteConfig.ClusterId"/>. nginx: <c>split_clients</c>; Traefik: weighted services; Envoy: <c>weighted_clusters</c>.
/// </summary>
public sealed record SplitConfig
{
    /// <summary>The clusters that take a share, and the requests that go there in any case.</summary>
    public ValueList<SplitClusterConfig> Clusters { get; init; } = [];

    /// <summary>How a visitor stays with the cluster of the first request. Default: not at all; each request is drawn anew.</summary>
    public SplitStickyConfig? Sticky { get; init; }
}

/// <summary>A cluster's share of a route's requests.</summary>
public sealed record SplitClusterConfig
{
    /// <summary>
    /// The cluster. Each is named once. The route's own may be named as well, with conditions and without a percentage: the requests that never go elsewhere.
    /// </summary>
    public required string ClusterId { get; init; }

    /// <summary>
    /// Its share in percent of the requests that no condition has decided: 0 to 100, with two decimals at most; all together no more than 100. 0 takes only what the
    /// conditions give it. Default: 0.
    /// </summary>
    public double Percentage { get; init; }

    /// <summary>
    /// Headers that bring a request here, such as <c>X-Canary: always</c>, whatever its number or its cookie say. One that matches is enough, here or in
    /// <see cref="Cookies"/>; of several clusters the first goes first. Default: none.
    /// </summary>
    public ValueList<HeaderMatch> Headers { get; init; } = [];

    /// <summary>Cookies that bring a request here, as <see cref="Headers"/> do. Default: none.</summary>
    public ValueList<CookieMatch> Cookies { get; init; } = [];
}

/// <summary>A condition on a cookie of the request.</summary>
public sealed record CookieMatch
{
    /// <summary>The cookie's name.</summary>
    public required string Name { get; init; }

    /// <summary>The values of which it must have one; case counts. Default: any value will do.</summary>
    public ValueList<string> Values { get; init; } = [];
}

/// <summary>
/// How a visitor stays with a cluster. Each has a number from 0 to 9999, and the shares are ranges of numbers: when a share grows or shrinks, only the visitors in between
/// change sides. Proxies that run side by side agree without talking to each other.
/// </summary>
public sealed record SplitStickyConfig
{
    /// <summary>Where a visitor's number comes from. Default: <see cref="SplitStickyBy.Cookie"/>.</summary>
    public SplitStickyBy By { get; init; }

    /// <summary>
    /// The name of the cookie that is set, <c>.split</c> by default; with <see cref="SplitStickyBy.Header"/> and <see cref="SplitStickyBy.ExistingCookie"/> the name of
    /// the header or cookie, which is required. Routes with the same name share a visitor's number.
    /// </summary>
    public string? Name { get; init; }

    /// <summary>How long browsers keep the cookie that is set; positive. Default: until they are closed.</summary>
    public TimeSpan? MaxAge { get; init; }

    /// <summary>The domain of the cookie that is set, such as <c>example.com</c> for all its subdomains. Default: the host of the request alone.</summary>
    public string? Domain { get; init; }
}

/// <summary>Where a visitor's number comes from.</summary>
public enum SplitStickyBy
{
    /// <summary>A cookie that the proxy sets; it holds the number, drawn at random: <c>HttpOnly</c>, <c>SameSite=Lax</c>, and <c>Secure</c> over HTTPS.</summary>
    Cookie,

    /// <summary>A hash of the client's IP address.</summary>
    ClientIp,

    /// <summary>A hash of a request header. Requests without it are drawn anew each time.</summary>
    Header,

    /// <summary>A hash of a cookie that somebody else sets, such as the application's session. Requests without it are drawn anew each time.</summary>
    ExistingCookie,
}
