using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace ProxyKit;

/// <summary>A destination's address, taken apart once: a request's URI is <see cref="Prefix"/> + path + query.</summary>
/// <param name="IsHttps">Whether TLS is spoken.</param>
/// <param name="IsFastCgi">Whether FastCGI is spoken, not HTTP.</param>
/// <param name="Authority">Host and port, as they stand in request URIs. For a Unix socket a made-up host.</param>
/// <param name="BasePath">The path in front of each request's path, without a slash at its end.</param>
/// <param name="UnixSocketPath">The socket's path.</param>
internal sealed record DestinationAddress(bool IsHttps, bool IsFastCgi, string Authority, string BasePath, string? UnixSocketPath)
{
    public const string Allowed = "http://host[:port][/base], https://host[:port][/base], http://unix:/path/to/socket[:/base], fastcgi://host[:port] or fastcgi://unix:/path/to/socket";

    /// <summary>Where php-fpm listens unless it is told otherwise.</summary>
    private const int FastCgiPort = 9000;

    /// <summary>Scheme and authority and base path. What goes to a FastCGI application is an HTTP request until <see cref="FastCgiHandler"/> has it.</summary>
    public string Prefix { get; } = $"{(IsHttps ? "https" : "http")}://{Authority}{BasePath}";

    /// <summary>What goes into the Host header when nothing else is configured.</summary>
    public string Host => UnixSocketPath is null ? Authority : "localhost";

    public (string Host, int Port) HostAndPort
    {
        get
        {
            var colon = Authority.LastIndexOf(':');
            return colon > Authority.LastIndexOf(']')
                ? (Authority[..colon], int.Parse(Authority.AsSpan(colon + 1), System.Globalization.CultureInfo.InvariantCulture))
                : (Authority, IsHttps ? 443 : 80);
        }
    }

    /// <summary>An address that validation has let pass.</summary>
    public static DestinationAddress Parse(string address) =>
        TryParse(address, out var result) ? result : throw new FormatException($"'{address}' is not a destination address. Allowed are {Allowed}.");

    public static bool TryParse(string? address, [NotNullWhen(true)] out DestinationAddress? result)
    {
        result = null;
        if (address is null || address.AsSpan().ContainsAny(s_controls))
            return false;

        var https = address.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
        var fastCgi = address.StartsWith("fastcgi://", StringComparison.OrdinalIgnoreCase);
        if (!https && !fastCgi && !address.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
            return false;

        var rest = address[(fastCgi ? 10 : https ? 8 : 7)..];
        if (rest.StartsWith("unix:/", StringComparison.OrdinalIgnoreCase))
        {
            // As Kestrel writes it: http://unix:/run/app.sock, and a base path after a further colon.
            var socket = rest[5..];
            var colon = socket.IndexOf(':', StringComparison.Ordinal);
            var basePath = colon < 0 ? "" : socket[(colon + 1)..];
            if (colon >= 0)
                socket = socket[..colon];
            if (socket.Length < 2 || (basePath.Length > 0 && basePath[0] != '/') || basePath.AsSpan().ContainsAny('?', '#') || (fastCgi && colon >= 0))
                return false;
            // One connection pool for each socket path: pools are kept apart by host.
            var host = "unix-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(socket)).AsSpan(0, 8));
            result = new(https, fastCgi, host, basePath.TrimEnd('/'), socket);
            return true;
        }

        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Host.Length == 0 || uri.UserInfo.Length > 0
            || uri.Query.Length > 0 || uri.Fragment.Length > 0 || uri.Port == 0
            || (fastCgi && uri.AbsolutePath != "/"))
            return false;

        var authority = uri.HostNameType == UriHostNameType.Dns ? uri.IdnHost : uri.Host;
        result = new(https, fastCgi, uri.IsDefaultPort ? fastCgi ? $"{authority}:{FastCgiPort}" : authority : $"{authority}:{uri.Port}", uri.AbsolutePath.TrimEnd('/'), null);
        return true;
    }

    /// <summary>By its scheme, whether or not the rest is in order.</summary>
    public static bool SpeaksFastCgi(string address) => address.StartsWith("fastcgi:", StringComparison.OrdinalIgnoreCase);

    /// <summary>What may have been meant by an address without a scheme: <c>unix:/run/app.sock</c> as in nginx, <c>unix//run/app.sock</c> as in Caddy, a socket's path.</summary>
    public static string Suggest(string address, bool isFastCgi)
    {
        // A scheme that lacks its colon or a slash.
        foreach (var scheme in (string[])["https", "http", "fastcgi"])
        {
            if (address.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) && address.AsSpan(scheme.Length).TrimStart(':').StartsWith("/"))
                return $"{scheme}://{address.AsSpan(scheme.Length).TrimStart(':').TrimStart('/')}";
        }
        return $"{(isFastCgi ? "fastcgi" : "http")}://{(address.StartsWith("unix//", StringComparison.OrdinalIgnoreCase) ? $"unix:{address[5..]}" : address[0] == '/' ? $"unix:{address}" : address)}";
    }

    private static readonly System.Buffers.SearchValues<char> s_controls =
        System.Buffers.SearchValues.Create([.. Enumerable.Range(0, 33).Select(c => (char)c), '\u007f']);
}
