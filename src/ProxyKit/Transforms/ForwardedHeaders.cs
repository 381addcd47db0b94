using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Forwarding;

namespace ProxyKit.Transforms;

/// <summary>X-Forwarded-For, -Host, -Proto, -Port and -Prefix.</summary>
internal sealed record XForwardedTransform(string HeaderPrefix = "X-Forwarded-") : RequestTransform
{
    public static readonly XForwardedTransform Default = new();

    /// <summary>Removes all of them.</summary>
    public static readonly XForwardedTransform None = new()
    {
        For = ForwardedHeaderAction.Remove,
        Host = ForwardedHeaderAction.Remove,
        Proto = ForwardedHeaderAction.Remove,
        Port = ForwardedHeaderAction.Remove,
        Prefix = ForwardedHeaderAction.Remove,
    };

    private readonly string _for = HeaderPrefix + "For", _host = HeaderPrefix + "Host", _proto = HeaderPrefix + "Proto",
        _port = HeaderPrefix + "Port", _prefix = HeaderPrefix + "Prefix";

    public ForwardedHeaderAction For { get; init; }

    public ForwardedHeaderAction Host { get; init; }

    public ForwardedHeaderAction Proto { get; init; }

    public ForwardedHeaderAction Port { get; init; }

    public ForwardedHeaderAction Prefix { get; init; }

    /// <summary>What the route's transforms take off the front of the path; set when they are compiled.</summary>
    public PathString RemovedPrefix { get; init; }

    public override bool Changes(string header) => header.StartsWith(HeaderPrefix, StringComparison.OrdinalIgnoreCase);

    public override void Apply(HttpContext context, PreparedRequest request)
    {
        var headers = request.Headers;
        var incoming = context.Request;

        // Only what the peer itself adds stands to the right of what it was told, so a reader that walks from the right
        // past the proxies it trusts meets the client.
        if (For is ForwardedHeaderAction.Append or ForwardedHeaderAction.Set)
        {
            var peer = PeerAddress(context.Connection.RemoteIpAddress);
            var before = For == ForwardedHeaderAction.Append && request.PeerIsTrusted ? headers.Get(_for) : default;
            var value = before.Count == 0 ? peer : peer is null ? before.ToString() : $"{string.Join(", ", before.ToArray())}, {peer}";
            if (value is not null)
                headers.Set(_for, value);
            else
                headers.Remove(_for);
        }
        else
            Leave(request, For, _for);

        Put(request, Host, _host, HostParts.Of(incoming.Host).Text);
        Put(request, Proto, _proto, incoming.Scheme);
        // A trusted peer may have named the host and the scheme without the port.
        var host = HostParts.Of(headers.Get(_host) is { Count: > 0 } told ? new(told.ToString()) : incoming.Host);
        var isHttps = headers.Get(_proto) is { Count: > 0 } proto ? proto.ToString().Equals("https", StringComparison.OrdinalIgnoreCase) : incoming.IsHttps;
        Put(request, Port, _port, host.Port ?? (isHttps ? "443" : "80"));

        // What an outer proxy, this app and this route each took off the front of the path.
        var taken = incoming.Path.StartsWithSegments(RemovedPrefix) ? incoming.PathBase.Add(RemovedPrefix) : incoming.PathBase;
        var pathBase = taken.HasValue ? taken.ToUriComponent() : null;
        if (Prefix == ForwardedHeaderAction.Append && request.PeerIsTrusted && headers.Get(_prefix) is { Count: > 0 } outer)
            headers.Set(_prefix, outer.ToString().TrimEnd('/') + pathBase);
        else
            Put(request, Prefix, _prefix, pathBase);
    }

    private static void Put(PreparedRequest request, ForwardedHeaderAction action, string name, string? value)
    {
        switch (action)
        {
            case ForwardedHeaderAction.Append when request.PeerIsTrusted && request.Headers.Get(name).Count > 0:
                break; // the outermost proxy knows best what the client asked for
            case ForwardedHeaderAction.Append or ForwardedHeaderAction.Set when value is not null:
                request.Headers.Set(name, value);
                break;
            default:
                Leave(request, action, name);
                break;
        }
    }

    // Under another prefix than X-Forwarded- a stranger's has not been dropped yet.
    private static void Leave(PreparedRequest request, ForwardedHeaderAction action, string name)
    {
        if (action is ForwardedHeaderAction.Remove or ForwardedHeaderAction.Set || !request.PeerIsTrusted)
            request.Headers.Remove(name);
    }

    internal static string? PeerAddress(IPAddress? address) =>
        address is { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: true } ? address.MapToIPv4().ToString() : address?.ToString();

    // Taken apart once: most requests name the same few hosts.
    private sealed class HostParts(HostString host)
    {
        private static readonly HostParts?[] s_known = new HostParts?[64];

        private readonly string? _value = host.Value;

        public static HostParts Of(HostString host)
        {
            var value = host.Value;
            ref var slot = ref s_known[value is { Length: > 0 } ? ((value.Length * 7) + value[0] + (value[^1] * 3)) & (s_known.Length - 1) : 0];
            if (slot is { } known && known._value == value)
                return known;
            var parts = new HostParts(host);
            if (value is null or { Length: <= 256 })
                slot = parts;
            return parts;
        }

        public string? Text { get; } = host.HasValue ? host.ToUriComponent() : null;

        public string? Port { get; } = host.Port?.ToString(CultureInfo.InvariantCulture);
    }
}

/// <summary>Forwarded (RFC 7239).</summary>
internal sealed record ForwardedTransform : RequestTransform
{
    public ForwardedHeaderAction Action { get; init; }

    public ForwardedNodeFormat For { get; init; }

    public ForwardedNodeFormat By { get; init; }

    public bool Host { get; init; }

    public bool Proto { get; init; }

    public override bool Changes(string header) => header.Equals("Forwarded", StringComparison.OrdinalIgnoreCase);

    public override void Apply(HttpContext context, PreparedRequest request)
    {
        if (Action is ForwardedHeaderAction.Off)
            return;
        if (Action is ForwardedHeaderAction.Remove)
        {
            request.Headers.Remove("Forwarded");
            return;
        }

        var connection = context.Connection;
        var parts = new List<string>(4);
        if (Node(For, connection.RemoteIpAddress, connection.RemotePort) is { } client)
            parts.Add($"for={client}");
        if (Node(By, connection.LocalIpAddress, connection.LocalPort) is { } self)
            parts.Add($"by={self}");
        if (Proto)
            parts.Add($"proto={context.Request.Scheme}");
        if (Host && context.Request.Host.HasValue)
            parts.Add($"host={Quote(context.Request.Host.ToUriComponent())}");

        var element = string.Join(';', parts);
        var before = Action == ForwardedHeaderAction.Append && request.PeerIsTrusted ? request.Headers.Get("Forwarded") : default;
        request.Headers.Set("Forwarded", before.Count == 0 ? element : new StringValues($"{string.Join(", ", before.ToArray())}, {element}"));
    }

    private static string? Node(ForwardedNodeFormat format, IPAddress? address, int port)
    {
        var name = format switch
        {
            ForwardedNodeFormat.None => null,
            ForwardedNodeFormat.Random or ForwardedNodeFormat.RandomAndPort or ForwardedNodeFormat.RandomAndRandomPort => Obfuscated(),
            ForwardedNodeFormat.Ip or ForwardedNodeFormat.IpAndPort or ForwardedNodeFormat.IpAndRandomPort when address is not null =>
                XForwardedTransform.PeerAddress(address) is { } text && text.Contains(':', StringComparison.Ordinal) ? $"[{text}]" : XForwardedTransform.PeerAddress(address),
            _ => "unknown",
        };
        if (name is null)
            return null;
        return format switch
        {
            ForwardedNodeFormat.RandomAndPort or ForwardedNodeFormat.UnknownAndPort or ForwardedNodeFormat.IpAndPort when port > 0 =>
                Quote($"{name}:{port.ToString(CultureInfo.InvariantCulture)}"),
            ForwardedNodeFormat.RandomAndRandomPort or ForwardedNodeFormat.UnknownAndRandomPort or ForwardedNodeFormat.IpAndRandomPort =>
                Quote($"{name}:{Obfuscated()}"),
            _ => Quote(name),
        };
    }

    // RFC 7239 §6.3: an underscore and a token of letters and digits.
    private static string Obfuscated() => "_" + Random.Shared.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 9);

    // RFC 7239 §4: what is no token, such as an IPv6 address or a port, is quoted.
    private static string Quote(string value) => value.AsSpan().ContainsAny(":[]") ? $"\"{value}\"" : value;
}
