using System.Collections.Frozen;
using Microsoft.Extensions.Primitives;
using ProxyKit.Configuration;

namespace ProxyKit.Forwarding;

/// <summary>What a header is to a proxy.</summary>
internal enum HeaderRule : byte
{
    /// <summary>Not looked up yet.</summary>
    Unknown,

    /// <summary>End-to-end: forwarded.</summary>
    Forward,

    /// <summary>Hop-by-hop, or dangerous in the other hop's hands: dropped.</summary>
    Drop,

    /// <summary>Says where the request comes from: dropped unless the peer is trusted.</summary>
    Forwarding,

    /// <summary>Handled by name.</summary>
    Special,

    /// <summary>Tells the proxy what to do with the response; never passed on. See <see cref="AccelHeaders"/>.</summary>
    Accel,
}

/// <summary>A request header's name.</summary>
internal sealed record RequestHeaderName(string Name, HeaderRule Rule, bool IsToken, bool HasUnderscoreOrDot);

/// <summary>The rules by header name (RFC 9110 §7.6.1).</summary>
internal static class HeaderRules
{
    private static readonly string[] s_hopByHop =
    [
        "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "TE", "Trailer", "Close",
        "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Features", "Proxy-Instruction",
        "Security-Scheme", "ALPN", "HTTP2-Settings", "Alt-Svc",
    ];

    private static readonly FrozenDictionary<string, HeaderRule> s_request = s_hopByHop
        .Append("Proxy") // httpoxy
        .Select(name => (Name: name, Rule: HeaderRule.Drop))
        .Concat(new[]
        {
            "Forwarded", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL", "X-Original-For", "X-Original-Host", "X-Original-Proto", "X-Original-Prefix",
            "Client-IP", "Forwarded-For", // the first that many a PHP application looks at
            "X-Client-Cert", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Fastly-Client-IP",
            "X-Sendfile-Type", "X-Accel-Mapping", // Rack maps files to answer with by them (CVE-2025-61780)
        }.Select(name => (Name: name, Rule: HeaderRule.Forwarding)))
        .Concat(new[] { "Host", "Content-Length", "Via", "Max-Forwards", "X-Content-Length" }.Select(name => (Name: name, Rule: HeaderRule.Special)))
        .ToFrozenDictionary(pair => pair.Name, pair => pair.Rule, StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenDictionary<string, HeaderRule> s_response = s_hopByHop
        .Select(name => (Name: name, Rule: HeaderRule.Drop))
        .Concat(new[]
        {
            "Content-Length", "Location", "Content-Location", "Refresh", "Set-Cookie", "Via", "Strict-Transport-Security",
        }.Select(name => (Name: name, Rule: HeaderRule.Special)))
        .Concat(AccelHeaders.All.Select(name => (Name: name, Rule: HeaderRule.Accel)))
        .ToFrozenDictionary(pair => pair.Name, pair => pair.Rule, StringComparer.OrdinalIgnoreCase);

    private static readonly RequestHeaderName?[] s_described = new RequestHeaderName?[512];

    // Fields that a client could otherwise strip from under the upstream by nominating them in Connection.
    private static readonly FrozenSet<string> s_notNominable = FrozenSet.ToFrozenSet(
        ["Host", "Cookie", "Set-Cookie", "Authorization", "Via", "Forwarded", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL", "Max-Forwards",
         "Cache-Control", "Date", "Location", "Vary", "WWW-Authenticate", "Strict-Transport-Security", "Content-Security-Policy"],
        StringComparer.OrdinalIgnoreCase);

    /// <summary>What there is to know of a request header's name. Those that clients send are few, so the last ones are remembered.</summary>
    public static RequestHeaderName Describe(string name)
    {
        // The names that browsers send fall into slots of their own.
        ref var slot = ref s_described[((name.Length * 31) + (name[0] * 5) + (name[name.Length / 2] * 13) + (name[name.Length > 1 ? ^2 : ^1] * 11) + name[^1]) & (s_described.Length - 1)];
        if (slot is { } known && known.Name == name)
            return known;
        var described = new RequestHeaderName(name, ForRequest(name), Tokens.IsToken(name), name.AsSpan().ContainsAny('_', '.'));
        if (name.Length <= 64)
            slot = described;
        return described;
    }

    public static HeaderRule ForRequest(string name)
    {
        if (s_request.TryGetValue(name, out var rule))
            return rule;
        if (name.StartsWith("X-Forwarded", StringComparison.OrdinalIgnoreCase) && (name.Length == 11 || name[11] == '-'))
            return HeaderRule.Forwarding;
        // CGI, WSGI and PHP see X_Forwarded_For and X-Forwarded-For as one variable: the one must not be a way around the rule for the other.
        if (name.AsSpan().ContainsAny('_', '.'))
            return ForRequest(name.Replace('_', '-').Replace('.', '-')) is HeaderRule.Forwarding ? HeaderRule.Forwarding : HeaderRule.Forward;
        return HeaderRule.Forward;
    }

    public static HeaderRule ForResponse(string name) => s_response.TryGetValue(name, out var rule) ? rule : HeaderRule.Forward;

    /// <summary>Whether a message may carry this trailer: none that frames, routes, authenticates or controls (RFC 9110 §6.5.1).</summary>
    public static bool IsAllowedTrailer(string name) =>
        ForResponse(name) == HeaderRule.Forward && ForRequest(name) == HeaderRule.Forward
        && !name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase) && !s_notNominable.Contains(name);

    /// <summary>The fields that <c>Connection</c> nominates as hop-by-hop; null when there are none but the usual.</summary>
    public static string[]? Nominated(StringValues connection)
    {
        if (connection.Count == 1 && connection[0] is { } single
            && (single.Equals("keep-alive", StringComparison.OrdinalIgnoreCase) || single.Equals("close", StringComparison.OrdinalIgnoreCase)
                || single.Equals("upgrade", StringComparison.OrdinalIgnoreCase)))
            return null;

        List<string>? names = null;
        foreach (var line in connection)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                var token = line.AsSpan()[range].Trim();
                if (token.IsEmpty || token.Equals("keep-alive", StringComparison.OrdinalIgnoreCase) || token.Equals("close", StringComparison.OrdinalIgnoreCase))
                    continue;
                var name = token.ToString();
                if (!IsProtected(name))
                    (names ??= []).Add(name);
            }
        }
        return names?.ToArray();
    }

    public static bool IsNominated(string[] nominated, string name)
    {
        foreach (var other in nominated)
        {
            if (other.Equals(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    private static bool IsProtected(string name) =>
        s_notNominable.Contains(name) || name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith("X-Forwarded-", StringComparison.OrdinalIgnoreCase);
}
