namespace ProxyKit.Health;

/// <summary>How requests to one destination fare. It belongs to the destination, so it outlives reloads.</summary>
internal sealed class PassiveRecord(FailureWindow window)
{
    private int _failuresInARow;
    private ulong _sinceComparison;
    private long _quietUntil;

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
    }

    /// <summary>How many it is now without a success between them.</summary>
    public int Failed() => Interlocked.Increment(ref _failuresInARow);

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
    }
}
