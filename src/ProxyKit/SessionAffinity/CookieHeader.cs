using System.Text;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.SessionAffinity;

/// <summary>Finds one cookie in a <c>Cookie</c> header without taking the others apart (RFC 6265 §5.4).</summary>
internal static class CookieHeader
{
    /// <summary>The cookie's value as sent; empty when there is none. Of several the first, which browsers take for the one that fits best.</summary>
    public static ReadOnlySpan<char> Find(StringValues header, string name)
    {
        for (var i = 0; i < header.Count; i++)
        {
            var line = header[i].AsSpan();
            foreach (var part in line.Split(';'))
            {
                if (Is(line[part], name))
                    return line[part].Trim()[(name.Length + 1)..];
            }
        }
        return default;
    }

    /// <summary>The header without the cookie; empty when nothing is left.</summary>
    public static StringValues Remove(StringValues header, string name)
    {
        StringValues rest = default;
        for (var i = 0; i < header.Count; i++)
        {
            var line = Remove(header[i] ?? "", name);
            if (line.Length > 0)
                rest = StringValues.Concat(rest, line);
        }
        return rest;
    }

    // In one pass: a client may send it ten thousand times.
    private static string Remove(string line, string name)
    {
        StringBuilder? rest = null;
        foreach (var part in line.AsSpan().Split(';'))
        {
            var cookie = line.AsSpan()[part];
            if (Is(cookie, name))
                rest ??= new StringBuilder(line, 0, Math.Max(part.Start.Value - 1, 0), line.Length);
            else if (rest is { Length: 0 })
                rest.Append(cookie.TrimStart());
            else
                rest?.Append(';').Append(cookie);
        }
        return rest?.ToString() ?? line;
    }

    private static bool Is(ReadOnlySpan<char> cookie, string name)
    {
        cookie = cookie.Trim();
        return cookie.Length > name.Length && cookie[name.Length] == '=' && cookie.StartsWith(name, StringComparison.Ordinal);
    }
}
