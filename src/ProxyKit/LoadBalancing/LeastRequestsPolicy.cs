namespace ProxyKit.LoadBalancing;

/// <summary>The one that is answering the fewest requests for its weight; of equals the one whose turn it is.</summary>
internal sealed class LeastRequestsPolicy : ILoadBalancingPolicy
{
    public string Name => LoadBalancingPolicies.LeastRequests;

    public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker(destinations, previous as Picker);

    private sealed class Picker : DestinationPicker
    {
        private const double SuspectLoad = 1e6;

        private readonly Lock _lock = new();
        private readonly Destination[] _destinations;
        private readonly double[] _weights;
        private readonly LoadTree _tree;
        private readonly Leaf[] _leaves;

        public Picker(DestinationSet set, Picker? previous)
        {
            _destinations = [.. set.Available];
            _weights = set.Weights;
            _tree = new(_destinations.Length, previous?._tree.Turn ?? 0);
            _leaves = [.. _destinations.Select((_, i) => new Leaf(this, i))];
            var turns = previous?.Turns() ?? [];
            for (var i = 0; i < _destinations.Length; i++)
            {
                _destinations[i].LoadObserver = _leaves[i];
                lock (_lock)
                {
                    _tree.SetTurn(i, turns.GetValueOrDefault(_destinations[i]));
                    _tree.SetLoad(i, Load(i));
                }
            }
        }

        public override Destination? Pick(in PickContext context)
        {
            lock (_lock)
            {
                // Not when it has been superseded, and is told no more how loaded they are: a request that began before that may still come back for a retry.
                var best = _tree.Best;
                if (best >= 0 && _destinations[best].LoadObserver == _leaves[best] && context.Accepts(_destinations[best]))
                    return Take(best);
                best = -1;
                var (bestLoad, bestTurn) = (0.0, 0.0);
                for (var i = 0; i < _destinations.Length; i++)
                {
                    if (!context.Accepts(_destinations[i]))
                        continue;
                    var (load, turn) = (Load(i), _tree.TurnOf(i));
                    if (best < 0 || load < bestLoad || (load == bestLoad && turn < bestTurn))
                        (best, bestLoad, bestTurn) = (i, load, turn);
                }
                return best < 0 ? null : Take(best);
            }
        }

        private Destination Take(int index)
        {
            _tree.TakeTurn(index, 1 / _weights[index]);
            return _destinations[index];
        }

        // HAProxy's: an idle one before all others; else as it would be with the new request. One at its limit comes last.
        private double Load(int index)
        {
            var destination = _destinations[index];
            if (destination.ActiveRequests is not (not 0 and var active))
                return 0;
            // One that has not responded since it failed or was added does not become the least loaded.
            return destination.IsFull ? double.PositiveInfinity : ((active + 1) / _weights[index]) + (destination.Passive is { IsSuspect: true } ? SuspectLoad : 0);
        }

        private Dictionary<Destination, double> Turns()
        {
            lock (_lock)
                return _destinations.Select((d, i) => (d, i)).ToDictionary(p => p.d, p => _tree.TurnOf(p.i));
        }

        private void Changed(int index)
        {
            // Whoever comes last reads the last value: nothing is added up, so nothing can drift.
            lock (_lock)
                _tree.SetLoad(index, Load(index));
        }

        private sealed class Leaf(Picker picker, int index) : LoadObserver
        {
            public override void Changed() => picker.Changed(index);
        }
    }
}
