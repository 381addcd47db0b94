using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace ProxyKit.Compression;

/// <summary>The fields that are about a response's content, when that gets another coding.</summary>
internal static class ContentFields
{
    // Digests are of the bytes of one coding, and ranges count them (RFC 9530 §3, RFC 3230 §4.3.2).
    private static readonly string[] s_ofTheBytes = [HeaderNames.AcceptRanges, HeaderNames.ContentMD5, "Digest", "Content-Digest", "Repr-Digest"];

    /// <summary>RFC 9111 §5.2.2.6, §5.2.1.6.</summary>
    public static bool IsNoTransform(StringValues cacheControl) => Lists(cacheControl, "no-transform");

    /// <summary>Says that the answer depends on <c>Accept-Encoding</c> (RFC 9110 §12.5.5).</summary>
    public static void Vary(IHeaderDictionary headers)
    {
        var vary = headers.Vary;
        if (Lists(vary, HeaderNames.AcceptEncoding) || Lists(vary, "*"))
            return;
        headers.Vary = vary is [{ Length: > 0 } only] ? $"{only}, {HeaderNames.AcceptEncoding}" : StringValues.IsNullOrEmpty(vary) ? HeaderNames.AcceptEncoding : StringValues.Concat(vary, HeaderNames.AcceptEncoding);
    }

    /// <summary>The bytes are others from now on.</summary>
    public static void DropDigests(IHeaderDictionary headers)
    {
        headers.ContentLength = null;
        foreach (var name in s_ofTheBytes)
            headers.Remove(name);
    }

    /// <summary>Digests that came with the trailers.</summary>
    public static void DropTrailingDigests(IHeaderDictionary trailers)
    {
        foreach (var name in s_ofTheBytes)
            trailers.Remove(name);
    }

    /// <summary>Whether a list field has this member.</summary>
    private static bool Lists(StringValues lines, string member)
    {
        foreach (var line in lines)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                if (line.AsSpan()[range].Trim().Equals(member, StringComparison.OrdinalIgnoreCase))
                    return true;
            }
        }
        return false;
    }
}
