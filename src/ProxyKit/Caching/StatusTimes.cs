using System.Globalization;

namespace ProxyKit.Caching;

/// <summary>The entries of <see cref="CacheConfig.StatusTimeToLive"/>: texts in the record, as in all its maps.</summary>
internal static class StatusTimes
{
    public const string AllowedKeys = "a status from 200 to 599 or a class of them, such as 404 or 4xx";

    public const string AllowedTimes = "a time such as 00:01:30, at least 0";

    public static bool IsValidKey(string key) =>
        key.Length == 3 && key[0] is >= '2' and <= '5' && (key[1..].Equals("xx", StringComparison.OrdinalIgnoreCase) || (char.IsAsciiDigit(key[1]) && char.IsAsciiDigit(key[2])));

    // A number alone would be days: nobody who writes 30 means that.
    public static bool TryParse(string text, out TimeSpan time) =>
        TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out time) && text.Contains(':', StringComparison.Ordinal);

    public static string Format(TimeSpan time) => time.ToString("c", CultureInfo.InvariantCulture);
}
