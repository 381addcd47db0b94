namespace ProxyKit.Health;

/// <summary>How requests to one destination fare. It belongs to the destination, so it outlives reloads.</summary>
internal sealed class PassiveRecord(FailureWindow window)
{
    private static readonly TimeSpan s_trialInterval = TimeSpan.FromSeconds(1);

    private int _failuresInARow;
    private ulong _sinceComparison;
    private long _quietUntil;
    private long _lastTrial = long.MinValue / 2;
    private volatile bool _isOnTrial;
    private volatile bool _isSuspect = true;

    public FailureWindow Window { get; private set; } = window;

    // What follows is used under the lock of Ejections.

    /// <summary>The ejection that lasts.</summary>
    public Ejection? Ejection { get; set; }

    /// <summary>How many ejections have followed each other.</summary>
    public int Ejections { get; set; }

    public long ReturnedAt { get; set; }

    public bool RefusalIsLogged { get; set; }

    /// <summary>Until when failures are only counted: a decision not to eject holds for a moment, lest every failure of an outage asks for it again.</summary>
    public long QuietUntil { get => Volatile.Read(ref _quietUntil); set => Volatile.Write(ref _quietUntil, value); }

    /// <summary>Whether the destination has returned from an ejection and has not succeeded since.</summary>
    public bool IsOnTrial => _isOnTrial;

    /// <summary>Whether the destination's last request has failed, or none has succeeded yet: policies that go by load do not take its few requests for a sign of speed.</summary>
    public bool IsSuspect => _isSuspect;

    public void BeginTrial() => _isOnTrial = true;

    public void EndTrial() => _isOnTrial = false;

    /// <summary>Whether a request may be sent as a trial now. One a second, so that a request that hangs does not keep the destination out.</summary>
    public bool AdmitsTrial(TimeProvider time) => time.GetElapsedTime(Volatile.Read(ref _lastTrial)) >= s_trialInterval;

    /// <summary>Notes that a request is sent there; false if the destination is on trial and another request was faster.</summary>
    public bool TryEnter(TimeProvider time)
    {
        if (!_isSuspect)
            return true;
        var last = Volatile.Read(ref _lastTrial);
        return (time.GetElapsedTime(last) >= s_trialInterval && Interlocked.CompareExchange(ref _lastTrial, time.GetTimestamp(), last) == last) || !_isOnTrial;
    }

    /// <summary>Another length begins with nothing counted.</summary>
    public void Use(TimeSpan window, TimeProvider time)
    {
        if (Window.Window != window)
            Window = new(window, time);
    }

    public void Succeeded()
    {
        // A store for each request would make the cores fight for it.
        if (Volatile.Read(ref _failuresInARow) != 0)
            Volatile.Write(ref _failuresInARow, 0);
        if (_isSuspect)
            _isSuspect = false;
    }

    /// <summary>How many it is now without a success between them.</summary>
    public int Failed()
    {
        _isSuspect = true;
        return Interlocked.Increment(ref _failuresInARow);
    }

    public void CountForComparison(uint requests, uint failures) => Interlocked.Add(ref _sinceComparison, ((ulong)requests << 32) + failures);

    public (uint Requests, uint Failures) TakeForComparison()
    {
        var counts = Interlocked.Exchange(ref _sinceComparison, 0);
        var requests = (uint)(counts >> 32);
        return (requests, Math.Min((uint)counts, requests));
    }

    public void Clear()
    {
        Volatile.Write(ref _failuresInARow, 0);
        Window.Clear();
        TakeForComparison();
        QuietUntil = 0;
        Volatile.Write(ref _lastTrial, long.MinValue / 2);
    }
}
