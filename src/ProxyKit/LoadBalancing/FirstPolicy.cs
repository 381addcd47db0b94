namespace ProxyKit.LoadBalancing;

/// <summary>The first in the configured order that is accepted.</summary>
internal sealed class FirstPolicy : ILoadBalancingPolicy
{
    public string Name => LoadBalancingPolicies.First;

    public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new OrderedPicker([.. destinations.Available]);
}

/// <summary>The first by name that is accepted.</summary>
internal sealed class FirstAlphabeticalPolicy : ILoadBalancingPolicy
{
    public string Name => LoadBalancingPolicies.FirstAlphabetical;

    public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) =>
        new OrderedPicker([.. destinations.Available.OrderBy(d => d.Name, StringComparer.OrdinalIgnoreCase)]);
}

internal sealed class OrderedPicker(Destination[] destinations) : DestinationPicker
{
    public override Destination? Pick(in PickContext context)
    {
        foreach (var destination in destinations)
        {
            if (context.Accepts(destination))
                return destination;
        }
        return null;
    }
}
