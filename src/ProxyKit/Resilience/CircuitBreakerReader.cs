using ProxyKit.Configuration;

namespace ProxyKit.Resilience;

/// <summary>A cluster's <c>CircuitBreaker</c> in JSON.</summary>
internal static class CircuitBreakerReader
{
    public static CircuitBreakerConfig Read(SectionReader breaker)
    {
        var defaults = new CircuitBreakerConfig();
        return new()
        {
            FailureRatio = breaker.Double("FailureRatio") ?? defaults.FailureRatio,
            SamplingDuration = breaker.Time("SamplingDuration") ?? defaults.SamplingDuration,
            MinimumThroughput = breaker.Int("MinimumThroughput") ?? defaults.MinimumThroughput,
            BreakDuration = breaker.Time("BreakDuration") ?? defaults.BreakDuration,
            ProbeRequests = breaker.Int("ProbeRequests") ?? defaults.ProbeRequests,
            FailureStatuses = breaker.Text("FailureStatuses") ?? defaults.FailureStatuses,
        };
    }
}
