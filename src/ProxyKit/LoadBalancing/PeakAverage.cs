namespace ProxyKit.LoadBalancing;

/// <summary>
/// A decaying average that jumps up to a peak at once and comes down slowly (Finagle's peak EWMA): a destination that becomes slow is avoided after its first slow
/// answer, and tried again when that is some time ago.
/// </summary>
internal sealed class PeakAverage
{
    // In which a value loses two thirds of its say. Finagle's and Linkerd's.
    private const double DecaySeconds = 10;

    // 0 is for what is not known.
    private const double MinSeconds = 1e-6;

    private readonly Lock _lock = new();
    private double _value;
    private double _at;

    /// <summary>In seconds, as of the last observation; 0 before the first.</summary>
    public double Value => Volatile.Read(ref _value);

    /// <summary>In seconds; it sinks while nothing is heard.</summary>
    /// <param name="now">The time in seconds, of any beginning.</param>
    public double ValueAt(double now) =>
        // Read without the lock: the value that goes with another time is off by the decay between two answers.
        Volatile.Read(ref _value) is not 0 and var value ? value * Weight(now - Volatile.Read(ref _at)) : 0;

    public void Observe(double seconds, double now)
    {
        lock (_lock)
        {
            var weight = Weight(now - _at);
            seconds = Math.Max(seconds, MinSeconds);
            Volatile.Write(ref _value, seconds > _value ? seconds : (_value * weight) + (seconds * (1 - weight)));
            Volatile.Write(ref _at, now);
        }
    }

    /// <summary>Takes note of a peak; what is less than the value as it is now says nothing.</summary>
    public void ObservePeak(double seconds, double now)
    {
        if (seconds > ValueAt(now))
            Observe(seconds, now);
    }

    private static double Weight(double elapsed) => Math.Exp(-Math.Max(elapsed, 0) / DecaySeconds);
}
