using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>What stored responses can be purged by.</summary>
internal static class CacheTags
{
    /// <summary>More, and longer ones, are not heeded.</summary>
    public const int MaxTags = 64, MaxLength = 256;

    /// <summary>The tags of a response: those of its tag field, which is taken off, and its groups.</summary>
    public static ValueList<string> Take(HttpRequest request, IHeaderDictionary response, CacheConfig config)
    {
        List<string>? tags = null;
        if (config.TagField.Length > 0 && response.TryGetValue(config.TagField, out var field))
        {
            response.Remove(config.TagField);
            Split(field, ref tags);
        }
        if (response.TryGetValue(CacheGroups.Field, out var groups))
        {
            foreach (var name in CacheGroups.Names(groups))
                Add(CacheGroups.Tag(request, name), ref tags);
        }
        return tags is null ? [] : tags.ToValueList();
    }

    private static void Split(StringValues lines, ref List<string>? tags)
    {
        var count = 0;
        foreach (var line in lines)
        {
            var rest = line.AsSpan();
            while (!rest.IsEmpty)
            {
                var end = rest.IndexOfAny(" \t,");
                var tag = end < 0 ? rest : rest[..end];
                rest = end < 0 ? default : rest[(end + 1)..];
                if (tag.IsEmpty || tag.Length > MaxLength)
                    continue;
                if (++count > MaxTags)
                    return;
                Add(tag.ToString(), ref tags);
            }
        }
    }

    private static void Add(string tag, ref List<string>? tags)
    {
        tags ??= [];
        if (!tags.Contains(tag))
            tags.Add(tag);
    }
}
