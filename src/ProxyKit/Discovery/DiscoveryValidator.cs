using ProxyKit.Configuration;

namespace ProxyKit.Discovery;

internal static class DiscoveryValidator
{
    public static void Validate(string where, ClusterConfig cluster, DiscoveryServices services, List<string> errors)
    {
        if (cluster.Discovery is not { } discovery)
            return;
        if (cluster.Destinations.Count == 0)
            errors.Add($"{where}: Discovery has nothing to resolve: the cluster has no destination.");
        Check(nameof(discovery.RefreshInterval), discovery.RefreshInterval, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), "1 second to 1 day");
        Check(nameof(discovery.Timeout), discovery.Timeout, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1), "positive and at most 1 minute");
        if (discovery.HoldTime != Timeout.InfiniteTimeSpan)
            Check(nameof(discovery.HoldTime), discovery.HoldTime, TimeSpan.Zero, TimeSpan.FromDays(24), "0 to 24 days, or -00:00:00.0010000 for ever");
        if (!Enum.IsDefined(discovery.AddressFamily))
            errors.Add($"{where}: Discovery.AddressFamily is {discovery.AddressFamily}; it must be {string.Join(", ", Enum.GetNames<DiscoveryAddressFamily>())}.");
        if (services.Find(discovery.Source) is { } source)
            errors.AddRange(cluster.Destinations.Select(d => Validate(source, new(cluster.ClusterId, d, discovery))).OfType<string>().Select(error => $"{where}: {error}"));
        else
            errors.Add($"{where}: Discovery.Source '{discovery.Source}' is not known{Nearest.Hint(discovery.Source, services.SourceNames)} Your own are added with AddDestinationSource.");

        void Check(string name, TimeSpan value, TimeSpan from, TimeSpan to, string allowed)
        {
            if (value < from || value > to)
                errors.Add($"{where}: Discovery.{name} is {value}; it must be {allowed}.");
        }
    }

    private static string? Validate(IDestinationSource source, DiscoveryQuery query)
    {
        try
        {
            return source.Validate(query);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return $"destination '{query.Destination.Address}': {source.Name} failed: {e.Message}";
        }
    }
}
