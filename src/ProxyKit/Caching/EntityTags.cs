using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>Entity tags and how they compare (RFC 9110 §8.8.3).</summary>
internal static class EntityTags
{
    /// <summary>Whether it is a strong one: in quotes, and nothing before them.</summary>
    public static bool IsStrong(ReadOnlySpan<char> tag) => tag is ['"', .. var inner, '"'] && !inner.Contains('"');

    /// <summary>Whether both are the same, and strong.</summary>
    public static bool EqualStrongly(ReadOnlySpan<char> tag, ReadOnlySpan<char> other) => IsStrong(tag) && tag.SequenceEqual(other);

    /// <summary>Whether both are the same but for their strength. Those that somebody has forgotten the quotes of, or the right sign of weakness, are still the same when all else is.</summary>
    public static bool EqualWeakly(ReadOnlySpan<char> tag, ReadOnlySpan<char> other) => tag.SequenceEqual(other) || Opaque(tag).SequenceEqual(Opaque(other));

    /// <summary>The value of a field that has one tag; empty if there is none.</summary>
    public static ReadOnlySpan<char> Of(StringValues lines) => lines.Count > 0 ? lines[0].AsSpan().Trim(" \t") : default;

    /// <summary>Whether a field lists the tag, or <c>*</c>.</summary>
    public static bool Matches(StringValues lines, ReadOnlySpan<char> tag, bool strongly)
    {
        foreach (var member in new FieldList(lines))
        {
            if (member is "*" || (!tag.IsEmpty && (strongly ? EqualStrongly(member, tag) : EqualWeakly(member, tag))))
                return true;
        }
        return false;
    }

    private static ReadOnlySpan<char> Opaque(ReadOnlySpan<char> tag)
    {
        if (tag is ['W' or 'w', '/', .. var rest])
            tag = rest;
        return tag is ['"', .. var inner, '"'] ? inner : tag;
    }
}
