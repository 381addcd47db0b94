using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>Groups of responses of one origin, which unsafe requests invalidate together (RFC 9875).</summary>
internal static class CacheGroups
{
    /// <summary>The response fields.</summary>
    public const string Field = "Cache-Groups", InvalidationField = "Cache-Group-Invalidation";

    /// <summary>More of them are not heeded. At least 32 of 32 characters have to be (RFC 9875 §2).</summary>
    public const int MaxGroups = 64, MaxLength = 256;

    /// <summary>The tag of a group's responses. It has a space, as no tag of <see cref="CacheConfig.TagField"/> has: groups are of one origin, and nobody else's.</summary>
    public static string Tag(HttpRequest request, string name) => $"group {request.Scheme.ToLowerInvariant()}://{Host(request)} {name}";

    /// <summary>The tags of the groups that a response makes invalid, of the request's origin. Only for the answer to an unsafe method (RFC 9875 §3).</summary>
    public static IReadOnlyList<string> Invalidated(HttpRequest request, IHeaderDictionary response)
    {
        if (!response.TryGetValue(InvalidationField, out var lines))
            return [];
        var names = Names(lines);
        var tags = new string[names.Count];
        for (var i = 0; i < tags.Length; i++)
            tags[i] = Tag(request, names[i]);
        return tags;
    }

    /// <summary>The names in a field: a list of strings; none where anything else is in it.</summary>
    public static IReadOnlyList<string> Names(StringValues lines)
    {
        if (StructuredFields.List(lines) is not { Count: > 0 } items)
            return [];
        var names = new List<string>(Math.Min(items.Count, MaxGroups));
        foreach (var item in items)
        {
            if (item.Kind != StructuredKind.String)
                return [];
            if (names.Count < MaxGroups && item.Text!.Length <= MaxLength && !names.Contains(item.Text))
                names.Add(item.Text);
        }
        return names;
    }

    private static string Host(HttpRequest request)
    {
        var host = request.Host;
        var isDefault = host.Port is { } port && port == (request.IsHttps ? 443 : 80);
        return (isDefault ? host.Host : host.Value ?? "").ToLowerInvariant();
    }
}
