namespace ProxyKit.Diagnostics;

/// <summary>Lets one of many pass in ten seconds, and tells how many it stands for.</summary>
internal sealed class Throttle
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(10);
    private readonly Lock _lock = new();
    private long? _last;
    private int _count;

    public bool TryPass(TimeProvider time, out int count)
    {
        lock (_lock)
        {
            count = ++_count;
            if (_last is { } last && time.GetElapsedTime(last) < s_interval)
                return false;
            _last = time.GetTimestamp();
            _count = 0;
            return true;
        }
    }
}
