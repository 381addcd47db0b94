namespace ProxyKit.Discovery;

/// <summary>Configured destinations with real ones in their place.</summary>
internal sealed class ResolvedConfig
{
    private readonly List<DestinationConfig> _destinations = [];
    private readonly HashSet<string> _names = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<(string, string?)> _targets = [];

    public ValueList<DestinationConfig> Destinations => _destinations.ToValueList();

    public void Add(DestinationConfig configured, ResolvedDestination resolved)
    {
        var host = configured.Host ?? resolved.Host;
        // Two names may lead to one address, each with its own Host; with the same it is the same server once more.
        if (!_targets.Add((resolved.Address.ToUpperInvariant(), host?.ToUpperInvariant())))
            return;
        _destinations.Add(configured with
        {
            Name = Unique(resolved.Name ?? NameOf(configured, resolved)),
            Address = resolved.Address,
            Host = host,
            Health = configured.Health is null ? null : HealthOf(configured, resolved),
            Weight = configured.Weight == 0 ? 0 : resolved.Weight ?? configured.Weight,
            Backup = configured.Backup || resolved.Backup,
            Metadata = resolved.Metadata.Count == 0 ? configured.Metadata : new([.. configured.Metadata.Where(m => !resolved.Metadata.ContainsKey(m.Key)), .. resolved.Metadata]),
        });
    }

    private static string NameOf(DestinationConfig configured, ResolvedDestination resolved)
    {
        var name = configured.Name ?? configured.Address;
        if (resolved.Address == configured.Address)
            return name;
        var target = DestinationAddress.Parse(resolved.Address);
        // The port only where it tells something.
        var same = DestinationAddress.TryParse(configured.Address, out var original) && original.HostAndPort.Port == target.HostAndPort.Port;
        return $"{name} ({target.UnixSocketPath ?? (same ? target.HostAndPort.Host : target.Authority)})";
    }

    // Where the configured address is asked at a port of its own, so is the real one.
    private static string HealthOf(DestinationConfig configured, ResolvedDestination resolved)
    {
        var target = DestinationAddress.Parse(resolved.Address);
        return target.UnixSocketPath is null && Uri.TryCreate(configured.Health, UriKind.Absolute, out var health)
            && Uri.TryCreate(configured.Address, UriKind.Absolute, out var address) && health.Host.Equals(address.Host, StringComparison.OrdinalIgnoreCase)
            ? $"{health.Scheme}://{target.HostAndPort.Host}:{health.Port}{health.AbsolutePath.TrimEnd('/')}" : configured.Health!;
    }

    private string Unique(string name)
    {
        var unique = name;
        for (var i = 2; !_names.Add(unique); i++)
            unique = $"{name} #{i}";
        return unique;
    }
}
