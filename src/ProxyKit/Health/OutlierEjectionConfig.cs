namespace ProxyKit;

/// <summary>
/// Ejects a destination that fares much worse than the others: whose success rate is below the mean of all by more than <see cref="Factor"/> standard deviations and
/// more than <see cref="Tolerance"/>. It finds the one that is broken without naming a rate that is normal. Envoy: outlier detection by success rate.
/// </summary>
public sealed record OutlierEjectionConfig
{
    /// <summary>How often destinations are compared, by the requests since the last time: 100 ms to 1 hour. Default: 10 s. Envoy: <c>interval</c>.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How many standard deviations below the mean are too many, above 0 and at most 10. Default: 1.9. Envoy: <c>success_rate_stdev_factor</c> / 1000.</summary>
    public double Factor { get; init; } = 1.9;

    /// <summary>So much below the mean is not too much, however small the deviation is: 0 to 1. Default: 0.05.</summary>
    public double Tolerance { get; init; } = 0.05;

    /// <summary>
    /// So many destinations with enough requests are needed for a comparison, at least 2. Of n, one can be at most √(n-1) deviations off: 1.9 needs five. Default: 5.
    /// Envoy: <c>success_rate_minimum_hosts</c>.
    /// </summary>
    public int MinimumDestinations { get; init; } = 5;

    /// <summary>So many requests in <see cref="Interval"/> make a destination comparable, at least 1. Default: 100. Envoy: <c>success_rate_request_volume</c>.</summary>
    public int MinimumRequests { get; init; } = 100;

    /// <summary>Statuses that are failures, besides transport failures. Default: 500-599.</summary>
    public string FailureStatuses { get; init; } = "500-599";
}
