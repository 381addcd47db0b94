using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Forwarding;
using ProxyKit.SessionAffinity;

namespace ProxyKit.Caching;

/// <summary>
/// What a response is stored under: the zone (a route), the URL, and what else tells resources apart, each on a line of its own. The zone, because two routes may answer for one URL, and one of them may
/// not be for everybody.
/// </summary>
internal sealed class CacheKey(string zone, CacheKeyConfig config, PathForwarding forwarding, UpstreamFields? upstream = null)
{
    /// <summary>Longer ones are not looked up.</summary>
    public const int MaxLength = 8 * 1024;

    private readonly bool _hasQueryRules = config.QueryParameters is not null || config.IgnoredQueryParameters.Count > 0 || config.SortQuery;

    /// <summary>Writes the key. False if it is too long.</summary>
    /// <param name="key">Where to.</param>
    /// <param name="context">The request.</param>
    /// <param name="query">In the place of the request's query.</param>
    /// <param name="rule">The <c>No-Vary-Search</c> of the responses under this key, which <paramref name="query"/> is normalised by; null where they have none.</param>
    /// <param name="coding">The content coding that the response is to have, where the cache has it encoded; null: as it comes.</param>
    public bool TryWrite(ref DefaultInterpolatedStringHandler key, HttpContext context, string? query, NoVarySearch? rule, string? coding)
    {
        var request = context.Request;
        key.AppendLiteral(zone);
        key.AppendLiteral("\n");
        var origin = PublicOrigin.Of(context, upstream);
        key.AppendLiteral(origin.Scheme);
        key.AppendLiteral("://");
        if (!config.IgnoreHost)
            AppendLower(ref key, origin.Host);
        if (request.PathBase.HasValue)
            key.AppendLiteral(PathEncoding.Encode(request.PathBase.Value));
        key.AppendLiteral(PathEncoding.Select(request, PathEncoding.RawPath(context.Features.Get<IHttpRequestFeature>()!.RawTarget), forwarding));
        query ??= request.QueryString.Value ?? "";
        if (key.Text.Length + query.Length > MaxLength)
            return false;
        key.AppendLiteral(_hasQueryRules ? QueryRules.Apply(query, config) : query);
        var fields = new RequestFields(context, upstream);
        foreach (var (name, value) in origin.Others)
            AppendPart(ref key, name, value);
        foreach (var name in config.Headers.AsSpan())
            AppendPart(ref key, name, fields[name].ToString());
        foreach (var name in config.Cookies.AsSpan())
            AppendPart(ref key, name, fields["Cookie"] == request.Headers.Cookie ? request.Cookies[name] : CookieHeader.Find(fields["Cookie"], name).ToString());
        if (config.Custom is { } custom)
            AppendPart(ref key, "", custom(context));
        if (coding is not null)
            AppendPart(ref key, "", coding);
        if (rule is not null)
            AppendPart(ref key, NoVarySearch.Field, rule.Text);
        return key.Text.Length <= MaxLength;
    }

    /// <summary>How the keys of a URL begin: the URL under which it is stored itself, then those under which a response is stored whose <c>No-Vary-Search</c> makes it this URL's, too.</summary>
    public IEnumerable<string> OfUrl(Uri url, NoVarySearchTable rules)
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
        return rules.Find(withoutQuery).Select(rule => rule.Normalize(query)).Prepend(query).Select(text => withoutQuery + (_hasQueryRules ? QueryRules.Apply(text, config) : text));
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
