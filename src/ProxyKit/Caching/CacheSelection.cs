using Microsoft.Extensions.Primitives;
using ProxyKit.Configuration;

namespace ProxyKit.Caching;

/// <summary>Which stored response a request selects, and how its fields are compared (RFC 9111 §4.1).</summary>
internal static class CacheSelection
{
    /// <summary>How many fields <c>Vary</c> may name; more is as good as <c>*</c>.</summary>
    public const int MaxVaryFields = 32;

    /// <summary>
    /// The best of the stored responses, which are the newest first: one whose <c>Vary</c> matches, a whole one before a part. Null if none does. Allocates nothing for what has no <c>Vary</c>.
    /// </summary>
    public static CachedResponse? Select(IReadOnlyList<CachedResponse> stored, RequestFields request)
    {
        CachedResponse? part = null;
        for (var i = 0; i < stored.Count; i++)
        {
            var head = stored[i].Head;
            if (!Matches(head.Vary, request) || request.Refuses(head))
                continue;
            if (head.RangeStart is null)
                return stored[i];
            part ??= stored[i];
        }
        for (var i = 0; i < stored.Count; i++)
        {
            if (stored[i].Head is { RangeStart: null, Vary.Count: > 0 } head && MatchesByLanguage(head, request) && !request.Refuses(head))
                return stored[i];
        }
        return part;
    }

    /// <summary>Whether a response may be selected at all: its <c>Vary</c> names no more fields than are looked at, and not all of them.</summary>
    public static bool CanSelect(StringValues vary)
    {
        var count = 0;
        foreach (var name in new FieldList(vary))
        {
            // A name that is none says of nothing that it does not matter.
            if (name is "*" || ++count > MaxVaryFields || !Tokens.IsToken(name))
                return false;
        }
        return true;
    }

    /// <summary>The request's values for the fields that <paramref name="vary"/> names, normalised, in lower case and sorted.</summary>
    public static ValueList<KeyValuePair<string, string?>> Vary(StringValues vary, RequestFields request) => Vary(vary, default, request, ignoresLanguageOrder: false);

    /// <summary>
    /// The request's values for the fields that <paramref name="vary"/> names, normalised, in lower case and sorted. <paramref name="contentEncoding"/>: the response's.
    /// <paramref name="ignoresLanguageOrder"/>: <see cref="CacheConfig.IgnoreLanguageOrder"/>.
    /// </summary>
    public static ValueList<KeyValuePair<string, string?>> Vary(StringValues vary, StringValues contentEncoding, RequestFields request, bool ignoresLanguageOrder)
    {
        if (vary.Count == 0)
            return [];
        var values = new SortedList<string, string?>(StringComparer.Ordinal);
        foreach (var member in new FieldList(vary))
        {
            var name = member.ToString().ToLowerInvariant();
            if (!values.ContainsKey(name))
                values.Add(name, VaryValues.Normalize(name, request[name], contentEncoding, ignoresLanguageOrder));
        }
        return [.. values];
    }

    /// <summary>Whether a request has the same values.</summary>
    public static bool Matches(ValueList<KeyValuePair<string, string?>> vary, RequestFields request)
    {
        if (vary.Count == 0)
            return true;
        foreach (var (name, value) in vary.AsSpan())
        {
            if (!request.IsKnown(name) || !VaryValues.Matches(name, value, request[name]))
                return false;
        }
        return true;
    }

    /// <summary>
    /// A request's <c>Accept-Encoding</c>, as one text for all that mean the same: the codings that a cache knows (<c>br</c>, <c>gzip</c>, <c>zstd</c>), those that are accepted,
    /// sorted; <c>identity</c> when none of them is. The upstream has to be asked with this text, as its answer is for all who have it.
    /// </summary>
    public static string NormalizeAcceptEncoding(StringValues lines) => AcceptEncoding.Normalize(lines);

    /// <summary>
    /// Whether the response is in the one language that the client likes best of all: a server that has it, and heeds <c>Accept-Language</c>, would answer with nothing else (RFC 9110 §12.5.4).
    /// </summary>
    private static bool MatchesByLanguage(CachedResponseHead head, RequestFields request)
    {
        const string AcceptLanguageName = "accept-language";
        var isVaried = false;
        foreach (var (name, value) in head.Vary.AsSpan())
        {
            if (name == AcceptLanguageName)
                isVaried = true;
            else if (!request.IsKnown(name) || !VaryValues.Matches(name, value, request[name]))
                return false;
        }
        if (!isVaried || request[AcceptLanguageName] is not { Count: > 0 } accepted)
            return false;
        return AcceptLanguage.IsFavourite(accepted, StoredHeaders.Get(head, "Content-Language"));
    }
}
