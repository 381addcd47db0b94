namespace ProxyKit.LoadBalancing;

/// <summary>Of two destinations taken at random, the one that is answering fewer requests.</summary>
internal sealed class PowerOfTwoChoicesPolicy : ILoadBalancingPolicy
{
    public string Name => LoadBalancingPolicies.PowerOfTwoChoices;

    public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker([.. destinations.Available]);

    private sealed class Picker(Destination[] destinations) : DestinationPicker
    {
        public override Destination? Pick(in PickContext context)
        {
            var (first, second) = (Draw(context), Draw(context));
            return first is null || second is null ? first ?? second : second.ActiveRequests < first.ActiveRequests ? second : first;
        }

        private Destination? Draw(in PickContext context)
        {
            var start = destinations.Length == 1 ? 0 : Random.Shared.Next(destinations.Length);
            for (var i = 0; i < destinations.Length; i++)
            {
                var candidate = destinations[(start + i) % destinations.Length];
                if (context.Accepts(candidate))
                    return candidate;
            }
            return null;
        }
    }
}
