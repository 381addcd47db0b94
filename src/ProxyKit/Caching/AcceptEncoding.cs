using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>Which codings a client accepts (RFC 9110 §12.5.3).</summary>
internal static class AcceptEncoding
{
    private const int MaxRemembered = 256;

    private static readonly string[] s_texts =
    [
        "identity", "br", "gzip", "br,gzip", "zstd", "br,zstd", "gzip,zstd", "br,gzip,zstd",
        "!identity", "br,!identity", "gzip,!identity", "br,gzip,!identity", "zstd,!identity", "br,zstd,!identity", "gzip,zstd,!identity", "br,gzip,zstd,!identity",
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
    /// One text for all that mean the same: <c>br</c>, <c>gzip</c> and <c>zstd</c>, those of them that are accepted, in this order and separated by commas; <c>identity</c> if none is. A client that
    /// does not accept a response without coding has <c>!identity</c> at the end.
    /// </summary>
    public static string Normalize(StringValues lines) => Look(lines).Text;

    /// <summary>Whether all of it could be read.</summary>
    public static bool IsWellFormed(StringValues lines) => Look(lines).IsWellFormed;

    /// <summary>Whether a response's codings are among those that the text for a request names, so that all with the same text can read it.</summary>
    public static bool Covers(StringValues lines, StringValues contentEncoding)
    {
        if (!IsWellFormed(lines))
            return false;
        foreach (var coding in new FieldList(contentEncoding))
        {
            if (!coding.Equals("identity", StringComparison.OrdinalIgnoreCase) && (Look(lines).Accepted & Find(coding)) == Codings.None)
                return false;
        }
        return true;
    }

    private static Remembered Look(StringValues lines)
    {
        if (lines.Count == 0)
            return Remembered.Absent;
        if (lines.Count > 1 || lines[0] is not { Length: <= MaxRemembered } line)
            return Parse(lines, "");
        ref var slot = ref s_remembered[(line.Length + (line.Length > 0 ? line[^1] : 0)) & (s_remembered.Length - 1)];
        var remembered = Volatile.Read(ref slot);
        if (remembered is null || remembered.Line != line)
            Volatile.Write(ref slot, remembered = Parse(lines, line));
        return remembered;
    }

    private static Remembered Parse(StringValues lines, string line)
    {
        var (accepted, refused) = (Codings.None, Codings.None);
        var (isWellFormed, all, identity) = (true, (bool?)null, (bool?)null);
        foreach (var member in new FieldList(lines))
        {
            isWellFormed &= Quality.TryParse(member, out var name, out var quality);
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
        return new(line, accepted, isWellFormed);
    }

    private static Codings Find(ReadOnlySpan<char> name)
    {
        if (name.Equals("gzip", StringComparison.OrdinalIgnoreCase) || name.Equals("x-gzip", StringComparison.OrdinalIgnoreCase))
            return Codings.Gzip;
        if (name.Equals("br", StringComparison.OrdinalIgnoreCase))
            return Codings.Brotli;
        return name.Equals("zstd", StringComparison.OrdinalIgnoreCase) ? Codings.Zstandard : Codings.None;
    }

    private sealed record Remembered(string Line, Codings Accepted, bool IsWellFormed)
    {
        public static Remembered Absent { get; } = new("", Codings.None, true);

        public string Text => s_texts[(int)Accepted];
    }
}
