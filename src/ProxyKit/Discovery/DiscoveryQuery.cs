using System.Net;
using System.Net.Sockets;

namespace ProxyKit;

/// <summary>A configured destination whose real ones are asked for.</summary>
/// <param name="ClusterId">Its cluster.</param>
/// <param name="Destination">The destination, as configured.</param>
/// <param name="Discovery">The cluster's settings.</param>
public sealed record DiscoveryQuery(string ClusterId, DestinationConfig Destination, DiscoveryConfig Discovery)
{
    /// <summary>The host of the configured address, without its port: what there is to look up.</summary>
    public string Host => Address.Host;

    /// <summary>The host of the configured address, with its port unless that is the scheme's own: what a <c>Host</c> header would say.</summary>
    public string Authority => Address.Authority;

    /// <summary>The configured address at another host: scheme, port and base path stay.</summary>
    /// <param name="host">A name or an IP address; IPv6 with brackets or without.</param>
    public string AddressAt(string host) => Address.IsDefaultPort || Address.Port < 0 ? At(Bracketed(host)) : AddressAt(host, Address.Port);

    /// <summary>The configured address at another host and port: scheme and base path stay.</summary>
    /// <param name="host">A name or an IP address; IPv6 with brackets or without.</param>
    /// <param name="port">1 to 65535.</param>
    public string AddressAt(string host, int port) => At($"{Bracketed(host)}:{port}");

    /// <summary>Those of a host's IP addresses that are to become destinations, by <see cref="DiscoveryConfig.AddressFamily"/>.</summary>
    public IEnumerable<IPAddress> Wanted(IEnumerable<IPAddress> addresses)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        var v4 = addresses.Where(a => a.AddressFamily == AddressFamily.InterNetwork);
        // A link-local address is of no use without the interface, which no URL can name.
        var v6 = addresses.Where(a => a is { AddressFamily: AddressFamily.InterNetworkV6, IsIPv6LinkLocal: false });
        return Discovery.AddressFamily switch
        {
            DiscoveryAddressFamily.IPv4 => v4,
            DiscoveryAddressFamily.IPv6 => v6,
            DiscoveryAddressFamily.PreferIPv4 => v4.Any() ? v4 : v6,
            DiscoveryAddressFamily.PreferIPv6 => v6.Any() ? v6 : v4,
            _ => v4.Concat(v6),
        };
    }

    private Uri Address => new(Destination.Address);

    private string At(string authority) => $"{Address.Scheme}://{authority}{Address.AbsolutePath.TrimEnd('/')}";

    private static string Bracketed(string host)
    {
        ArgumentException.ThrowIfNullOrEmpty(host);
        return host.Contains(':', StringComparison.Ordinal) && host[0] != '[' ? $"[{host}]" : host;
    }
}
