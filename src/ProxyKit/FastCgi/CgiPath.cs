using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>A request's path, decoded once.</summary>
/// <param name="Text">It begins with a slash, and has neither controls nor dot segments.</param>
/// <param name="LiteralLength">
/// How much of it there is before the first slash that was written as <c>%2F</c>. Routing and authorization saw no separator there, so no folder and no script may be named
/// beyond: <c>/admin%2Fx.php</c> is not <c>/admin/x.php</c>.
/// </param>
internal readonly record struct CgiPath(string Text, int LiteralLength)
{
    /// <summary>Whether all slashes up to here, and the one here, were slashes for routing as well.</summary>
    public bool IsLiteral(int end) => end < LiteralLength || LiteralLength == Text.Length;

    /// <summary>Decodes a path as it would be sent; says why it cannot name anything.</summary>
    public static Rejection? Decode(string encoded, out CgiPath path)
    {
        var literal = encoded.Length;
        var text = encoded;
        if (encoded.Contains('%', StringComparison.Ordinal))
        {
            var rented = ArrayPool<byte>.Shared.Rent(encoded.Length);
            var problem = Decode(encoded, rented, out var length, out var encodedSlash);
            if (problem is null)
            {
                var bytes = rented.AsSpan(0, length);
                text = Encoding.UTF8.GetString(bytes);
                literal = encodedSlash < 0 ? text.Length : Encoding.UTF8.GetCharCount(bytes[..encodedSlash]);
            }
            ArrayPool<byte>.Shared.Return(rented);
            if (problem is not null)
            {
                path = default;
                return problem;
            }
        }

        if (PathEncoding.HasDotSegment(text))
        {
            if (literal < text.Length)
            {
                path = default;
                return new(400, "dot segments beside an encoded slash");
            }
            text = PathEncoding.RemoveDotSegments(text); // a transform's own
            literal = text.Length;
        }
        path = new(text, literal);
        return null;
    }

    private static Rejection? Decode(string encoded, Span<byte> bytes, out int length, out int encodedSlash)
    {
        (length, encodedSlash) = (0, -1);
        for (var i = 0; i < encoded.Length; i++)
        {
            var value = encoded[i];
            if (value == '%')
            {
                if (i + 2 >= encoded.Length || !char.IsAsciiHexDigit(encoded[i + 1]) || !char.IsAsciiHexDigit(encoded[i + 2]))
                    return new(400, "a percent sign in the path that encodes nothing");
                value = (char)byte.Parse(encoded.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
                i += 2;
                if (value == '/' && encodedSlash < 0)
                    encodedSlash = length;
            }
            // A new line once kept nginx's regular expression from finding the script's end (CVE-2019-11043); a NUL ends a file's name in C.
            if (value < ' ' || value == '\u007f')
                return new(400, "an encoded control character in the path");
            bytes[length++] = (byte)value;
        }
        var decoded = bytes[..length];
        if (!Utf8.IsValid(decoded))
            return new(404, "a path that is not UTF-8");
        // U+0080 to U+009F
        for (var i = decoded.IndexOf((byte)0xC2); i >= 0 && i + 1 < decoded.Length; i++)
        {
            if (decoded[i] == 0xC2 && decoded[i + 1] < 0xA0)
                return new(400, "an encoded control character in the path");
        }
        return null;
    }
}
