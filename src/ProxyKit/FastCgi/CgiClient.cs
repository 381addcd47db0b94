using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>Who asks, and what for a server: by the connection, or by what a trusted proxy says.</summary>
/// <param name="Address">The client's address; <c>unix:</c> for a Unix socket, which has none.</param>
/// <param name="Port">The client's port, if it is known.</param>
/// <param name="IsHttps">Whether the client speaks TLS.</param>
/// <param name="Host">What the client called the server, with the port if it named one. Empty if it did not.</param>
/// <param name="ServerName">That without the port.</param>
/// <param name="ServerPort">Where the client has connected to.</param>
internal readonly record struct CgiClient(string Address, string? Port, bool IsHttps, string Host, string ServerName, string ServerPort)
{
    public static CgiClient Of(HttpContext context, bool peerIsTrusted, TrustedPeers trusted)
    {
        var (request, connection) = (context.Request, context.Connection);
        var told = peerIsTrusted ? ForwardedClient.Read(request.Headers, trusted) : default;
        var host = told.Host.HasValue ? told.Host : request.Host;
        var isHttps = told.IsHttps ?? request.IsHttps;
        var name = host.HasValue ? new HostString(host.ToUriComponent()).Host : Name(connection.LocalIpAddress);

        // Behind TLS that somebody else has taken off, our own port is not the client's.
        var isOwnPort = told is { IsHttps: null, Port: null, Host.HasValue: false } && connection.LocalPort > 0 && !(isHttps && context.Features.Get<ITlsConnectionFeature>() is null);
        var port = isOwnPort ? connection.LocalPort : told.Port ?? host.Port ?? (isHttps ? 443 : 80);

        return told.Address is { } client
            ? new(Text(client.Address)!, client.Port > 0 ? Text(client.Port) : null, isHttps, host.ToUriComponent(), name, Text(port))
            : new(Text(connection.RemoteIpAddress) ?? "unix:", connection.RemotePort > 0 ? Text(connection.RemotePort) : null, isHttps, host.ToUriComponent(), name, Text(port));
    }

    /// <summary>An address as CGI has it: IPv4 as such, IPv6 without a zone.</summary>
    public static string? Text(IPAddress? address) => address switch
    {
        null => null,
        { IsIPv4MappedToIPv6: true } => address.MapToIPv4().ToString(),
        { AddressFamily: AddressFamily.InterNetworkV6, ScopeId: not 0 } => new IPAddress(address.GetAddressBytes()).ToString(),
        _ => address.ToString(),
    };

    private static string Name(IPAddress? address) =>
        Text(address) is not { } text ? "localhost" : text.Contains(':', StringComparison.Ordinal) ? $"[{text}]" : text;

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);
}
