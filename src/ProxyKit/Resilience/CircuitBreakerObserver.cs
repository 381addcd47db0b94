using ProxyKit.Configuration;
using ProxyKit.Health;
using ProxyKit.Pipeline;

namespace ProxyKit.Resilience;

/// <summary>Tells the destinations' circuit breakers how attempts went.</summary>
internal sealed class CircuitBreakerObserver(CircuitBreakerConfig config, ClusterServices services) : IAttemptObserver
{
    private readonly StatusRanges _failures = StatusRanges.Parse(config.FailureStatuses);

    /// <summary>Gives each destination its circuit breaker; one that is configured alike stays.</summary>
    public void Attach(Destination[] destinations)
    {
        foreach (var destination in destinations)
        {
            if (destination.Circuit?.Config == config)
                continue;
            Detach(destination);
            destination.Circuit = new(destination, config, services.Time, services.Events);
        }
    }

    public static void Detach(Destination destination)
    {
        destination.Circuit?.Dispose();
        destination.Circuit?.Reset("it is configured otherwise");
        destination.Circuit = null;
    }

    public void Answered(Destination destination, in AttemptOutcome outcome) => destination.Circuit?.Record(outcome.Verdict(_failures), outcome.Duration);

    // When it began is not known. A probe has been heard at its answer; so this counts only while the circuit is closed.
    public void BrokeOff(Destination destination, ProxyError error) => destination.Circuit?.Record(AttemptVerdict.Failure, TimeSpan.MaxValue);
}
