using System.Net;
using System.Net.Sockets;

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
        return new(Select(addresses, query.Discovery.AddressFamily)
            .Select(address => address.ToString()).Distinct().Order(StringComparer.Ordinal)
            .Select(address => new ResolvedDestination(query.AddressAt(address)) { Host = host }).ToValueList());
    }

    private static IEnumerable<IPAddress> Select(IPAddress[] addresses, DiscoveryAddressFamily family)
    {
        var v4 = addresses.Where(a => a.AddressFamily == AddressFamily.InterNetwork);
        // A link-local address is of no use without the interface, which no URL can name.
        var v6 = addresses.Where(a => a is { AddressFamily: AddressFamily.InterNetworkV6, IsIPv6LinkLocal: false });
        return family switch
        {
            DiscoveryAddressFamily.IPv4 => v4,
            DiscoveryAddressFamily.IPv6 => v6,
            DiscoveryAddressFamily.PreferIPv4 => v4.Any() ? v4 : v6,
            DiscoveryAddressFamily.PreferIPv6 => v6.Any() ? v6 : v4,
            _ => v4.Concat(v6),
        };
    }
}
