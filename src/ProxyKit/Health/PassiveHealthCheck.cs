using ProxyKit.Configuration;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>Watches how attempts fare, and ejects a destination that fails too often.</summary>
internal sealed class PassiveHealthCheck : IAttemptObserver
{
    private readonly Cluster _cluster;
    private readonly TimeProvider _time;
    private readonly StatusRanges? _failures;
    private readonly OutlierDetector? _outliers;
    private readonly int _inARow;
    private readonly double _rate;

    public PassiveHealthCheck(Cluster cluster, ClusterConfig config)
    {
        _cluster = cluster;
        _time = cluster.Services.Time;
        Config = config.HealthCheck.Passive;
        Retries = config.Resilience?.Retries;
        var statuses = Config.FailureStatuses
            ?? (Config.Policy == PassiveHealthPolicy.TransportFailureRate ? "" : string.Join(',', (Retries ?? new()).Statuses));
        _failures = statuses.Length > 0 ? StatusRanges.Parse(statuses) : null;
        if (Config.OutlierEjection is { } outliers)
            _outliers = new(cluster, this, outliers);
        if (Config.Policy != PassiveHealthPolicy.TransportFailureRate)
            _inARow = Config.ConsecutiveFailures;
        if (Config.Policy != PassiveHealthPolicy.ConsecutiveFailures)
            _rate = Config.FailureRate;
    }

    public PassiveHealthCheckConfig Config { get; }

    /// <summary>Where the failure statuses are from, if <see cref="Config"/> has none.</summary>
    public RetryConfig? Retries { get; }

    /// <summary>Whether a cluster with so many destinations is watched. A circuit breaker that was asked for decides alone unless both were asked for.</summary>
    public static bool IsEnabled(ClusterConfig cluster, int destinations) =>
        cluster.HealthCheck.Passive.Enabled ?? (cluster is { Failover: true, CircuitBreaker: null } && destinations > 1);

    /// <summary>Begins with these destinations, of which some are known.</summary>
    public void Attach(Destination[] destinations)
    {
        foreach (var destination in destinations)
        {
            destination.Passive ??= new(new(Config.Window, _time));
            destination.Passive.Use(Config.Window, _time);
        }
    }

    public void Answered(Destination destination, in AttemptOutcome outcome)
    {
        // What was under way at an ejection, or comes because nobody else is left, has no say until it is over.
        if (destination.Passive is not { } record || destination.PassiveHealth == DestinationHealth.Unhealthy)
            return;
        // Nor has a request that was sent before the ejection while the destination is on trial.
        if (record.IsOnTrial && _time.GetElapsedTime(record.ReturnedAt) < outcome.Duration)
            return;
        _outliers?.Count(record, outcome);
        switch (outcome.Verdict(_failures))
        {
            case AttemptVerdict.Success:
                var wasSuspect = record.IsSuspect;
                record.Succeeded();
                if (wasSuspect)
                    destination.LoadObserver?.Changed();
                if (_rate > 0)
                    record.Window.Add(_time.GetTimestamp(), 1, 0);
                if (destination.PassiveHealth == DestinationHealth.Unknown)
                    _cluster.Ejections.FirstSuccess(destination);
                break;
            case AttemptVerdict.Failure:
                Failed(destination, record, requests: 1);
                break;
        }
    }

    public void BrokeOff(Destination destination, ProxyError error)
    {
        if (destination.Passive is not { } record || destination.PassiveHealth == DestinationHealth.Unhealthy)
            return;
        // The request has been counted when it was answered.
        record.CountForComparison(0, 1);
        Failed(destination, record, requests: 0);
    }

    public void Eject(Destination destination, EjectionReason reason, string description) => _cluster.Ejections.Eject(destination, Config, reason, description);

    private void Failed(Destination destination, PassiveRecord record, uint requests)
    {
        var now = _time.GetTimestamp();
        if (_rate > 0)
            record.Window.Add(now, requests, 1);
        var inARow = record.Failed();
        if (now < record.QuietUntil)
            return;
        if (record.IsOnTrial)
        {
            Eject(destination, EjectionReason.ConsecutiveFailures, "a failure on trial");
            return;
        }
        if (_inARow > 0 && inARow >= _inARow)
        {
            Eject(destination, EjectionReason.ConsecutiveFailures, inARow == 1 ? "a failure" : $"{inARow} failures in a row");
            return;
        }
        if (_rate > 0 && record.Window.Sum(now) is var (all, failed) && all >= Config.MinimumRequests && failed >= _rate * all)
            Eject(destination, EjectionReason.FailureRate, $"{failed} of {all} requests in {Config.Window} failed");
    }
}
