using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Forwarding;

namespace ProxyKit.Caching;

/// <summary>
/// What a response is stored under: the zone (a route), the URL, and what else tells resources apart, each on a line of its own. The zone, because two routes may answer for one URL, and one of them may
/// not be for everybody.
/// </summary>
internal sealed class CacheKey(string zone, CacheKeyConfig config, PathForwarding forwarding)
{
    /// <summary>Longer ones are not looked up.</summary>
    public const int MaxLength = 8 * 1024;

    private readonly bool _hasQueryRules = config.QueryParameters is not null || config.IgnoredQueryParameters.Count > 0 || config.SortQuery;

    /// <summary>Writes the key. False if it is too long.</summary>
    /// <param name="key">Where to.</param>
    /// <param name="context">The request.</param>
    /// <param name="query">In the place of the request's query.</param>
    /// <param name="coding">The content coding that the response is to have, where the cache has it encoded; null: as it comes.</param>
    public bool TryWrite(ref DefaultInterpolatedStringHandler key, HttpContext context, string? query, string? coding)
    {
        var request = context.Request;
        key.AppendLiteral(zone);
        key.AppendLiteral("\n");
        key.AppendLiteral(request.Scheme);
        key.AppendLiteral("://");
        if (!config.IgnoreHost)
            AppendLower(ref key, request.Host.Value);
        if (request.PathBase.HasValue)
            key.AppendLiteral(PathEncoding.Encode(request.PathBase.Value));
        key.AppendLiteral(PathEncoding.Select(request, PathEncoding.RawPath(context.Features.Get<IHttpRequestFeature>()!.RawTarget), forwarding));
        query ??= request.QueryString.Value ?? "";
        if (key.Text.Length + query.Length > MaxLength)
            return false;
        key.AppendLiteral(_hasQueryRules ? QueryRules.Apply(query, config) : query);
        foreach (var name in config.Headers.AsSpan())
            AppendPart(ref key, name, request.Headers[name].ToString());
        foreach (var name in config.Cookies.AsSpan())
            AppendPart(ref key, name, request.Cookies[name]);
        if (config.Custom is { } custom)
            AppendPart(ref key, "", custom(context));
        if (coding is not null)
            AppendPart(ref key, "", coding);
        return key.Text.Length <= MaxLength;
    }

    /// <summary>How the keys of a URL begin: all that this says of the URL alone.</summary>
    public string OfUrl(Uri url, NoVarySearchTable rules)
    {
        // As it is written, as keys have it: Uri itself makes ~ of %7E. What no client could send is what Uri makes of it.
        var text = url.OriginalString;
        var start = text.IndexOf('/', text.IndexOf("://", StringComparison.Ordinal) + 3);
        var target = start < 0 || text.AsSpan().ContainsAnyExceptInRange('!', '~') ? url.PathAndQuery : text[start..];
        if (target.IndexOf('#', StringComparison.Ordinal) is >= 0 and var fragment)
            target = target[..fragment];
        var question = target.IndexOf('?', StringComparison.Ordinal);
        var (path, query) = question < 0 ? (target, "") : (target[..question], target[question..]);
        var withoutQuery = $"{zone}\n{url.Scheme}://{(config.IgnoreHost ? "" : url.Authority)}{path}";
        query = (rules.IsEmpty ? null : rules.Normalize(withoutQuery, query)) ?? query;
        return withoutQuery + (_hasQueryRules ? QueryRules.Apply(query, config) : query);
    }

    private static void AppendPart(ref DefaultInterpolatedStringHandler key, string name, string? value)
    {
        key.AppendLiteral("\n");
        key.AppendLiteral(name);
        if (value is null)
            return; // not the same as empty
        key.AppendLiteral("=");
        // Cookies are decoded, and an app's own text may hold anything: no value looks like two parts.
        key.AppendLiteral(value.AsSpan().ContainsAny('\n', '%') ? Uri.EscapeDataString(value) : value);
    }

    private static void AppendLower(ref DefaultInterpolatedStringHandler key, string? host)
    {
        if (host is null)
            return;
        if (!host.AsSpan().ContainsAnyInRange('A', 'Z'))
            key.AppendLiteral(host);
        else
            key.AppendLiteral(host.ToLowerInvariant());
    }
}
