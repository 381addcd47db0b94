using System.Globalization;
using System.Text;

namespace ProxyKit.InternalRedirects;

/// <summary>The path in <c>X-Accel-Redirect</c> or <c>X-Sendfile</c>: decoded once, and refused unless it plainly goes downwards.</summary>
internal static class InternalPath
{
    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The path's segments, each with a slash in front; null if it is not taken.</summary>
    public static string? Parse(string value)
    {
        if (Decode(value) is not { } path || path.Length < 2 || path[0] != '/' || path[^1] == '/')
            return null;
        var builder = new StringBuilder(path.Length);
        foreach (var range in path.AsSpan().Split('/'))
        {
            var segment = path.AsSpan(range);
            if (segment.IsEmpty)
                continue;
            if (segment is "." or "..")
                return null;
            builder.Append('/').Append(segment);
        }
        return builder.ToString();
    }

    /// <summary>Whether a part of the path is hidden: <c>.git</c>, <c>.env</c>, <c>.htpasswd</c>.</summary>
    public static bool IsHidden(string path) => path.Contains("/.", StringComparison.Ordinal);

    private static string? Decode(string value)
    {
        // Fields are bytes, read as latin-1; scripts write UTF-8 with escapes and without. A field that HttpClient was told to read as UTF-8 is text already.
        var bytes = value.AsSpan().ContainsAnyExceptInRange('\0', '\u00ff') ? s_utf8.GetBytes(value) : Encoding.Latin1.GetBytes(value);
        var length = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            var b = bytes[i];
            if (b == '%')
            {
                if (i + 2 >= bytes.Length || !char.IsAsciiHexDigit((char)bytes[i + 1]) || !char.IsAsciiHexDigit((char)bytes[i + 2]))
                    return null;
                b = byte.Parse(bytes.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
                i += 2;
            }
            if (b is < 0x20 or 0x7f or (byte)'\\')
                return null;
            bytes[length++] = b;
        }
        try
        {
            return s_utf8.GetString(bytes, 0, length);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
