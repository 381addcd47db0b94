namespace ProxyKit;

/// <summary>
/// Knows the real destinations behind a configured one: DNS, a service registry. Known by its name; register your own with
/// <c>AddReverseProxy().AddDestinationSource&lt;T&gt;()</c>. ProxyKit's are registered the same way, and one of the same name takes their place.
/// </summary>
public interface IDestinationSource
{
    /// <summary>The name that <see cref="DiscoveryConfig.Source"/> refers to, without regard to case.</summary>
    string Name { get; }

    /// <summary>
    /// What is wrong with a configured destination, for the error at start-up; null if nothing is. By default its address has to be one that could be connected to.
    /// </summary>
    string? Validate(DiscoveryQuery query)
    {
        ArgumentNullException.ThrowIfNull(query);
        return DestinationAddress.TryParse(query.Destination.Address, out _)
            ? null : $"'{query.Destination.Address}' is not a destination address. Allowed are {DestinationAddress.Allowed}.";
    }

    /// <summary>
    /// The real destinations. Called beside the requests, for one configured destination at a time, for several at once: at start-up, when the answer is
    /// <see cref="ResolvedDestinations.RefreshAfter"/> old, and when its <see cref="ResolvedDestinations.ChangeToken"/> has fired.
    /// </summary>
    /// <param name="query">What is asked for.</param>
    /// <param name="cancellationToken">Fires when <see cref="DiscoveryConfig.Timeout"/> is up, or nobody wants to know any more.</param>
    /// <remarks>
    /// No destinations is an answer: there are none, and <see cref="DiscoveryConfig.HoldTime"/> later none are used. An exception is none: those that are known stay.
    /// </remarks>
    ValueTask<ResolvedDestinations> ResolveAsync(DiscoveryQuery query, CancellationToken cancellationToken);
}
