namespace ProxyKit;

/// <summary>
/// How many requests a cluster's destinations are sent at once. What is more waits in one queue, first come, first served, until a destination that it may use is
/// free; what finds the queue full, or has waited too long, is 503 with <c>Retry-After</c> (RFC 9110 §15.6.4). A request counts until its response has been
/// delivered; a WebSocket counts for as long as it is open. HAProxy: <c>maxconn</c>, <c>timeout queue</c>, <c>maxqueue</c>; nginx: <c>max_conns</c>,
/// <c>queue</c>; Envoy: <c>max_requests</c>, <c>max_pending_requests</c>.
/// </summary>
public sealed record ConcurrencyLimitsConfig
{
    /// <summary>How many requests the whole cluster is sent at once, at least 1. Default: no limit.</summary>
    public int? MaxConcurrentRequests { get; init; }

    /// <summary>How many requests each destination is sent at once unless it has a <see cref="DestinationConfig.MaxConcurrentRequests"/> of its own, at least 1. Default: no limit.</summary>
    public int? MaxConcurrentRequestsPerDestination { get; init; }

    /// <summary>How many requests may wait, 0 to 1,000,000; with 0 none does. Default: 1,000. HAProxy: <c>maxqueue</c>.</summary>
    public int QueueLimit { get; init; } = 1000;

    /// <summary>
    /// How long a request may wait: up to 1 day, or <see cref="Timeout.InfiniteTimeSpan"/>. It counts into <see cref="TimeoutConfig.Total"/>, not into
    /// <see cref="TimeoutConfig.FirstByte"/>. Default: 10 s. HAProxy: <c>timeout queue</c>.
    /// </summary>
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// When a client that is turned away should come again (<c>Retry-After</c>, RFC 9110 §10.2.3), in whole seconds, rounded up; zero to 1 day, zero sends no such
    /// header. Default: 10 s, when everybody who waits now has been answered or turned away.
    /// </summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(10);
}
