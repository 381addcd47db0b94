using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Forwarding;

/// <summary>
/// Header values on their way to the wire, where each char is one byte (latin-1): so what a peer sent passes byte for byte. What the proxy itself puts into a header is
/// encoded here first.
/// </summary>
internal static class HeaderText
{
    private static readonly ConcurrentDictionary<string, Encoding> s_encodings = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Latin-1 that throws where other implementations write a question mark.</summary>
    public static Encoding Latin1 { get; } = Encoding.GetEncoding("iso-8859-1", EncoderFallback.ExceptionFallback, DecoderFallback.ReplacementFallback);

    /// <summary>The encoding of that name; null for latin-1.</summary>
    public static Encoding? For(string? name)
    {
        if (name is null)
            return null;
        var encoding = s_encodings.GetOrAdd(name, static name => Encoding.GetEncoding(name, EncoderFallback.ExceptionFallback, DecoderFallback.ReplacementFallback));
        return encoding.CodePage == Latin1.CodePage ? null : encoding;
    }

    /// <summary>Whether a header can be written in this encoding: one in which ASCII is ASCII.</summary>
    public static bool IsUsable(Encoding encoding) => encoding.GetBytes("a:") is [(byte)'a', (byte)':'];

    /// <summary>Whether each char is a byte.</summary>
    public static bool IsWire(string value) => !value.AsSpan().ContainsAnyExceptInRange('\0', '\u00ff');

    /// <summary>Encodes text for a header; null if the encoding has no bytes for it.</summary>
    public static string? ToWire(string text, Encoding? encoding)
    {
        if (Ascii.IsValid(text))
            return text;
        if (encoding is null)
            return IsWire(text) ? text : null;
        try
        {
            return Encoding.Latin1.GetString(encoding.GetBytes(text));
        }
        catch (EncoderFallbackException)
        {
            return null;
        }
    }

    /// <summary>Reads a header's bytes as text.</summary>
    public static string FromWire(string wire, Encoding encoding) => Ascii.IsValid(wire) ? wire : encoding.GetString(Encoding.Latin1.GetBytes(wire));

    /// <summary>A host name as it is sent: an internationalized one as its A-label (RFC 5891 §2.3.2.1).</summary>
    public static string? Host(string? host) => host is null || Ascii.IsValid(host) ? host : new HostString(host).ToUriComponent();
}
