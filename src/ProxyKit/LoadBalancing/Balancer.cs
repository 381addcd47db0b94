using Microsoft.AspNetCore.Http;
using ProxyKit.Pipeline;

namespace ProxyKit.LoadBalancing;

/// <summary>What can be chosen in a cluster at one moment, and how. It does not change: <see cref="Cluster.Refresh"/> makes a new one.</summary>
internal sealed class Balancer
{
    private readonly DestinationPicker _primary;
    private readonly DestinationPicker? _backup;
    private readonly ILoadBalancingPolicy _policy;

    public Balancer(ClusterModel model, Rotation rotation, Balancer? previous)
    {
        Model = model;
        Rotation = rotation;
        _policy = model.Policy;
        if (previous?._policy != _policy)
            previous = null;

        // The new pickers are told from now on; the old ones, which requests under way still use, see that they are not.
        foreach (var destination in model.Destinations)
            destination.LoadObserver = null;
        _primary = CreatePicker(backup: false, previous?._primary);
        if (rotation.Members.Any(d => d.Config.Backup))
            _backup = CreatePicker(backup: true, previous?._backup);

        DestinationPicker CreatePicker(bool backup, DestinationPicker? before) => _policy.CreatePicker(
            new(model.Config, [.. rotation.Members.Where(d => d.Config.Backup == backup)], [.. rotation.Available.Where(d => d.Config.Backup == backup)]), before);
    }

    public ClusterModel Model { get; }

    public Rotation Rotation { get; }

    /// <summary>All destinations that can be chosen, of both tiers.</summary>
    public Destination[] Available => Rotation.Available;

    /// <inheritdoc cref="Rotation.IsPanic"/>
    public bool IsPanic => Rotation.IsPanic;

    /// <summary>The next destination for this request; backups only when no other is left. Null when there is none.</summary>
    public Destination? Pick(HttpContext context, ProxyContext proxy)
    {
        // Destinations on trial are passed over between their trials, unless nothing else is left.
        return Pick(new PickContext(context, proxy)) ?? (proxy.HasPassedOverTrial && !proxy.Full.IsAny ? Pick(new PickContext(context, proxy, acceptsTrials: true)) : null);
    }

    private Destination? Pick(in PickContext pick)
    {
        // Of several requests that see a half-open circuit at once only as many go there as it lets through; the others look again. Not for ever: a policy of the
        // user's own may not look.
        for (var i = 0; i <= Model.Destinations.Length; i++)
        {
            var picked = _primary.Pick(pick) ?? _backup?.Pick(pick);
            if (picked is null)
                return null;
            if (picked.Circuit?.TryEnter() != false && (pick.AcceptsTrials || picked.Passive?.TryEnter(picked.Owner.Services.Time) != false))
                return picked;
        }
        return null;
    }
}
