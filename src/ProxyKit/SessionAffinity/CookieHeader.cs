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

    private static string Remove(string line, string name)
    {
        foreach (var part in line.AsSpan().Split(';'))
        {
            if (!Is(line.AsSpan()[part], name))
                continue;
            // With the separator behind it at the beginning, else with the one in front.
            var (start, end) = (part.Start.Value, part.End.Value);
            return Remove(start == 0 ? line[Math.Min(end + 1, line.Length)..].TrimStart() : string.Concat(line.AsSpan(0, start - 1), line.AsSpan(end)), name);
        }
        return line;
    }

    private static bool Is(ReadOnlySpan<char> cookie, string name)
    {
        cookie = cookie.Trim();
        return cookie.Length > name.Length && cookie[name.Length] == '=' && cookie.StartsWith(name, StringComparison.Ordinal);
    }
}
