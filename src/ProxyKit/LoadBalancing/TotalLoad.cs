namespace ProxyKit.LoadBalancing;

/// <summary>How many requests a set of destinations is answering, without asking each.</summary>
internal sealed class TotalLoad
{
    private long _value;

    public TotalLoad(Destination[] destinations)
    {
        foreach (var destination in destinations)
        {
            var part = new Part(this, destination);
            destination.LoadObserver = part;
            part.Changed();
        }
    }

    public long Value => Volatile.Read(ref _value);

    private sealed class Part(TotalLoad total, Destination destination) : LoadObserver
    {
        private int _counted;

        // What was counted is replaced by what is, until that is the last value: nothing can drift, whichever of several changes comes first.
        public override void Changed()
        {
            int active;
            do
            {
                active = destination.ActiveRequests;
                Interlocked.Add(ref total._value, active - Interlocked.Exchange(ref _counted, active));
            }
            while (destination.ActiveRequests != active);
        }
    }
}
