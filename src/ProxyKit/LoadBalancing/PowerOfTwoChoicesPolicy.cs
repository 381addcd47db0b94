namespace ProxyKit.LoadBalancing;

/// <summary>Of two destinations drawn by weight, the one that is answering fewer requests for its weight.</summary>
internal sealed class PowerOfTwoChoicesPolicy : ILoadBalancingPolicy
{
    public string Name => LoadBalancingPolicies.PowerOfTwoChoices;

    public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker(new(destinations));

    private sealed class Picker(WeightedDraw draw) : DestinationPicker
    {
        public override Destination? Pick(in PickContext context)
        {
            var first = draw.Next(context, except: -1);
            if (first < 0)
                return null;
            var second = draw.Next(context, except: first);
            return draw[second >= 0 && IsLessLoaded(second, first) ? second : first];
        }

        // The new request counts, so that a heavy destination with one request goes before a light one with none. Between two idle ones the draw decides:
        // otherwise the lighter would get nothing as long as requests come one by one.
        private bool IsLessLoaded(int index, int than)
        {
            var isSuspect = draw[index].IsSuspect;
            if (isSuspect != draw[than].IsSuspect)
                return !isSuspect;
            long active = draw[index].ActiveRequests, thanActive = draw[than].ActiveRequests;
            return (active | thanActive) != 0 && (active + 1) * draw.WeightOf(than) < (thanActive + 1) * draw.WeightOf(index);
        }
    }
}
