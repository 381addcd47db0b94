using System.Numerics;
using ProxyKit.Pipeline;

namespace ProxyKit.Resilience;

/// <summary>
/// A quantile of a cluster's recent times to first byte, to within a few percent: counts in buckets that grow by a sixteenth of a power of two, halved every so often,
/// so that old times fade. Lock-free; a count that two requests make at once may be lost to a halving, which does not matter.
/// </summary>
internal sealed class LatencyQuantile(double quantile) : IAttemptObserver
{
    private const int Enough = 100, Halving = 10_000, Steps = 16;

    private readonly int[] _counts = new int[40 * Steps];
    private int _total;
    private long _ticks = -1;

    /// <summary>The quantile; null until there is enough to tell.</summary>
    public TimeSpan? Value => Volatile.Read(ref _ticks) is >= 0 and var ticks ? TimeSpan.FromTicks(ticks) : null;

    public void Answered(Destination destination, in AttemptOutcome outcome)
    {
        // One that failed, or was cancelled as a hedge's loser, says nothing of how long an answer takes.
        if (outcome.StatusCode == 0)
            return;
        Interlocked.Increment(ref _counts[Bucket(outcome.Duration)]);
        var total = Interlocked.Increment(ref _total);
        if (total % Enough == 0)
            Compute(total);
    }

    public void BrokeOff(Destination destination, ProxyError error)
    {
    }

    private void Compute(int total)
    {
        var wanted = (long)Math.Ceiling(total * quantile);
        long sum = 0;
        for (var i = 0; i < _counts.Length; i++)
        {
            sum += Volatile.Read(ref _counts[i]);
            if (sum >= wanted)
            {
                Volatile.Write(ref _ticks, UpperEnd(i).Ticks);
                break;
            }
        }
        if (total < Halving)
            return;
        var kept = 0;
        for (var i = 0; i < _counts.Length; i++)
            kept += _counts[i] >>= 1;
        Volatile.Write(ref _total, kept);
    }

    // Microseconds: the power of two, and its sixteenth.
    private int Bucket(TimeSpan time)
    {
        var value = (ulong)Math.Max(Steps, time.TotalMicroseconds);
        var power = BitOperations.Log2(value);
        return Math.Min((power * Steps) + (int)((value >> (power - 4)) & 15), _counts.Length - 1);
    }

    private static TimeSpan UpperEnd(int bucket) =>
        TimeSpan.FromMicroseconds((double)(1L << (bucket / Steps)) * (1 + ((bucket % Steps) + 1) / (double)Steps));
}
