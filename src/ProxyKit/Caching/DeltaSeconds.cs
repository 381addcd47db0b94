namespace ProxyKit.Caching;

/// <summary>Numbers of seconds (RFC 9111 §1.2.2).</summary>
internal static class DeltaSeconds
{
    /// <summary>The longest: 68 years. More counts as this.</summary>
    public const long Max = 1L << 31;

    /// <summary>Parses digits, and nothing else.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan value)
    {
        value = default;
        if (text.IsEmpty)
            return false;
        var seconds = 0L;
        foreach (var c in text)
        {
            if (!char.IsAsciiDigit(c))
                return false;
            seconds = Math.Min((seconds * 10) + (c - '0'), Max);
        }
        value = TimeSpan.FromSeconds(seconds);
        return true;
    }

    /// <summary>A number as a time; below 0 is 0.</summary>
    public static TimeSpan From(long seconds) => TimeSpan.FromSeconds(Math.Clamp(seconds, 0, Max));
}
