using ProxyKit.Configuration;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <inheritdoc cref="IProxyControl"/>
internal sealed class ProxyControl(ClusterDirectory clusters, DestinationEvents events) : IProxyControl
{
    private readonly Lock _lock = new();

    public IReadOnlyList<string> Clusters => [.. clusters.All.Select(c => c.ClusterId)];

    public IReadOnlyList<Destination> GetDestinations(string clusterId)
    {
        ArgumentNullException.ThrowIfNull(clusterId);
        return clusters.Find(clusterId)?.Model!.Destinations.AsReadOnly()
            ?? throw new ArgumentException($"There is no cluster '{clusterId}'{Nearest.Hint(clusterId, Clusters)}", nameof(clusterId));
    }

    public Destination GetDestination(string clusterId, string destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var destinations = GetDestinations(clusterId);
        return destinations.FirstOrDefault(d => Is(d.Name)) ?? destinations.FirstOrDefault(d => Is(d.Config.Address))
            ?? throw new ArgumentException($"Cluster '{clusterId}' has no destination '{destination}'{Nearest.Hint(destination, destinations.Select(d => d.Name))}", nameof(destination));

        bool Is(string name) => name.Equals(destination, StringComparison.OrdinalIgnoreCase);
    }

    public Destination SetMode(string clusterId, string destination, DestinationMode mode)
    {
        if (!Enum.IsDefined(mode))
            throw new ArgumentOutOfRangeException(nameof(mode), mode, $"Allowed are {string.Join(", ", Enum.GetNames<DestinationMode>())}.");
        var found = GetDestination(clusterId, destination);
        lock (_lock)
        {
            var before = found.Mode;
            if (before == mode)
                return found;
            found.Mode = mode;
            found.Owner.Refresh();
            events.ModeChanged(found, before);
        }
        return found;
    }

    public Destination SetWeight(string clusterId, string destination, int? weight)
    {
        if (weight is < 0 or > 1000)
            throw new ArgumentOutOfRangeException(nameof(weight), weight, "A weight is 0 to 1000.");
        var found = GetDestination(clusterId, destination);
        lock (_lock)
        {
            var before = found.Weight;
            found.WeightOverride = weight;
            if (found.Weight == before)
                return found;
            found.Owner.Refresh();
            events.WeightChanged(found, before);
        }
        return found;
    }

    public Destination ResetHealth(string clusterId, string destination)
    {
        var found = GetDestination(clusterId, destination);
        events.HealthReset(found);
        found.Owner.Ejections.Reset(found);
        found.Circuit?.Reset("it was closed by hand");
        return found;
    }

    public Task WaitUntilIdleAsync(Destination destination, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        return destination.WhenIdle().WaitAsync(cancellationToken);
    }
}
