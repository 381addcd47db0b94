using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>The field <c>Content-Range</c> (RFC 9110 §14.4), of a part of a representation whose length is known.</summary>
internal readonly record struct ContentRange(long Start, long Count, long CompleteLength)
{
    /// <summary>Parses <c>bytes 0-4/10</c>. False for anything else: a part of what nobody knows the length of can be put together with nothing.</summary>
    public static bool TryParse(StringValues lines, out ContentRange range)
    {
        range = default;
        if (lines.Count != 1)
            return false;
        var text = lines[0].AsSpan().Trim(" \t");
        if (!text.StartsWith("bytes ", StringComparison.OrdinalIgnoreCase))
            return false;
        text = text[6..];
        var dash = text.IndexOf('-');
        var slash = text.IndexOf('/');
        if (dash < 0 || slash < dash || !TryNumber(text[..dash], out var start) || !TryNumber(text[(dash + 1)..slash], out var end) || !TryNumber(text[(slash + 1)..], out var length) ||
            start > end || end >= length)
            return false;
        range = new(start, end - start + 1, length);
        return true;
    }

    /// <summary>The field's value.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"bytes {Start}-{Start + Count - 1}/{CompleteLength}");

    /// <summary>The value of a response that no range satisfies (RFC 9110 §15.5.17).</summary>
    public static string NotSatisfiable(long length) => string.Create(CultureInfo.InvariantCulture, $"bytes */{length}");

    internal static bool TryNumber(ReadOnlySpan<char> text, out long number) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
