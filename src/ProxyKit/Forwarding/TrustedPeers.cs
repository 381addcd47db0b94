using System.Diagnostics.CodeAnalysis;
using System.Net;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Forwarding;

/// <summary>The peers whose forwarding headers are believed.</summary>
internal sealed class TrustedPeers
{
    public const string Unix = "unix";
    public const string Allowed = "an IP address (10.0.0.7), a network (10.0.0.0/8) or unix";

    private readonly IPNetwork[] _networks;
    private readonly bool _unix;

    public TrustedPeers(IEnumerable<string> entries)
    {
        _unix = entries.Contains(Unix, StringComparer.OrdinalIgnoreCase);
        _networks = [.. entries.Select(entry => TryParse(entry, out var network) ? network : null).OfType<IPNetwork>()];
    }

    public bool Contains(ConnectionInfo connection)
    {
        if (_networks.Length == 0 && !_unix)
            return false;
        return connection.RemoteIpAddress is { } address ? Contains(address) : _unix;
    }

    public bool Contains(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        foreach (var network in _networks)
        {
            if (network.Contains(address))
                return true;
        }
        return false;
    }

    public static bool TryParse(string entry, [NotNullWhen(true)] out IPNetwork? network)
    {
        network = null;
        if (IPAddress.TryParse(entry, out var address))
            network = new IPNetwork(address, address.GetAddressBytes().Length * 8);
        else if (IPNetwork.TryParse(entry, out var parsed))
            network = parsed;
        return network is not null;
    }
}
