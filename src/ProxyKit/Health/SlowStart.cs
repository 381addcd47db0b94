using System.Diagnostics.CodeAnalysis;
using ProxyKit.LoadBalancing;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>
/// Lets the share of destinations that have recovered or joined grow from a tenth to the whole, in steps. There is a timer only while one grows. Called under the
/// cluster's lock.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "Its owner stops it.")]
internal sealed class SlowStart(Cluster cluster, TimeProvider time)
{
    private const double Floor = 0.1;

    private static readonly TimeSpan s_longestStep = TimeSpan.FromSeconds(1);

    private readonly Dictionary<Destination, long> _growing = [];
    private ITimer? _timer;

    /// <summary>Sets <see cref="Destination.Ramp"/> of the destinations before a balancer is made of them.</summary>
    /// <param name="duration">How long it takes; zero for none.</param>
    /// <param name="before">What was chosen from until now.</param>
    /// <param name="now">What is chosen from.</param>
    public void Follow(TimeSpan duration, Rotation? before, Rotation now)
    {
        // None of those that start together with the cluster, or when nobody else serves, has anybody to be spared by.
        if (duration > TimeSpan.Zero && before is { Healthy.Length: > 0 })
        {
            foreach (var joined in now.Healthy.Except(before.Healthy))
                _growing[joined] = time.GetTimestamp();
        }
        if (_growing.Count == 0)
            return;
        // A half-open circuit lets single requests through; it starts when it closes.
        foreach (var probed in _growing.Keys.Where(d => d.CircuitState == CircuitState.HalfOpen).ToArray())
            _growing[probed] = time.GetTimestamp();

        var healthy = now.Healthy.ToHashSet();
        foreach (var (destination, since) in _growing)
        {
            var share = duration > TimeSpan.Zero ? time.GetElapsedTime(since) / duration : 1;
            destination.Ramp = Math.Clamp(share, Floor, 1);
            if (share < 1 && healthy.Contains(destination))
                continue;
            destination.Ramp = 1;
            _growing.Remove(destination);
        }
        SetTimer(duration);
    }

    /// <summary>Ends it; what grows stays as it is.</summary>
    public void Stop() => _timer?.Dispose();

    private void SetTimer(TimeSpan duration)
    {
        if (_growing.Count == 0)
        {
            _timer?.Dispose();
            _timer = null;
        }
        else if (_timer is null)
        {
            var step = TimeSpan.FromTicks(Math.Min(s_longestStep.Ticks, duration.Ticks / 10));
            using (ExecutionContext.SuppressFlow())
                _timer = time.CreateTimer(static state => ((Cluster)state!).Refresh(), cluster, step, step);
        }
    }
}
