using Microsoft.Extensions.Primitives;

namespace ProxyKit.Compression;

/// <summary>
/// Entity tags of compressed responses: those of the upstream, with the coding at the end, because two encodings of one content are two representations (RFC 9110 §8.8.3.3). Weak tags remain, as they
/// are about the content alone.
/// </summary>
internal static class EncodedTags
{
    /// <summary><c>"abc"</c> as <c>"abc-br"</c>; null if it is weak, or no tag.</summary>
    public static string? Encode(string? tag, string coding) =>
        tag is ['"', .., '"'] ? $"{tag.AsSpan(0, tag.Length - 1)}-{coding}\"" : null;

    /// <summary>A field of entity tags in which those of this coding are the upstream's. Quotes stand nowhere but around tags.</summary>
    public static StringValues Decode(StringValues lines, string coding)
    {
        var end = $"-{coding}\"";
        string?[]? decoded = null;
        for (var i = 0; i < lines.Count; i++)
        {
            if (lines[i]?.Contains(end, StringComparison.Ordinal) != true)
                continue;
            decoded ??= [.. lines]; // a copy: the array is the client's
            decoded[i] = lines[i]!.Replace(end, "\"", StringComparison.Ordinal);
        }
        return decoded is null ? lines : new(decoded);
    }

    /// <summary>Whether a field names this tag, with or without <c>W/</c>.</summary>
    public static bool Contains(StringValues lines, string tag)
    {
        foreach (var line in lines)
        {
            if (line?.Contains(tag, StringComparison.Ordinal) == true)
                return true;
        }
        return false;
    }
}
