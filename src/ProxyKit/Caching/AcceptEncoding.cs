using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>Which codings a client accepts (RFC 9110 §12.5.3).</summary>
internal static class AcceptEncoding
{
    private const int MaxRemembered = 256;

    private static readonly string[] s_texts =
    [
        "identity", "br", "gzip", "br,gzip", "zstd", "br,zstd", "gzip,zstd", "br,gzip,zstd",
        "identity;q=0", "br,identity;q=0", "gzip,identity;q=0", "br,gzip,identity;q=0",
        "zstd,identity;q=0", "br,zstd,identity;q=0", "gzip,zstd,identity;q=0", "br,gzip,zstd,identity;q=0",
    ];

    // Browsers say the same again and again: what was found out about the last few values.
    private static readonly Remembered?[] s_remembered = new Remembered?[16];

    [Flags]
    private enum Codings
    {
        None,
        Brotli = 1,
        Gzip = 2,
        Zstandard = 4,
        NoIdentity = 8,
    }

    /// <summary>
    /// One text for all that mean the same, which is such a field itself: <c>br</c>, <c>gzip</c> and <c>zstd</c>, those of them that are accepted, in this order and separated by commas;
    /// <c>identity</c> if none is. Weights do not count, as the server is free to choose among what is accepted. What does not parse is not accepted.
    /// </summary>
    public static string Normalize(StringValues lines)
    {
        if (lines.Count == 0)
            return s_texts[0];
        if (lines.Count > 1 || lines[0] is not { Length: > 0 and <= MaxRemembered } line)
            return Parse(lines);
        ref var slot = ref s_remembered[(line.Length + line[^1]) & (s_remembered.Length - 1)];
        var remembered = Volatile.Read(ref slot);
        if (remembered is null || remembered.Line != line)
            Volatile.Write(ref slot, remembered = new(line, Parse(lines)));
        return remembered.Text;
    }

    /// <summary>Whether a response has a coding.</summary>
    public static bool IsEncoded(StringValues contentEncoding)
    {
        foreach (var coding in new FieldList(contentEncoding))
        {
            if (!coding.Equals("identity", StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    private static string Parse(StringValues lines)
    {
        var (accepted, refused) = (Codings.None, Codings.None);
        bool? all = null, identity = null;
        foreach (var member in new FieldList(lines))
        {
            if (!Quality.TryParse(member, out var name, out var quality))
                continue;
            var isAccepted = quality > 0;
            if (name is "*")
                all = isAccepted;
            else if (name.Equals("identity", StringComparison.OrdinalIgnoreCase))
                identity = isAccepted;
            else if (isAccepted)
                accepted |= Find(name);
            else
                refused |= Find(name);
        }
        if (all == true)
            accepted |= Codings.Brotli | Codings.Gzip | Codings.Zstandard;
        accepted &= ~refused;
        if (!(identity ?? all ?? true))
            accepted |= Codings.NoIdentity;
        return s_texts[(int)accepted];
    }

    private static Codings Find(ReadOnlySpan<char> name)
    {
        if (name.Equals("gzip", StringComparison.OrdinalIgnoreCase) || name.Equals("x-gzip", StringComparison.OrdinalIgnoreCase))
            return Codings.Gzip;
        if (name.Equals("br", StringComparison.OrdinalIgnoreCase))
            return Codings.Brotli;
        return name.Equals("zstd", StringComparison.OrdinalIgnoreCase) ? Codings.Zstandard : Codings.None;
    }

    private sealed record Remembered(string Line, string Text);
}
