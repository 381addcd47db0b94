namespace ProxyKit;

/// <summary>
/// Further attempts, on other destinations first. A failure to connect is always safe to repeat. A request that was sent and not answered, or answered with one of
/// <see cref="Statuses"/>, is repeated only when its method is idempotent (RFC 9110 §9.2.2) or <see cref="NonIdempotent"/> says so. After the response has begun nothing is.
/// nginx: <c>proxy_next_upstream</c>; HAProxy: <c>retries</c>, <c>retry-on</c>, <c>option redispatch</c>.
/// </summary>
public sealed record RetryConfig
{
    /// <summary>
    /// How many further attempts a request has, 1 to 16. Default: null, which is one for each other destination, at least 2 and at most 16. nginx:
    /// <c>proxy_next_upstream_tries</c>.
    /// </summary>
    public int? MaxRetryAttempts { get; init; }

    /// <summary>
    /// How long one attempt waits for the response's headers, in place of <see cref="TimeoutConfig.FirstByte"/>; then the next begins. Default: <see cref="TimeoutConfig.FirstByte"/>.
    /// Envoy: <c>per_try_timeout</c>.
    /// </summary>
    public TimeSpan? PerTryTimeout { get; init; }

    /// <summary>Statuses that are no answer. Default: 502, 503, 504.</summary>
    public ValueList<int> Statuses { get; init; } = [502, 503, 504];

    /// <summary>Whether requests with methods such as POST are repeated after they have been sent. Default: false. nginx: <c>non_idempotent</c>.</summary>
    public bool NonIdempotent { get; init; }

    /// <summary>
    /// How many bytes of a request's body are kept in memory so that it can be sent again; a longer one is sent once. Default: 65536.
    /// </summary>
    public int MaxBodySize { get; init; } = 64 * 1024;

    /// <summary>
    /// The wait before an attempt once every destination has been tried: it doubles each time, with jitter. While there is one that has not been tried, it is tried at once. Default: 00:00:00.0250000.
    /// </summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(25);

    /// <summary>The longest such wait. A destination's <c>Retry-After</c> may be longer, within the request's total time. Default: 00:00:00.2500000.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// The retry budget: how many attempts may be added, as a share of the cluster's requests, so that retries cannot multiply an outage. An attempt on a destination
    /// that is healthy and that the request has not tried yet is free. 0 to 10. Default: 0.2. Envoy: <c>retry_budget</c>.
    /// </summary>
    public double BudgetRatio { get; init; } = 0.2;

    /// <summary>
    /// Attempts per second that the budget allows besides, 0 to 10,000; what is not used is kept for ten seconds, and there from the beginning. Default: 10. Envoy: <c>min_retry_concurrency</c>.
    /// </summary>
    public int BudgetMinimum { get; init; } = 10;
}
