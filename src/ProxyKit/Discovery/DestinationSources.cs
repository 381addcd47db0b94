namespace ProxyKit;

/// <summary>The names of the destination sources that ProxyKit brings; see <see cref="DiscoveryConfig.Source"/>. Packages of its own add more.</summary>
public static class DestinationSources
{
    /// <summary>A and AAAA records, by way of the system's resolver. The default.</summary>
    public const string Dns = nameof(Dns);
}
