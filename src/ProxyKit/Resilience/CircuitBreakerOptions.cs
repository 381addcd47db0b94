namespace ProxyKit;

/// <summary>When a circuit opens, and for how long; see <see cref="CircuitBreakerConfig"/>.</summary>
public sealed class CircuitBreakerOptions
{
    internal CircuitBreakerOptions(CircuitBreakerConfig now)
    {
        (FailureRatio, SamplingDuration, MinimumThroughput) = (now.FailureRatio, now.SamplingDuration, now.MinimumThroughput);
        (BreakDuration, ProbeRequests, FailureStatuses) = (now.BreakDuration, now.ProbeRequests, now.FailureStatuses);
    }

    /// <inheritdoc cref="CircuitBreakerConfig.FailureRatio"/>
    public double FailureRatio { get; set; }

    /// <inheritdoc cref="CircuitBreakerConfig.SamplingDuration"/>
    public TimeSpan SamplingDuration { get; set; }

    /// <inheritdoc cref="CircuitBreakerConfig.MinimumThroughput"/>
    public int MinimumThroughput { get; set; }

    /// <inheritdoc cref="CircuitBreakerConfig.BreakDuration"/>
    public TimeSpan BreakDuration { get; set; }

    /// <inheritdoc cref="CircuitBreakerConfig.ProbeRequests"/>
    public int ProbeRequests { get; set; }

    /// <inheritdoc cref="CircuitBreakerConfig.FailureStatuses"/>
    public string FailureStatuses { get; set; }

    internal CircuitBreakerConfig ToConfig() => new()
    {
        FailureRatio = FailureRatio,
        SamplingDuration = SamplingDuration,
        MinimumThroughput = MinimumThroughput,
        BreakDuration = BreakDuration,
        ProbeRequests = ProbeRequests,
        FailureStatuses = FailureStatuses,
    };
}
