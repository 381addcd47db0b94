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
        var named = Named(lines, coding);
        return Math.Max(named >= 0 ? named : Named(lines, "*"), 0);
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
        return best is not null && Named(lines, "identity") > quality ? null : best;
    }

    /// <summary>The same without <c>*</c>: -1 where the coding is not named.</summary>
    public static int Named(StringValues lines, string coding)
    {
        var quality = AcceptedQuality.Of(lines, coding);
        // RFC 9110 §8.4.1.3: the same by another name.
        return coding.Equals("gzip", StringComparison.OrdinalIgnoreCase) ? Math.Max(quality, AcceptedQuality.Of(lines, "x-gzip")) : quality;
    }
}
