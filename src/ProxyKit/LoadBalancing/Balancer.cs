using Microsoft.AspNetCore.Http;
using ProxyKit.Pipeline;

namespace ProxyKit.LoadBalancing;

/// <summary>What can be chosen in a cluster at one moment, and how. It does not change: <see cref="Cluster.Refresh"/> makes a new one.</summary>
internal sealed class Balancer
{
    private readonly DestinationPicker _primary;
    private readonly DestinationPicker? _backup;
    private readonly ILoadBalancingPolicy _policy;

    public Balancer(ClusterModel model, Balancer? previous)
    {
        Model = model;
        _policy = model.Policy;
        if (previous?._policy != _policy)
            previous = null;

        Destination[] inRotation = [.. model.Destinations.Where(d => d.Mode == DestinationMode.Ready && d.Weight > 0)];
        Destination[] healthy = [.. inRotation.Where(d => d.Health != DestinationHealth.Unhealthy)];
        Available = healthy;
        _primary = CreatePicker(backup: false, previous?._primary);
        if (inRotation.Any(d => d.Config.Backup))
            _backup = CreatePicker(backup: true, previous?._backup);

        DestinationPicker CreatePicker(bool backup, DestinationPicker? before) => _policy.CreatePicker(
            new(model.Config, [.. inRotation.Where(d => d.Config.Backup == backup)], [.. Available.Where(d => d.Config.Backup == backup)]), before);
    }

    public ClusterModel Model { get; }

    /// <summary>All destinations that can be chosen, of both tiers.</summary>
    public Destination[] Available { get; }

    /// <summary>The next destination for this request; backups only when no other is left. Null when there is none.</summary>
    public Destination? Pick(HttpContext context, ProxyContext proxy)
    {
        var pick = new PickContext(context, proxy);
        // Of several requests that see a half-open circuit at once only as many go there as it lets through; the others look again. Not for ever: a policy of the
        // user's own may not look.
        for (var i = 0; i <= Model.Destinations.Length; i++)
        {
            var picked = _primary.Pick(pick) ?? _backup?.Pick(pick);
            if (picked?.Circuit is not { } circuit || circuit.TryEnter())
                return picked;
        }
        return null;
    }
}
