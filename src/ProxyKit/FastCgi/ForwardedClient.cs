using System.Net;
using Microsoft.AspNetCore.Http;
using ProxyKit.Configuration;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>What trusted proxies in front say of the client. What they do not say, or say in a way that is not understood, is null.</summary>
internal readonly record struct ForwardedClient(IPEndPoint? Address, bool? IsHttps, HostString Host, int? Port)
{
    /// <summary>Reads the fields of a request whose peer is trusted. Of the two families <c>X-Forwarded-*</c> goes first.</summary>
    public static ForwardedClient Read(IHeaderDictionary headers, TrustedPeers trusted)
    {
        var forwarded = headers["X-Forwarded-For"].Count == 0 && headers["X-Forwarded-Proto"].Count == 0 && headers["X-Forwarded-Host"].Count == 0 ? headers["Forwarded"] : default;
        if (forwarded.Count > 0)
        {
            var elements = ForwardedField.Parse(forwarded.ToString());
            var hop = Client(elements.Select(e => e.For).Reverse(), trusted, out var client);
            var told = elements.Count == 0 ? default : elements[^(hop + 1)];
            return new(client, IsHttpsScheme(told.Proto), HostOf(told.Host), null);
        }
        var at = Client(FromRight(headers["X-Forwarded-For"].ToString()), trusted, out var address);
        return new(address, IsHttpsScheme(At(headers["X-Forwarded-Proto"].ToString(), at)), HostOf(At(headers["X-Forwarded-Host"].ToString(), at)),
            ushort.TryParse(At(headers["X-Forwarded-Port"].ToString(), at), out var port) && port > 0 ? port : null);
    }

    // Each proxy adds its own peer on the right: the first that is not one of ours is the client. How many steps that is tells whose words the other fields hold.
    private static int Client(IEnumerable<string?> fromRight, TrustedPeers trusted, out IPEndPoint? client)
    {
        var (hop, at) = (0, 0);
        client = null;
        foreach (var node in fromRight)
        {
            if (!TryParse(node, out var address))
                break; // "unknown", or a made-up name: who has written it is the last that is known
            (client, at) = (address, hop++);
            if (!trusted.Contains(address.Address))
                break;
        }
        return at;
    }

    private static IEnumerable<string> FromRight(string list) =>
        list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Reverse();

    // A list that is shorter was not added to by all.
    private static string? At(string list, int fromRight)
    {
        var items = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return items.Length == 0 ? null : items[Math.Max(0, items.Length - 1 - fromRight)];
    }

    private static bool? IsHttpsScheme(string? scheme) =>
        "https".Equals(scheme, StringComparison.OrdinalIgnoreCase) ? true : "http".Equals(scheme, StringComparison.OrdinalIgnoreCase) ? false : null;

    private static HostString HostOf(string? host) => host is not null && ClusterValidator.IsHost(host) ? new(host) : default;

    private static bool TryParse(string? node, out IPEndPoint address)
    {
        // A number alone, or two, would be an address as well for the parser.
        if (node is null || !IPEndPoint.TryParse(node, out address!) || (!node.Contains(':', StringComparison.Ordinal) && node.AsSpan().Count('.') != 3))
        {
            address = null!;
            return false;
        }
        if (address.Address.IsIPv4MappedToIPv6)
            address.Address = address.Address.MapToIPv4();
        return true;
    }
}
