namespace ProxyKit.Health;

/// <summary>
/// Counts requests and failures over a sliding window: ten buckets of a tenth of it each. A bucket is one word (number of its tenth, requests, failures), so that
/// counting is one compare-and-swap and a bucket that is out of date starts anew by itself.
/// </summary>
internal sealed class FailureWindow(TimeSpan window, TimeProvider time)
{
    private const int Buckets = 10, Bits = 20, EpochBits = 64 - (2 * Bits);
    private const ulong Max = (1UL << Bits) - 1, EpochMask = (1UL << EpochBits) - 1;

    private readonly ulong[] _buckets = new ulong[Buckets];
    private readonly long _length = Math.Max(1, (long)(window.TotalSeconds * time.TimestampFrequency / Buckets));

    public TimeSpan Window { get; } = window;

    /// <summary>Counts.</summary>
    /// <param name="timestamp">Now.</param>
    /// <param name="requests">1, or 0 for a failure of a request that has been counted.</param>
    /// <param name="failures">0 or 1.</param>
    public void Add(long timestamp, uint requests, uint failures)
    {
        var (index, epoch) = Locate(timestamp);
        ref var bucket = ref _buckets[index];
        var seen = Volatile.Read(ref bucket);
        while (true)
        {
            var current = Epoch(seen) == epoch ? seen : epoch << (2 * Bits);
            // More than a million in a bucket say no more than a million do.
            if (Requests(current) == Max || Failures(current) == Max)
                return;
            var before = Interlocked.CompareExchange(ref bucket, current + ((ulong)requests << Bits) + failures, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }

    public (long Requests, long Failures) Sum(long timestamp)
    {
        var (_, now) = Locate(timestamp);
        var (requests, failures) = (0L, 0L);
        foreach (ref var bucket in _buckets.AsSpan())
        {
            var value = Volatile.Read(ref bucket);
            if (((now - Epoch(value)) & EpochMask) >= Buckets)
                continue;
            requests += (long)Requests(value);
            failures += (long)Failures(value);
        }
        return (requests, Math.Min(failures, requests));
    }

    public void Clear()
    {
        foreach (ref var bucket in _buckets.AsSpan())
            Volatile.Write(ref bucket, 0);
    }

    private (int Index, ulong Epoch) Locate(long timestamp)
    {
        var tenth = timestamp / _length;
        return ((int)(tenth % Buckets), (ulong)tenth & EpochMask);
    }

    private static ulong Epoch(ulong bucket) => bucket >> (2 * Bits);

    private static ulong Requests(ulong bucket) => (bucket >> Bits) & Max;

    private static ulong Failures(ulong bucket) => bucket & Max;
}
