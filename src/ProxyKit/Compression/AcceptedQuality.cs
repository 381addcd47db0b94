using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Compression;

/// <summary>How much a client likes something, as its <c>Accept…</c> fields say (RFC 9110 §12.4.2).</summary>
internal static class AcceptedQuality
{
    /// <summary>In thousandths, from 0, not at all, to 1000; -1 where the field does not name it.</summary>
    public static int Of(StringValues lines, ReadOnlySpan<char> name)
    {
        var found = -1;
        foreach (var line in lines)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                var member = line.AsSpan()[range];
                var parameters = member.IndexOf(';');
                if ((parameters < 0 ? member : member[..parameters]).Trim().Equals(name, StringComparison.OrdinalIgnoreCase))
                    found = Math.Max(found, parameters < 0 ? 1000 : Weight(member[(parameters + 1)..]));
            }
        }
        return found;
    }

    // What is no weight makes the member none.
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
