using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>Fields that speak to some caches only.</summary>
internal static class TargetedDirectives
{
    /// <summary>
    /// A targeted field (RFC 9213 §2.1): a structured dictionary of cache directives. Null where it is not believed: it is empty, does not parse, or a directive is of the wrong type, for nobody
    /// knows what was meant then.
    /// </summary>
    public static CacheDirectives? Parse(StringValues lines)
    {
        if (StructuredFields.Dictionary(lines) is not { Count: > 0 } members)
            return null;
        var result = CacheDirectives.None;
        foreach (var (name, item) in members)
        {
            if (Add(result, name, item) is not { } next)
                return null;
            result = next;
        }
        return result;
    }

    /// <summary>
    /// <c>Surrogate-Control</c> (W3C Edge Architecture): null if it says nothing of storing. <c>max-age=60+30</c> is 30 seconds stale after it. What has this proxy's name as its target goes before
    /// what has none; what has another is for somebody else.
    /// </summary>
    public static CacheDirectives? ParseSurrogate(StringValues lines, string name)
    {
        CacheDirectives? forAll = null, forUs = null;
        foreach (var member in new FieldList(lines))
        {
            var end = member.IndexOf(';');
            if (end < 0)
                AddSurrogate(ref forAll, member);
            else if (member[(end + 1)..].Trim(" \t").SequenceEqual(name))
                AddSurrogate(ref forUs, member[..end].TrimEnd(" \t"));
        }
        return forUs ?? forAll;
    }

    private static void AddSurrogate(ref CacheDirectives? directives, ReadOnlySpan<char> member)
    {
        if (member.Equals("no-store", StringComparison.OrdinalIgnoreCase))
        {
            directives = (directives ?? CacheDirectives.None) with { NoStore = true };
        }
        else if (member.StartsWith("max-age=", StringComparison.OrdinalIgnoreCase))
        {
            var value = member[8..];
            var plus = value.IndexOf('+');
            _ = DeltaSeconds.TryParse(plus < 0 ? value : value[..plus], out var age);
            TimeSpan? stale = plus >= 0 && DeltaSeconds.TryParse(value[(plus + 1)..], out var extension) ? extension : null;
            if (directives?.MaxAge is not { } other || age < other)
                directives = (directives ?? CacheDirectives.None) with { MaxAge = age, StaleWhileRevalidate = stale, StaleIfError = stale };
        }
    }

    private static CacheDirectives? Add(CacheDirectives d, string name, StructuredItem item)
    {
        switch (name)
        {
            case "no-store":
                return Flag(item) is { } noStore ? d with { NoStore = noStore } : null;
            case "public":
                return Flag(item) is { } isPublic ? d with { Public = isPublic } : null;
            case "must-revalidate":
                return Flag(item) is { } mustRevalidate ? d with { MustRevalidate = mustRevalidate } : null;
            case "proxy-revalidate":
                return Flag(item) is { } proxyRevalidate ? d with { ProxyRevalidate = proxyRevalidate } : null;
            case "must-understand":
                return Flag(item) is { } mustUnderstand ? d with { MustUnderstand = mustUnderstand } : null;
            case "no-transform":
                return Flag(item) is { } noTransform ? d with { NoTransform = noTransform } : null;
            case "max-age":
                return Seconds(item) is { } maxAge ? d with { MaxAge = maxAge } : null;
            case "s-maxage":
                return Seconds(item) is { } sharedMaxAge ? d with { SharedMaxAge = sharedMaxAge } : null;
            case "stale-while-revalidate":
                return Seconds(item) is { } whileRevalidate ? d with { StaleWhileRevalidate = whileRevalidate } : null;
            case "stale-if-error":
                return Seconds(item) is { } ifError ? d with { StaleIfError = ifError } : null;
            case "no-cache" when Flag(item) is { } noCache:
                return d with { NoCache = noCache };
            case "private" when Flag(item) is { } isPrivate:
                return d with { Private = isPrivate };
            case "no-cache" or "private":
                return Fields(d, name, item);
            default:
                return d;
        }
    }

    private static CacheDirectives? Fields(CacheDirectives d, string name, StructuredItem item)
    {
        if (item.Kind is not (StructuredKind.String or StructuredKind.Token))
            return null;
        // Read as Cache-Control reads it; Fields of both directives together.
        var parsed = CacheDirectives.Parse($"{name}=\"{item.Text}\"");
        return d with { NoCache = d.NoCache || parsed.NoCache, Private = d.Private || parsed.Private, Fields = [.. d.Fields, .. parsed.Fields] };
    }

    private static bool? Flag(StructuredItem item) => item.Kind == StructuredKind.Boolean ? item.IsTrue : null;

    private static TimeSpan? Seconds(StructuredItem item) => item.Kind == StructuredKind.Integer ? DeltaSeconds.From(item.Number) : null;
}
