using System.Buffers;
using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.Caching;

/// <summary>Scheme and host of a request as the client used them: those that a trusted peer names, otherwise the request's. The upstream is sent the same, and makes links of it.</summary>
/// <param name="Scheme">In lower case.</param>
/// <param name="Host">With its port, if it has one.</param>
/// <param name="Others">What else the trusted peer says of the URL, and the upstream may make links of: <c>X-Forwarded-Port</c>, <c>X-Forwarded-Prefix</c>, <c>Forwarded</c> …</param>
internal readonly record struct PublicOrigin(string Scheme, string? Host, IReadOnlyList<KeyValuePair<string, string>> Others)
{
    private static readonly SearchValues<char> s_host = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:[]");

    public static PublicOrigin Of(HttpContext context, UpstreamFields? upstream)
    {
        var request = context.Request;
        var origin = new PublicOrigin(request.Scheme, request.Host.Value, []);
        if (upstream?.IsTrusted(context) != true)
            return origin;
        List<KeyValuePair<string, string>>? others = null;
        foreach (var (name, values) in request.Headers)
        {
            if (name.Length == 0 || HeaderRules.Describe(name).Rule != HeaderRule.Forwarding)
                continue;
            var folded = name.ToLowerInvariant().Replace('_', '-').Replace('.', '-');
            var value = values.ToString();
            if (folded == "x-forwarded-proto" && value.ToLowerInvariant() is "http" or "https")
                origin = origin with { Scheme = value.ToLowerInvariant() };
            else if (folded == "x-forwarded-host" && value.Length > 0 && !value.AsSpan().ContainsAnyExcept(s_host))
                origin = origin with { Host = value };
            else if (folded == "forwarded")
                (others ??= []).Add(new(folded, OriginOf(value)));
            else if (!NamesClient(folded))
                (others ??= []).Add(new(folded, value));
        }
        return others is null ? origin : origin with { Others = others };
    }

    // Each client has its own; a response that depends on it says so in Vary.
    private static bool NamesClient(string name) => name.EndsWith("-for", StringComparison.Ordinal) || name.EndsWith("-ip", StringComparison.Ordinal)
        || name.EndsWith("-cert", StringComparison.Ordinal) || name is "x-forwarded-by" or "x-forwarded-client-cert" or "x-forwarded";

    // RFC 7239 §4, without the client's and the proxies' addresses.
    private static string OriginOf(string forwarded) =>
        string.Join(';', forwarded.Split(';', ',').Select(pair => pair.Trim()).Where(pair =>
            pair.StartsWith("host=", StringComparison.OrdinalIgnoreCase) || pair.StartsWith("proto=", StringComparison.OrdinalIgnoreCase)));
}
