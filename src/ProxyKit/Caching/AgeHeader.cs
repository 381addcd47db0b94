using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>The field <c>Age</c> of a response (RFC 9111 §5.1).</summary>
internal static class AgeHeader
{
    /// <summary>Whether the field is not there, or one line of whole numbers, each once: a cache that leaves the field of the one before it beside its own may say the same twice.</summary>
    public static bool IsValid(StringValues lines)
    {
        if (lines is not [{ } line])
            return lines.Count == 0;
        var seen = new HashSet<long>();
        foreach (var member in line.Split(','))
        {
            if (!DeltaSeconds.TryParse(member.AsSpan().Trim(" \t"), out var age) || !seen.Add(age.Ticks))
                return false;
        }
        return true;
    }

    /// <summary>
    /// The age that upstream caches have seen. Of several members the first counts; what is no number is not there. What stands behind a semicolon does not make a response younger.
    /// </summary>
    public static TimeSpan Parse(StringValues lines)
    {
        if (lines.Count == 0)
            return default;
        var text = lines[0].AsSpan();
        if (text.IndexOfAny(',', ';') is >= 0 and var end)
            text = text[..end];
        return DeltaSeconds.TryParse(text.Trim(" \t"), out var age) ? age : default;
    }
}
