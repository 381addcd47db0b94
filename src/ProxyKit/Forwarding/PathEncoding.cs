using System.Buffers;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Forwarding;

/// <summary>
/// Which bytes of the path are sent on. The raw path is sent only if it says the same as the path that routing and authorization saw
/// (otherwise <c>/public/%2e%2e/admin</c> would be routed as one thing and forwarded as another).
/// </summary>
internal static class PathEncoding
{
    // RFC 3986 §3.3: pchar = unreserved / pct-encoded / sub-delims / ":" / "@"
    private static readonly SearchValues<char> s_pathChars =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/");

    /// <summary>The raw path (no query) of an origin-form target, or null if the target has another form.</summary>
    public static string? RawPath(string rawTarget)
    {
        if (rawTarget.Length == 0 || rawTarget[0] != '/')
            return null;
        var query = rawTarget.IndexOf('?', StringComparison.Ordinal);
        return query < 0 ? rawTarget : rawTarget[..query];
    }

    /// <summary>The path to send, without the path base.</summary>
    public static string Select(HttpRequest request, string? rawPath, PathForwarding forwarding)
    {
        var path = request.Path.Value ?? "";
        var pathBase = request.PathBase.Value ?? "";
        if (rawPath is not null)
        {
            if (forwarding == PathForwarding.Raw && WithoutBase(rawPath, pathBase) is { } rest && SaysTheSame(rest, path))
                return rest.Length == 0 ? "/" : rest;
            if (WithoutBase(Canonical(rawPath), pathBase) is { Length: > 0 } canonical && SameButForHexCase(PathString.FromUriComponent(canonical).Value!, path))
                return canonical;
        }
        return Encode(path);
    }

    /// <summary>What follows a base (decoded) in a path (encoded), byte for byte; null if it does not begin with it. Case does not count.</summary>
    public static string? WithoutBase(string rawPath, string pathBase)
    {
        if (pathBase.Length == 0)
            return rawPath;
        if (rawPath.StartsWith(pathBase, StringComparison.OrdinalIgnoreCase) && (rawPath.Length == pathBase.Length || rawPath[pathBase.Length] == '/'))
            return rawPath[pathBase.Length..];
        // It may be encoded, in any way: as many segments are decoded as the base has.
        if (!rawPath.Contains('%', StringComparison.Ordinal))
            return null;
        var end = 0;
        for (var segments = pathBase.AsSpan().Count('/'); segments > 0 && end >= 0; segments--)
            end = rawPath.IndexOf('/', end + 1);
        end = end < 0 ? rawPath.Length : end;
        return string.Equals(PathString.FromUriComponent(rawPath[..end]).Value, pathBase, StringComparison.OrdinalIgnoreCase) ? rawPath[end..] : null;
    }

    private static bool SaysTheSame(string raw, string path)
    {
        if (raw.Contains('\\', StringComparison.Ordinal))
            return false;
        if (ReferenceEquals(raw, path))
            return true; // Kestrel found nothing to decode or resolve
        // The decoding that servers do: %2F stays, what is not UTF-8 stays. Dot segments in raw are resolved in path, so they differ.
        var decoded = raw.Contains('%', StringComparison.Ordinal) ? PathString.FromUriComponent(raw).Value! : raw;
        return decoded == path && !decoded.Contains('\\', StringComparison.Ordinal) && !HasDotSegment(decoded);
    }

    // RFC 3986 §6.2.2. Made from the raw path, because in the decoded one %2F and %252F look the same.
    private static string Canonical(string raw)
    {
        var builder = new StringBuilder(raw.Length + 8);
        for (var i = 0; i < raw.Length; i++)
        {
            var c = raw[i];
            var escaped = c == '%' && i + 2 < raw.Length && char.IsAsciiHexDigit(raw[i + 1]) && char.IsAsciiHexDigit(raw[i + 2]);
            if (escaped)
            {
                c = (char)byte.Parse(raw.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, null);
                i += 2;
            }
            if (s_pathChars.Contains(c) && !(escaped && c == '/'))
                builder.Append(c);
            else
                builder.Append('%').Append(((int)c).ToString("X2", null));
        }
        var path = builder.ToString();
        return HasDotSegment(path) ? RemoveDotSegments(path) : path;
    }

    // What servers do not decode (%2F, what is not UTF-8) stays in the path in the client's case.
    private static bool SameButForHexCase(string canonical, string path)
    {
        if (canonical.Length != path.Length)
            return false;
        for (var i = 0; i < path.Length; i++)
        {
            if (canonical[i] != path[i]
                && (char.ToUpperInvariant(canonical[i]) != char.ToUpperInvariant(path[i]) || !path.AsSpan(Math.Max(0, i - 2), Math.Min(2, i)).Contains('%')))
                return false;
        }
        return true;
    }

    // A server that does not resolve dot segments (TestServer, a middleware's own path) must not make us send any.
    public static bool HasDotSegment(string path)
    {
        for (var i = path.IndexOf("/.", StringComparison.Ordinal); i >= 0; i = path.IndexOf("/.", i + 1, StringComparison.Ordinal))
        {
            var end = i + 2 < path.Length && path[i + 2] == '.' ? i + 3 : i + 2;
            if (end == path.Length || path[end] == '/')
                return true;
        }
        return false;
    }

    /// <summary>Percent-encodes a decoded path; a <c>%2F</c> in it is one that the server left encoded, and stays. Dot segments are resolved.</summary>
    public static string Encode(string? path)
    {
        if (string.IsNullOrEmpty(path))
            return "/";
        if (HasDotSegment(path))
            path = RemoveDotSegments(path);
        if (path[0] == '/' && !path.AsSpan().ContainsAnyExcept(s_pathChars))
            return path;

        var builder = new StringBuilder(path.Length + 16);
        if (path[0] != '/')
            builder.Append('/');
        Span<byte> utf8 = stackalloc byte[4];
        for (var i = 0; i < path.Length;)
        {
            var c = path[i];
            if (s_pathChars.Contains(c))
            {
                builder.Append(c);
                i++;
            }
            else if (c == '%' && i + 2 < path.Length && path[i + 1] == '2' && (path[i + 2] | 0x20) == 'f')
            {
                builder.Append("%2F");
                i += 3;
            }
            else
            {
                Rune.DecodeFromUtf16(path.AsSpan(i), out var rune, out var consumed);
                foreach (var b in utf8[..rune.EncodeToUtf8(utf8)])
                    builder.Append('%').Append(b.ToString("X2", null));
                i += consumed;
            }
        }
        return builder.ToString();
    }

    /// <summary>Percent-encodes one segment; a slash in it is data.</summary>
    public static string EncodeSegment(string segment) =>
        Encode("/" + segment.Replace("/", "%2F", StringComparison.Ordinal))[1..];

    /// <summary>RFC 3986 §5.2.4. What would go above the root stays there.</summary>
    public static string RemoveDotSegments(string path)
    {
        var segments = new List<string>();
        var parts = path.Split('/');
        for (var i = path[0] == '/' ? 1 : 0; i < parts.Length; i++)
        {
            var last = i == parts.Length - 1;
            switch (parts[i])
            {
                case ".":
                    if (last)
                        segments.Add("");
                    break;
                case "..":
                    if (segments.Count > 0)
                        segments.RemoveAt(segments.Count - 1);
                    if (last)
                        segments.Add("");
                    break;
                default:
                    segments.Add(parts[i]);
                    break;
            }
        }
        return "/" + string.Join('/', segments);
    }
}
