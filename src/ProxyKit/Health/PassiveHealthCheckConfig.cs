namespace ProxyKit;

/// <summary>
/// Takes a destination out of rotation for a while when requests to it fail: ejects it. Only what is the destination's fault counts, never a client's. nginx:
/// <c>max_fails</c>, <c>fail_timeout</c>; HAProxy: <c>observe</c>, <c>error-limit</c>; Envoy: outlier detection.
/// </summary>
public sealed record PassiveHealthCheckConfig
{
    /// <summary>Whether requests are watched. Default: false.</summary>
    public bool Enabled { get; init; }

    /// <summary>Which of <see cref="ConsecutiveFailures"/> and <see cref="FailureRate"/> decides. Default: <see cref="PassiveHealthPolicy.Any"/>.</summary>
    public PassiveHealthPolicy Policy { get; init; }

    /// <summary>So many failures without a success between them eject a destination; 0 switches this off. Default: 5. nginx: <c>max_fails</c>.</summary>
    public int ConsecutiveFailures { get; init; } = 5;

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
    /// Statuses that are failures, as in <c>500-599,429</c>. Without them only transport failures are: no connection, no answer in time, an answer that is not HTTP or
    /// breaks off. Default: none. HAProxy: <c>observe layer7</c>.
    /// </summary>
    public string? FailureStatuses { get; init; }

    /// <summary>Comparing the destinations with each other. Default: off.</summary>
    public OutlierEjectionConfig? OutlierEjection { get; init; }

    /// <summary>
    /// How long a destination stays ejected the first time; n times as long when it is ejected for the nth time in short order. 1 ms to 24 hours. Default: 1 minute.
    /// nginx: <c>fail_timeout</c>; Envoy: <c>base_ejection_time</c>.
    /// </summary>
    public TimeSpan ReactivationPeriod { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The longest ejection; where it is shorter than <see cref="ReactivationPeriod"/>, every ejection lasts that. Default: 5 minutes. Envoy: <c>max_ejection_time</c>.</summary>
    public TimeSpan MaxReactivationPeriod { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How many of the cluster's destinations may be ejected at once, in percent, 0 to 100, rounded down: one that is alone is not ejected below 100. Default: 50.
    /// Envoy: <c>max_ejection_percent</c>.
    /// </summary>
    public int MaxEjectedPercent { get; init; } = 50;
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
