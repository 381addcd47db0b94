using Microsoft.AspNetCore.Http;
using ProxyKit.Transforms;

namespace ProxyKit.Forwarding;

/// <summary>The address by which the client reaches the route, as the upstream was told it: what goes back to the client must agree with it.</summary>
internal readonly struct PublicAddress(HttpRequest request, PreparedRequest? sent, RouteTransforms transforms)
{
    public string Scheme => (Told("X-Forwarded-Proto") ?? Forwarded("proto")) is { } told && (told.Equals("https", StringComparison.OrdinalIgnoreCase) || told.Equals("http", StringComparison.OrdinalIgnoreCase))
        ? told.ToLowerInvariant()
        : request.Scheme;

    /// <summary>Host and port; null if the client named none.</summary>
    public string? Host => (Told("X-Forwarded-Host") ?? Forwarded("host")) is { } told && Configuration.ClusterValidator.IsHost(told) ? told : (request.Host.HasValue ? request.Host.ToUriComponent() : null);

    /// <summary>What the app and the route take off the front of the path.</summary>
    public string Prefix => request.PathBase.ToUriComponent() + transforms.RemovedPrefix;

    /// <summary>The prefix that the upstream was told of. With a proxy in front it begins with what that one takes off.</summary>
    public string? ToldPrefix => Told("X-Forwarded-Prefix")?.TrimEnd('/');

    public bool IsHost(ReadOnlySpan<char> authority, bool isHttps) =>
        Host is { } host && WithoutDefaultPort(authority, isHttps).Equals(WithoutDefaultPort(host, isHttps), StringComparison.OrdinalIgnoreCase);

    public static ReadOnlySpan<char> WithoutDefaultPort(ReadOnlySpan<char> authority, bool isHttps)
    {
        var port = isHttps ? ":443" : ":80";
        return authority.EndsWith(port) ? authority[..^port.Length] : authority;
    }

    // The first of several comes from the proxy that the client spoke to.
    private string? Told(string name)
    {
        if (sent?.Headers.Get(name) is not { Count: > 0 } value)
            return null;
        var text = value[0] ?? "";
        var comma = text.IndexOf(',', StringComparison.Ordinal);
        text = (comma < 0 ? text : text[..comma]).Trim();
        return text.Length == 0 ? null : text;
    }

    // RFC 7239 §4: for=192.0.2.1;proto=https;host="public.example:8443"
    private string? Forwarded(string parameter)
    {
        foreach (var pair in Told("Forwarded")?.Split(';') ?? [])
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0 && pair.AsSpan(0, equals).Trim().Equals(parameter, StringComparison.OrdinalIgnoreCase))
                return pair[(equals + 1)..].Trim().Trim('"');
        }
        return null;
    }
}
