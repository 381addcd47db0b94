using Microsoft.Extensions.Primitives;

namespace ProxyKit.Forwarding;

/// <summary>Via (RFC 9110 §7.6.3): a mark on every message, by which a loop is recognised.</summary>
internal sealed class ViaHeader(string pseudonym)
{
    private readonly string _http11 = $"1.1 {pseudonym}", _http2 = $"2 {pseudonym}", _http3 = $"3 {pseudonym}", _http10 = $"1.0 {pseudonym}";

    public bool IsLoop(StringValues via)
    {
        foreach (var line in via)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                // received-protocol RWS received-by [ RWS comment ]
                var element = line.AsSpan()[range].Trim();
                var space = element.IndexOf(' ');
                if (space < 0)
                    continue;
                var by = element[(space + 1)..].TrimStart();
                var end = by.IndexOf(' ');
                if ((end < 0 ? by : by[..end]).Equals(pseudonym, StringComparison.OrdinalIgnoreCase))
                    return true;
            }
        }
        return false;
    }

    public StringValues Append(StringValues before, string protocol)
    {
        var own = protocol switch
        {
            "HTTP/1.1" => _http11,
            "HTTP/2" => _http2,
            "HTTP/3" => _http3,
            _ => _http10,
        };
        return Join(before, own);
    }

    public StringValues Append(StringValues before, Version version) => Join(before, version.Major switch
    {
        2 => _http2,
        3 => _http3,
        _ => version.Minor == 0 ? _http10 : _http11,
    });

    private static StringValues Join(StringValues before, string own) =>
        before.Count == 0 ? own : $"{string.Join(", ", before.ToArray())}, {own}";
}
