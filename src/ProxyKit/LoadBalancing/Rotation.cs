using ProxyKit.Pipeline;

namespace ProxyKit.LoadBalancing;

/// <summary>Which destinations of a cluster can be chosen at one moment, by mode, weight and health.</summary>
internal sealed class Rotation
{
    public Rotation(ClusterModel model)
    {
        var check = model.Config.HealthCheck;
        Members = [.. model.Destinations.Where(d => d.Mode == DestinationMode.Ready && d.Weight > 0)];
        Healthy = [.. Members.Where(d => d.Health != DestinationHealth.Unhealthy)];
        Available = Healthy;
        if (Healthy.Length == Members.Length)
            return;

        if (Healthy.Length == 0)
        {
            var usesAll = check.AvailableDestinationsPolicy == AvailableDestinationsPolicy.HealthyOrPanic || check.PanicThreshold > 0;
            // An ejection says that other destinations are better; now there are none.
            Available = usesAll ? Members : [.. Members.Where(d => d.IsMerelyEjected)];
            IsPanic = usesAll || Available.Length > 0;
            return;
        }
        // Backups stand by so that the others' failure is no reason to panic: the tier that answers now is what counts.
        var backup = Healthy.All(d => d.Config.Backup);
        IsPanic = Healthy.Count(IsInTier) * 100 < check.PanicThreshold * Members.Count(IsInTier);
        if (IsPanic)
            Available = [.. Members.Where(d => IsInTier(d) || d.Health != DestinationHealth.Unhealthy)];

        bool IsInTier(Destination destination) => destination.Config.Backup == backup;
    }

    /// <summary>All that take part.</summary>
    public Destination[] Members { get; }

    /// <summary>Those of them that are not known to be unhealthy.</summary>
    public Destination[] Healthy { get; }

    /// <summary>Those of them that can be chosen: the healthy ones, or more in a panic.</summary>
    public Destination[] Available { get; }

    /// <summary>Whether health is not looked at, because so few are healthy.</summary>
    public bool IsPanic { get; }
}
