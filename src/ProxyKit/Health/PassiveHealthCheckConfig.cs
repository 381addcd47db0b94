namespace ProxyKit;

/// <summary>
/// Takes a destination out of rotation for a while when requests to it fail: ejects it. Only what is the destination's fault counts, never a client's. nginx:
/// <c>max_fails</c>, <c>fail_timeout</c>; HAProxy: <c>observe</c>, <c>error-limit</c>; Envoy: outlier detection.
/// </summary>
public sealed record PassiveHealthCheckConfig
{
    /// <summary>
    /// Whether requests are watched. Default: null, which is true where the cluster has more than one destination and no circuit breaker,
    /// and <see cref="ClusterConfig.Failover"/> is on.
    /// </summary>
    public bool? Enabled { get; init; }

    /// <summary>Which of <see cref="ConsecutiveFailures"/> and <see cref="FailureRate"/> decides. Default: <see cref="PassiveHealthPolicy.Any"/>.</summary>
    public PassiveHealthPolicy Policy { get; init; }

    /// <summary>
    /// The number of failures in a row that ejects a destination; 0 switches this off. Default: 3, so that one page that answers 503 does not end the sessions of a
    /// destination. nginx: <c>max_fails</c> (default 1, where no status counts).
    /// </summary>
    public int ConsecutiveFailures { get; init; } = 3;

    /// <summary>
    /// This share of failures in <see cref="Window"/>, or more, ejects a destination: above 0 and at most 1; 0 switches this off. Default: 0.3. YARP:
    /// <c>DefaultFailureRateLimit</c>, or the cluster's metadata <c>TransportFailureRateHealthPolicy.RateLimit</c>, which JSON may use too.
    /// </summary>
    public double FailureRate { get; init; } = 0.3;

    /// <summary>The time that <see cref="FailureRate"/> looks back, in steps of a tenth: 100 ms to 1 hour. Default: 1 minute. YARP: <c>DetectionWindowSize</c>.</summary>
    public TimeSpan Window { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>So many requests in <see cref="Window"/> are needed before <see cref="FailureRate"/> means anything, at least 1. Default: 10. YARP: <c>MinimalTotalCountThreshold</c>.</summary>
    public int MinimumRequests { get; init; } = 10;

    /// <summary>
    /// Status codes that are failures, as in <c>500-599,429</c>, beside transport failures: no connection, no response in time, a response that is not HTTP or ends
    /// prematurely. An empty string counts transport failures only. Default: null, which is <see cref="RetryConfig.Statuses"/> (502, 503, 504), and no status with
    /// <see cref="PassiveHealthPolicy.TransportFailureRate"/>, as in YARP. HAProxy: <c>observe layer7</c>.
    /// </summary>
    public string? FailureStatuses { get; init; }

    /// <summary>Comparing the destinations with each other. Default: off.</summary>
    public OutlierEjectionConfig? OutlierEjection { get; init; }

    /// <summary>
    /// How long a destination stays ejected the first time; n times as long when it is ejected for the nth time in short order. Afterwards it is on trial: it gets
    /// at most one request a second until one succeeds, and is ejected again by the first failure. 1 ms to 24 hours. Default: 10 seconds.
    /// nginx: <c>fail_timeout</c>; Envoy: <c>base_ejection_time</c>.
    /// </summary>
    public TimeSpan ReactivationPeriod { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest ejection; where it is shorter than <see cref="ReactivationPeriod"/>, every ejection lasts that. Default: 1 minute. Envoy: <c>max_ejection_time</c>.</summary>
    public TimeSpan MaxReactivationPeriod { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How many of the cluster's destinations may be ejected at once, in percent, 0 to 100, rounded down: a single destination is not ejected below 100. While every
    /// destination is ejected, all of them are used. Default: 100. Envoy: <c>max_ejection_percent</c>.
    /// </summary>
    public int MaxEjectedPercent { get; init; } = 100;
}

/// <summary>What ejects a destination.</summary>
public enum PassiveHealthPolicy
{
    /// <summary><see cref="ConsecutiveFailures"/> and <see cref="TransportFailureRate"/>, whichever comes first.</summary>
    Any,

    /// <summary>Failures in a row alone: <see cref="PassiveHealthCheckConfig.ConsecutiveFailures"/>.</summary>
    ConsecutiveFailures,

    /// <summary>The share of failures alone, as in YARP: <see cref="PassiveHealthCheckConfig.FailureRate"/>.</summary>
    TransportFailureRate,
}
