namespace ProxyKit.LoadBalancing;

/// <summary>One after the other, by nginx's smooth weighted round robin.</summary>
internal sealed class RoundRobinPolicy : ILoadBalancingPolicy
{
    public string Name => LoadBalancingPolicies.RoundRobin;

    public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker(destinations, previous as Picker);

    private sealed class Picker : DestinationPicker
    {
        private readonly Destination[] _destinations;
        private readonly double[] _weights;
        private readonly int[]? _order;

        // Shared with the pickers before and after it, which requests under way may still use.
        private readonly Counter _counter;

        public Picker(DestinationSet set, Picker? previous)
        {
            _destinations = [.. set.Available];
            _weights = set.Weights;
            if (set.IsWeighted)
                _order = previous is not null && _weights.AsSpan().SequenceEqual(previous._weights) ? previous._order : SmoothOrder.Of(_weights);
            _counter = previous?._counter ?? new();
        }

        public override Destination? Pick(in PickContext context)
        {
            // A refused one's turn is used up, so that its share falls to all others and not to the one after it.
            for (var i = 0; i < _destinations.Length; i++)
            {
                var turn = _counter.Next();
                var candidate = _destinations[_order is null ? (int)(turn % (uint)_destinations.Length) : _order[turn % (uint)_order.Length]];
                if (context.Accepts(candidate))
                    return candidate;
            }
            // Others have taken turns in between, or the rest has none for long.
            foreach (var candidate in _destinations)
            {
                if (context.Accepts(candidate))
                    return candidate;
            }
            return null;
        }
    }

    private sealed class Counter
    {
        private long _turns = -1;

        public ulong Next() => (ulong)Interlocked.Increment(ref _turns);
    }
}
