namespace ProxyKit.LoadBalancing;

/// <summary>At random, by weight.</summary>
internal sealed class RandomPolicy : ILoadBalancingPolicy
{
    public string Name => LoadBalancingPolicies.Random;

    public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker(new(destinations));

    private sealed class Picker(WeightedDraw draw) : DestinationPicker
    {
        public override Destination? Pick(in PickContext context) => draw.Next(context, except: -1) is >= 0 and var index ? draw[index] : null;
    }
}
