namespace ProxyKit.LoadBalancing;

/// <summary>The destination that the request's key belongs to; the next on the ring when it is down, full or has been tried.</summary>
internal sealed class HashPolicy : ILoadBalancingPolicy
{
    public string Name => LoadBalancingPolicies.Hash;

    public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker(destinations, previous as Picker);

    private sealed class Picker : DestinationPicker
    {
        // Points that are looked at before it goes in the configured order: only when most are down or full.
        private const int MinSteps = 1024;

        private static readonly HashConfig s_clientIp = new();

        private readonly HashConfig _config;
        private readonly Destination[] _members;
        private readonly HashRing _ring;

        // Of each member, the points that count and the weight; none while it is down, fewer while it starts slowly: so no other's keys move.
        private readonly int[] _points;
        private readonly double[] _weights;
        private readonly int _steps;
        private readonly WeightedDraw _draw;
        private readonly TotalLoad? _total;
        private readonly double _boundPerWeight;

        public Picker(DestinationSet set, Picker? previous)
        {
            _config = set.Cluster.Hash ?? s_clientIp;
            _members = [.. set.Members];
            _ring = HashRing.Of(set.Members, previous?._ring);
            _steps = Math.Min(_ring.Length, Math.Max(MinSteps, 4 * _members.Length));
            _draw = new(set);
            _points = new int[_members.Length];
            _weights = new double[_members.Length];
            var member = 0;
            for (var i = 0; i < set.Available.Count; i++)
            {
                // Both stand in the configured order.
                while (_members[member] != set.Available[i])
                    member++;
                _weights[member] = set.WeightOf(i);
                _points[member] = (int)Math.Ceiling(_ring.PointsOf(member) * Math.Min(1, _weights[member] / _members[member].Weight));
            }
            if (_config.BoundedLoadFactor is { } factor)
            {
                _total = new([.. set.Available]);
                _boundPerWeight = factor / set.Weights.Sum();
            }
        }

        public override Destination? Pick(in PickContext context)
        {
            if (!HashKey.TryGet(context.HttpContext, _config, out var key))
                return _draw.Next(context, except: -1) is >= 0 and var index ? _draw[index] : null;
            // If all are at their bound, which is possible while counts change, the bound gives way.
            return (_total is null ? null : Walk(context, key, _boundPerWeight * (_total.Value + 1))) ?? Walk(context, key, double.PositiveInfinity);
        }

        private Destination? Walk(in PickContext context, ulong key, double boundPerWeight)
        {
            if (_ring.Length == 0)
                return null;
            var position = _ring.Find(key);
            for (var i = 0; i < _steps; i++)
            {
                var point = _ring[position];
                if (point.Ordinal < _points[point.Member] && IsAccepted(context, point.Member, boundPerWeight))
                    return _members[point.Member];
                if (++position == _ring.Length)
                    position = 0;
            }
            if (_steps == _ring.Length)
                return null;
            var first = (int)(key % (uint)_members.Length);
            for (var i = 0; i < _members.Length; i++)
            {
                var member = (first + i) % _members.Length;
                if (_points[member] > 0 && IsAccepted(context, member, boundPerWeight))
                    return _members[member];
            }
            return null;
        }

        // The bound is a whole number of requests, and more by a rounding error is not another one.
        private bool IsAccepted(in PickContext context, int member, double boundPerWeight) =>
            _members[member].ActiveRequests < Math.Ceiling((boundPerWeight * _weights[member]) - 1e-9) && context.Accepts(_members[member]);
    }
}
