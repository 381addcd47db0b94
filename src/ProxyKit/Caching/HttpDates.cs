using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>
/// Dates in fields (RFC 9110 §5.6.7): the three forms, to the letter but for upper and lower case. What is nearly a date is none: a cache would keep longer what nobody has said how long to keep.
/// </summary>
internal static class HttpDates
{
    private const string Days = "SunMonTueWedThuFriSat";
    private const string Months = "JanFebMarAprMayJunJulAugSepOctNovDec";

    private static readonly string[] s_fullDays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

    /// <summary>Parses a date. <paramref name="now"/>: what decides the century of a year of two digits.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, DateTimeOffset now, out DateTimeOffset date)
    {
        text = text.Trim(" \t");
        date = default;
        // Sun, 06 Nov 1994 08:49:37 GMT
        if (text.Length == 29 && text[3] == ',')
            return text[4] == ' ' && text[7] == ' ' && text[11] == ' ' && text[16] == ' ' && IsGmt(text[25..]) && Index(Days, text[..3]) >= 0 &&
                TryMake(Digits(text.Slice(12, 4)), Index(Months, text.Slice(8, 3)), Digits(text.Slice(5, 2)), text.Slice(17, 8), out date);
        // Sun Nov  6 08:49:37 1994
        if (text.Length == 24 && text[3] == ' ')
            return text[7] == ' ' && text[10] == ' ' && text[19] == ' ' && Index(Days, text[..3]) >= 0 &&
                TryMake(Digits(text[20..]), Index(Months, text.Slice(4, 3)), Digits(text[8] == ' ' ? text.Slice(9, 1) : text.Slice(8, 2)), text.Slice(11, 8), out date);
        // Sunday, 06-Nov-94 08:49:37 GMT
        var comma = text.IndexOf(',');
        return comma is >= 6 and <= 9 && text.Length == comma + 24 && IsFullDay(text[..comma]) && TryParseRfc850(text[(comma + 1)..], now, out date);
    }

    /// <summary>The date of a field that must have one value; several lines are one only if they are the same.</summary>
    public static bool TryParse(StringValues lines, DateTimeOffset now, out DateTimeOffset date)
    {
        date = default;
        for (var i = 1; i < lines.Count; i++)
        {
            if (lines[i] != lines[0])
                return false;
        }
        return lines.Count > 0 && TryParse(lines[0], now, out date);
    }

    /// <summary>A date as fields have it.</summary>
    public static string Format(DateTimeOffset date) => date.ToString("r", CultureInfo.InvariantCulture);

    private static bool TryParseRfc850(ReadOnlySpan<char> text, DateTimeOffset now, out DateTimeOffset date)
    {
        date = default;
        if (text[0] != ' ' || text[3] != '-' || text[7] != '-' || text[10] != ' ' || !IsGmt(text[19..]) || Digits(text.Slice(8, 2)) is not (>= 0 and var year))
            return false;
        // What seems to be more than fifty years ahead is the last year that ended so.
        year += now.Year / 100 * 100;
        if (year > now.Year + 50)
            year -= 100;
        return TryMake(year, Index(Months, text.Slice(4, 3)), Digits(text.Slice(1, 2)), text.Slice(11, 8), out date);
    }

    private static bool TryMake(int year, int month, int day, ReadOnlySpan<char> time, out DateTimeOffset date)
    {
        date = default;
        if (year < 1 || month < 0 || day < 1 || day > DateTime.DaysInMonth(year, month + 1) || time[2] != ':' || time[5] != ':')
            return false;
        var (hour, minute, second) = (Digits(time[..2]), Digits(time.Slice(3, 2)), Digits(time[6..]));
        // 60 is a leap second.
        if (hour is < 0 or > 23 || minute is < 0 or > 59 || second is < 0 or > 60)
            return false;
        date = new(year, month + 1, day, hour, minute, Math.Min(second, 59), TimeSpan.Zero);
        return true;
    }

    /// <summary>Which of the names of three letters; -1 if none.</summary>
    private static int Index(string names, ReadOnlySpan<char> name)
    {
        for (var i = 0; i < names.Length; i += 3)
        {
            if (name.Equals(names.AsSpan(i, 3), StringComparison.OrdinalIgnoreCase))
                return i / 3;
        }
        return -1;
    }

    private static int Digits(ReadOnlySpan<char> text)
    {
        var value = 0;
        foreach (var c in text)
        {
            if (!char.IsAsciiDigit(c))
                return -1;
            value = (value * 10) + (c - '0');
        }
        return value;
    }

    private static bool IsGmt(ReadOnlySpan<char> text) => text.Equals(" GMT", StringComparison.OrdinalIgnoreCase);

    private static bool IsFullDay(ReadOnlySpan<char> text)
    {
        foreach (var day in s_fullDays)
        {
            if (text.Equals(day, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }
}
