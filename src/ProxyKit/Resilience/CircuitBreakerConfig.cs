namespace ProxyKit;

/// <summary>
/// Leaves a destination alone for a while when too large a share of the requests to it fails, then tries it with a few. The names and ranges are those of
/// Polly's circuit breaker, which does the counting.
/// </summary>
public sealed record CircuitBreakerConfig
{
    /// <summary>The share of failures that opens the circuit: above 0 and at most 1. Default: 0.5.</summary>
    public double FailureRatio { get; init; } = 0.5;

    /// <summary>The time over which <see cref="FailureRatio"/> is taken: 500 ms to 24 hours. Default: 30 s.</summary>
    public TimeSpan SamplingDuration { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>So many requests in <see cref="SamplingDuration"/> are needed before <see cref="FailureRatio"/> means anything, at least 2. Default: 20.</summary>
    public int MinimumThroughput { get; init; } = 20;

    /// <summary>How long an open circuit lets nothing through: 500 ms to 24 hours. Default: 5 s.</summary>
    public TimeSpan BreakDuration { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How many requests try the destination at once when <see cref="BreakDuration"/> is over, at least 1. The first that succeeds closes the circuit, the first that fails
    /// opens it again. Default: 1.
    /// </summary>
    public int ProbeRequests { get; init; } = 1;

    /// <summary>Statuses that are failures, besides transport failures. Default: 502-504.</summary>
    public string FailureStatuses { get; init; } = "502-504";
}
