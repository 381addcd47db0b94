using System.Globalization;

namespace ProxyKit.Caching;

/// <summary><c>X-Accel-Expires</c>, as nginx reads it: a number of seconds from now on, or <c>@</c> and the seconds since 1970.</summary>
internal static class AccelExpires
{
    /// <summary>How long the response may be kept from now on; 0 is not at all. Null where there is no valid value.</summary>
    public static TimeSpan? Parse(string? value, DateTimeOffset now)
    {
        var text = value.AsSpan().Trim(" \t");
        if (text is not ['@', .. var time])
            return DeltaSeconds.TryParse(text, out var seconds) ? seconds : null;
        if (!long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var epoch))
            return null;
        return DeltaSeconds.From(epoch - now.ToUnixTimeSeconds());
    }
}
