namespace ProxyKit;

/// <summary>How destinations are found; see <see cref="DiscoveryConfig"/>.</summary>
public sealed class DiscoveryOptions
{
    /// <inheritdoc cref="DiscoveryConfig.Source"/>
    public string Source { get; set; } = DestinationSources.Dns;

    /// <inheritdoc cref="DiscoveryConfig.RefreshInterval"/>
    public TimeSpan RefreshInterval { get; set; }

    /// <inheritdoc cref="DiscoveryConfig.Timeout"/>
    public TimeSpan Timeout { get; set; }

    /// <inheritdoc cref="DiscoveryConfig.HoldTime"/>
    public TimeSpan HoldTime { get; set; }

    /// <inheritdoc cref="DiscoveryConfig.AddressFamily"/>
    public DiscoveryAddressFamily AddressFamily { get; set; }
}
