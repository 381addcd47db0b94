using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Compression;

/// <summary>A client's <c>Accept-Encoding</c> (RFC 9110 §12.5.3).</summary>
internal static class AcceptEncoding
{
    /// <summary>
    /// How much the client likes a coding, in thousandths; 0 if it does not accept it. One that is not named counts as <c>*</c>, and where there is no field at all, none is accepted: the RFC would allow
    /// any, but those who send none cannot decode them.
    /// </summary>
    public static int Quality(StringValues lines, string coding)
    {
        var named = Find(lines, coding);
        return Math.Max(named >= 0 ? named : Find(lines, "*"), 0);
    }

    /// <summary>The one that the client likes best, of equals the first; null for none, or where it likes the bare content better.</summary>
    public static IContentCoding? Choose(StringValues lines, IContentCoding[] codings)
    {
        if (lines.Count == 0)
            return null;
        IContentCoding? best = null;
        var quality = 0;
        foreach (var coding in codings)
        {
            if (Quality(lines, coding.Name) is var other && other > quality)
                (best, quality) = (coding, other);
        }
        return best is not null && Find(lines, "identity") > quality ? null : best;
    }

    // -1 when it is not there.
    private static int Find(StringValues lines, string coding)
    {
        var found = -1;
        foreach (var line in lines)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                var member = line.AsSpan()[range];
                var parameters = member.IndexOf(';');
                var name = (parameters < 0 ? member : member[..parameters]).Trim();
                // RFC 9110 §8.4.1.3: the same by another name.
                if (name.Equals("x-gzip", StringComparison.OrdinalIgnoreCase))
                    name = "gzip";
                if (name.Equals(coding, StringComparison.OrdinalIgnoreCase))
                    found = Math.Max(found, parameters < 0 ? 1000 : Weight(member[(parameters + 1)..]));
            }
        }
        return found;
    }

    // RFC 9110 §12.4.2. What is no weight makes the member none; -1.
    private static int Weight(ReadOnlySpan<char> parameters)
    {
        foreach (var range in parameters.Split(';'))
        {
            var parameter = parameters[range].Trim();
            if (parameter.Length < 2 || (parameter[0] | 0x20) != 'q' || parameter[1] != '=')
                continue;
            return decimal.TryParse(parameter[2..].Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var weight) && weight <= 1 ? (int)(weight * 1000) : -1;
        }
        return 1000;
    }
}
