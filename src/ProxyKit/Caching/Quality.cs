using ProxyKit.Configuration;

namespace ProxyKit.Caching;

/// <summary>Members of lists with a weight (RFC 9110 §12.4.2).</summary>
internal static class Quality
{
    /// <summary>The member's name, and its weight in thousandths; 1000 where there is none. False if there is anything else.</summary>
    public static bool TryParse(ReadOnlySpan<char> member, out ReadOnlySpan<char> name, out int quality)
    {
        quality = 1000;
        var semicolon = member.IndexOf(';');
        name = (semicolon < 0 ? member : member[..semicolon]).Trim(" \t");
        if (semicolon < 0)
            return Tokens.IsToken(name);
        var weight = member[(semicolon + 1)..].Trim(" \t");
        if (weight is not ['q' or 'Q', '=', .. var value] || value.Length is 0 or > 5 || value[0] is not ('0' or '1') || (value.Length > 1 && value[1] != '.'))
            return false;
        var (sum, unit) = ((value[0] - '0') * 1000, 100);
        for (var i = 2; i < value.Length; i++, unit /= 10)
        {
            if (!char.IsAsciiDigit(value[i]))
                return false;
            sum += (value[i] - '0') * unit;
        }
        if (sum > 1000)
            return false;
        quality = sum;
        return Tokens.IsToken(name);
    }
}
