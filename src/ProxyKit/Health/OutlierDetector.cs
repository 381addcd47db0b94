using ProxyKit.Configuration;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>Compares the destinations' success rates from time to time, and ejects those that are far below the others. Envoy's outlier detection by success rate.</summary>
internal sealed class OutlierDetector
{
    private readonly Cluster _cluster;
    private readonly PassiveHealthCheck _check;
    private readonly OutlierEjectionConfig _config;
    private readonly StatusRanges _failures;
    private readonly ITimer _timer;
    private int _isArmed;

    public OutlierDetector(Cluster cluster, PassiveHealthCheck check, OutlierEjectionConfig config)
    {
        (_cluster, _check, _config) = (cluster, check, config);
        _failures = StatusRanges.Parse(config.FailureStatuses);
        using (ExecutionContext.SuppressFlow())
            _timer = cluster.Services.Time.CreateTimer(static state => ((OutlierDetector)state!).Compare(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Count(PassiveRecord record, in AttemptOutcome outcome)
    {
        var verdict = outcome.Verdict(_failures);
        if (verdict == AttemptVerdict.None)
            return;
        record.CountForComparison(1, verdict == AttemptVerdict.Failure ? 1u : 0);
        // The first request sets the timer: a cluster without any, or that is gone, has none running.
        if (Volatile.Read(ref _isArmed) == 0 && Interlocked.Exchange(ref _isArmed, 1) == 0)
            _timer.Change(_config.Interval, Timeout.InfiniteTimeSpan);
    }

    private void Compare()
    {
        Volatile.Write(ref _isArmed, 0);
        // After a reload another one counts.
        if (_cluster.Model is not { } model || !model.Observers.Contains(_check))
            return;
        var samples = new List<(Destination Destination, double Rate, uint Requests)>();
        foreach (var destination in model.Destinations)
        {
            if (destination.Passive?.TakeForComparison() is var (requests, failures) && requests >= _config.MinimumRequests && destination.PassiveHealth != DestinationHealth.Unhealthy)
                samples.Add((destination, 1 - ((double)failures / requests), requests));
        }
        if (samples.Count < _config.MinimumDestinations)
            return;

        var mean = samples.Average(s => s.Rate);
        var deviation = Math.Sqrt(samples.Average(s => (s.Rate - mean) * (s.Rate - mean)));
        var limit = mean - Math.Max(_config.Factor * deviation, _config.Tolerance);
        // The worst first: there is a cap.
        foreach (var (destination, rate, requests) in samples.Where(s => s.Rate < limit).OrderBy(s => s.Rate))
            _check.Eject(destination, EjectionReason.SuccessRate, FormattableString.Invariant($"{rate:P1} of {requests} requests succeeded, on average {mean:P1} do, with a deviation of {deviation:P1}"));
    }
}
