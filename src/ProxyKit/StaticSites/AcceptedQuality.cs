using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.StaticSites;

/// <summary>How much a client likes something, as its <c>Accept…</c> fields say (RFC 9110 §12.4.2).</summary>
internal static class AcceptedQuality
{
    /// <summary>From 0, not at all, to 1000; null where the field does not name it.</summary>
    public static int? Of(StringValues lines, ReadOnlySpan<char> name)
    {
        int? found = null;
        foreach (var line in lines)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                var member = line.AsSpan()[range];
                var semicolon = member.IndexOf(';');
                var value = (semicolon < 0 ? member : member[..semicolon]).Trim();
                if (value.Equals(name, StringComparison.OrdinalIgnoreCase))
                    found = Math.Max(found ?? 0, semicolon < 0 ? 1000 : Weight(member[(semicolon + 1)..]));
            }
        }
        return found;
    }

    // A weight that is none is taken for "not at all": what a client did not ask for it may not understand.
    private static int Weight(ReadOnlySpan<char> parameters)
    {
        foreach (var range in parameters.Split(';'))
        {
            var parameter = parameters[range].Trim();
            if (parameter.Length < 2 || (parameter[0] | 0x20) != 'q' || parameter[1] != '=')
                continue;
            return double.TryParse(parameter[2..], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var weight) && weight <= 1 ? (int)(weight * 1000) : 0;
        }
        return 1000;
    }
}
