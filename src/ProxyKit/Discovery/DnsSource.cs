using System.Net;

namespace ProxyKit.Discovery;

/// <summary>A destination for each address that a name has in DNS. The name stays in <c>Host</c> and in the TLS handshake.</summary>
internal sealed class DnsSource(DnsLookup dns) : IDestinationSource
{
    public string Name => DestinationSources.Dns;

    public async ValueTask<ResolvedDestinations> ResolveAsync(DiscoveryQuery query, CancellationToken cancellationToken)
    {
        var target = DestinationAddress.Parse(query.Destination.Address);
        if (target.UnixSocketPath is not null || IPAddress.TryParse(query.Host.Trim('[', ']'), out _)
            || await dns.LookUpAsync(query.Host, cancellationToken) is not { } addresses)
            return new([new(query.Destination.Address)]) { RefreshAfter = Timeout.InfiniteTimeSpan };

        // The dot at the end keeps the resolver from trying search domains; it is no part of the host's name (RFC 6066 §3).
        var host = query.Host.EndsWith('.') ? target.Authority.Replace(query.Host, query.Host[..^1], StringComparison.OrdinalIgnoreCase) : target.Authority;
        // DNS servers shuffle their answers, and the order must not make a difference.
        return new(query.Wanted(addresses)
            .Select(address => address.ToString()).Distinct().Order(StringComparer.Ordinal)
            .Select(address => new ResolvedDestination(query.AddressAt(address)) { Host = host }).ToValueList());
    }
}
