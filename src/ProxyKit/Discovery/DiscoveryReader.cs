using ProxyKit.Configuration;

namespace ProxyKit.Discovery;

/// <summary>A cluster's <c>Discovery</c> in JSON.</summary>
internal static class DiscoveryReader
{
    public static DiscoveryConfig Read(SectionReader discovery)
    {
        var defaults = new DiscoveryConfig();
        return new()
        {
            Source = discovery.Text("Source") ?? defaults.Source,
            RefreshInterval = discovery.Time("RefreshInterval") ?? defaults.RefreshInterval,
            Timeout = discovery.Time("Timeout") ?? defaults.Timeout,
            HoldTime = discovery.Time("HoldTime") ?? defaults.HoldTime,
            AddressFamily = discovery.Enum<DiscoveryAddressFamily>("AddressFamily") ?? defaults.AddressFamily,
        };
    }
}
