using System.Net;

namespace ProxyKit.Diagnostics;

/// <summary>Who can reach an address, as far as the address tells.</summary>
internal static class AddressScope
{
    // Loopback, RFC 1918, RFC 6598 (behind a carrier's NAT), link-local; RFC 4193, link-local.
    private static readonly IPNetwork[] s_private =
        [.. new[] { "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10" }.Select(IPNetwork.Parse)];

    /// <summary>Whether it is an IP address that strangers may reach. Of a name nobody can tell, unless it has been resolved.</summary>
    public static bool IsPublic(DestinationAddress address) =>
        address.UnixSocketPath is null && IPAddress.TryParse(address.HostAndPort.Host.Trim('[', ']'), out var ip) && !IsPrivate(ip);

    /// <summary>The machine that an address is on: what is local is on this one.</summary>
    public static string Machine(DestinationAddress address) =>
        address.UnixSocketPath is not null || IsLocal(address.HostAndPort.Host) ? "localhost" : address.HostAndPort.Host;

    /// <summary>Whether a server that listens at this URL can be reached from other machines.</summary>
    public static bool IsReachable(string url)
    {
        var host = url.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? url[7..] : "unix:";
        if (host.StartsWith("unix:", StringComparison.OrdinalIgnoreCase) || host.StartsWith("pipe:", StringComparison.OrdinalIgnoreCase))
            return false;
        host = host.TrimEnd('/');
        var colon = host.LastIndexOf(':');
        return !IsLocal(colon > host.LastIndexOf(']') ? host[..colon] : host);
    }

    private static bool IsLocal(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));

    private static bool IsPrivate(IPAddress ip)
    {
        if (ip.IsIPv4MappedToIPv6)
            ip = ip.MapToIPv4();
        return Array.Exists(s_private, network => network.BaseAddress.AddressFamily == ip.AddressFamily && network.Contains(ip));
    }
}
