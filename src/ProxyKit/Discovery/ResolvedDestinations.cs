using Microsoft.Extensions.Primitives;

namespace ProxyKit;

/// <summary>A source's answer.</summary>
/// <param name="Destinations">The real destinations; none if there are none.</param>
public sealed record ResolvedDestinations(ValueList<ResolvedDestination> Destinations)
{
    /// <summary>
    /// When to ask again, at least 1 second; a tenth more or less, so that not all ask at once. Infinite: only when <see cref="ChangeToken"/> has fired.
    /// Default: null, which is <see cref="DiscoveryConfig.RefreshInterval"/>.
    /// </summary>
    public TimeSpan? RefreshAfter { get; init; }

    /// <summary>Fires when there is something newer: the source is asked again at once. Default: null.</summary>
    public IChangeToken? ChangeToken { get; init; }
}

/// <summary>A real destination. What is not given here is as it is configured: weight, limits, metadata.</summary>
/// <param name="Address">Where to connect to, in the form of <see cref="DestinationConfig.Address"/>.</param>
public sealed record ResolvedDestination(string Address)
{
    /// <summary>Its name, unique in the cluster. Default: that of the configured destination, and in brackets where it is: <c>web (10.0.0.7)</c>.</summary>
    public string? Name { get; init; }

    /// <summary>The <c>Host</c> header and the TLS server name, unless one is configured. Default: the address's host.</summary>
    public string? Host { get; init; }

    /// <summary>
    /// Its share of the requests, 0 to 1,000, in the place of the configured one. A configured weight of 0 stays 0: it says that the name takes no requests.
    /// Default: the configured weight.
    /// </summary>
    public int? Weight { get; init; }

    /// <summary>Whether it is used only while no other destination is available, also where the configured one is none of the backups. Default: false.</summary>
    public bool Backup { get; init; }

    /// <summary>Data on the destination, added to the configured one's. Default: none.</summary>
    public ValueMap Metadata { get; init; } = ValueMap.Empty;
}
