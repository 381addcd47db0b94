namespace ProxyKit;

/// <summary>
/// Sends a copy of a route's requests to a shadow cluster and throws its answers away. The client's request is neither slowed nor failed by it. nginx: <c>mirror</c>;
/// Traefik: <c>mirroring</c>; Envoy: <c>request_mirror_policies</c>.
/// </summary>
public sealed record MirrorConfig
{
    /// <summary>The cluster that is sent the copies. Not the route's own.</summary>
    public required string ClusterId { get; init; }

    /// <summary>How many of the requests are copied, in percent: 0 to 100. Default: 100.</summary>
    public double Percentage { get; init; } = 100;

    /// <summary>
    /// The largest request body that is copied, in bytes: 0 to 1 GiB. It is held in memory until the shadow has answered; a request with a larger one is not copied.
    /// Default: 65536. Traefik: <c>maxBodySize</c>.
    /// </summary>
    public long MaxBodySize { get; init; } = 64 * 1024;

    /// <summary>How long the shadow may take for its whole answer; positive, at most 24 days. Default: 30 seconds.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How many copies may be under way at once, at least 1. While there are so many, requests are not copied. Default: 100.</summary>
    public int MaxConcurrentRequests { get; init; } = 100;

    /// <summary>A header with the value <c>1</c> on each copy, by which the shadow can tell it from a request, such as <c>X-Shadow</c>. Default: none.</summary>
    public string? Header { get; init; }
}
