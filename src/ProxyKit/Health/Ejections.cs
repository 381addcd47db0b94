using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>Takes destinations of a cluster out of rotation and back in, one at a time, so that the cap on how many may be out holds.</summary>
internal sealed class Ejections(Cluster cluster)
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private bool _isClosed;

    private DestinationEvents Events => cluster.Services.Events;

    private TimeProvider Time => cluster.Services.Time;

    public void Eject(Destination destination, PassiveHealthCheckConfig config, EjectionReason reason, string description)
    {
        lock (_lock)
        {
            if (_isClosed || destination.Passive is not { } record || destination.PassiveHealth == DestinationHealth.Unhealthy)
                return;
            var (ejected, all) = Count();
            if (ejected + 1 > all * config.MaxEjectedPercent / 100)
            {
                record.QuietUntil = Time.GetTimestamp() + (long)(s_quiet.TotalSeconds * Time.TimestampFrequency);
                if (!record.RefusalIsLogged)
                    Events.NotEjected(destination, description, ejected, all, config.MaxEjectedPercent);
                record.RefusalIsLogged = true;
                return;
            }

            // Each time that it has been well for as long as an ejection lasts, one is forgotten.
            if (record.Ejections > 0)
                record.Ejections = (int)Math.Max(0, record.Ejections - (Time.GetElapsedTime(record.ReturnedAt) / config.ReactivationPeriod));
            record.Ejections++;
            var longest = Math.Max(config.ReactivationPeriod.Ticks, config.MaxReactivationPeriod.Ticks);
            var period = new TimeSpan((long)Math.Min((double)config.ReactivationPeriod.Ticks * record.Ejections, longest));

            record.Clear();
            record.EndTrial();
            record.RefusalIsLogged = false;
            record.Ejection = new(this, destination, Time, period);
            destination.EjectedUntil = Time.GetUtcNow() + period;
            destination.PassiveHealth = DestinationHealth.Unhealthy;
            Events.Ejected(destination, period, reason, description, ejected + 1, all);
        }
    }

    /// <summary>Puts it back, if it is ejected.</summary>
    /// <param name="destination">The destination.</param>
    /// <param name="ejection">The ejection that has run its time; null to end it whatever it is.</param>
    public void Return(Destination destination, Ejection? ejection)
    {
        lock (_lock)
        {
            if (destination.Passive is not { Ejection: { } current } record || (ejection ?? current) != current)
                return;
            current.Dispose();
            record.Ejection = null;
            record.ReturnedAt = Time.GetTimestamp();
            record.BeginTrial();
            destination.EjectedUntil = null;
            destination.PassiveHealth = DestinationHealth.Unknown;
            Events.Returned(destination, current.Elapsed);
        }
    }

    /// <summary>Ends an ejection and forgets all that was counted.</summary>
    public void Reset(Destination destination)
    {
        lock (_lock)
        {
            Return(destination, null);
            if (destination.Passive is not { } record)
                return;
            record.Clear();
            record.EndTrial();
            record.Ejections = 0;
            record.RefusalIsLogged = false;
        }
    }

    /// <summary>Notes that it answers, unless it has been ejected meanwhile.</summary>
    public void FirstSuccess(Destination destination)
    {
        lock (_lock)
        {
            if (destination.PassiveHealth != DestinationHealth.Unknown || destination.Passive is not { } record)
                return;
            record.EndTrial();
            destination.PassiveHealth = DestinationHealth.Healthy;
        }
    }

    /// <summary>Stops watching it.</summary>
    public void Detach(Destination destination)
    {
        lock (_lock)
        {
            Return(destination, null);
            destination.Passive = null;
            destination.PassiveHealth = DestinationHealth.Unknown;
        }
    }

    /// <summary>It has left the cluster.</summary>
    public void Forget(Destination destination)
    {
        lock (_lock)
        {
            destination.Passive?.Ejection?.Dispose();
            destination.Passive = null;
        }
    }

    /// <summary>Whoever is ejected stays so, for whom it no longer matters.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            foreach (var destination in cluster.Model?.Destinations ?? [])
                destination.Passive?.Ejection?.Dispose();
        }
    }

    private (int Ejected, int All) Count()
    {
        var (ejected, all) = (0, 0);
        foreach (var destination in cluster.Model?.Destinations ?? [])
        {
            if (destination.Mode != DestinationMode.Ready || destination.Weight == 0)
                continue;
            all++;
            if (destination.PassiveHealth == DestinationHealth.Unhealthy)
                ejected++;
        }
        return (ejected, all);
    }
}

/// <summary>One ejection, which ends by itself.</summary>
internal sealed class Ejection : IDisposable
{
    private readonly Ejections _owner;
    private readonly Destination _destination;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly ITimer _timer;

    public Ejection(Ejections owner, Destination destination, TimeProvider time, TimeSpan period)
    {
        (_owner, _destination, _time, _start) = (owner, destination, time, time.GetTimestamp());
        // It must not hold the request that happened to be the last to fail, with all that flows with that.
        using (ExecutionContext.SuppressFlow())
            _timer = time.CreateTimer(static state => ((Ejection)state!).End(), this, period, Timeout.InfiniteTimeSpan);
    }

    public TimeSpan Elapsed => _time.GetElapsedTime(_start);

    public void Dispose() => _timer.Dispose();

    private void End() => _owner.Return(_destination, this);
}

/// <summary>Why a destination was ejected.</summary>
internal enum EjectionReason
{
    ConsecutiveFailures,
    FailureRate,
    SuccessRate,
}
