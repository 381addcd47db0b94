using System.Collections.Frozen;
using ProxyKit.Configuration;

namespace ProxyKit.Compression;

/// <summary>The media types that a route compresses.</summary>
internal sealed class CompressibleTypes
{
    private readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> _exact;
    // "text/*" and "application/*+json": what it begins with, and what it ends with.
    private readonly (string Start, string End)[] _patterns;
    private readonly bool _serverSentEvents;

    public CompressibleTypes(CompressionConfig config)
    {
        _exact = config.MimeTypes.Where(type => !type.Contains('*', StringComparison.Ordinal)).ToFrozenSet(StringComparer.OrdinalIgnoreCase).GetAlternateLookup<ReadOnlySpan<char>>();
        _patterns = [.. config.MimeTypes.Where(type => type.Contains('*', StringComparison.Ordinal)).Select(Split)];
        _serverSentEvents = config.ServerSentEvents;
    }

    /// <summary>What compresses well, and is not compressed in itself as pictures, films and WOFF fonts are.</summary>
    public static ValueList<string> Default { get; } =
    [
        "text/*",
        "application/json", "application/*+json", "application/x-ndjson", "application/graphql",
        "application/xml", "application/*+xml", "image/svg+xml",
        "application/javascript", "application/x-javascript", "application/ecmascript",
        "application/wasm",
        "application/vnd.ms-fontobject", "font/ttf", "font/otf", "application/x-font-ttf",
        "image/x-icon", "image/vnd.microsoft.icon", "image/bmp",
    ];

    public static bool IsPattern(string type)
    {
        var slash = type.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
            return false;
        var (main, sub) = (type[..slash], type[(slash + 1)..]);
        if (main == "*")
            return sub == "*";
        return Tokens.IsToken(main) && !main.Contains('*', StringComparison.Ordinal) && Tokens.IsToken(sub) && (sub.LastIndexOf('*') is -1 || (sub[0] == '*' && sub.LastIndexOf('*') == 0 && (sub.Length == 1 || sub[1] == '+')));
    }

    public bool Contains(string? contentType)
    {
        if (contentType is null)
            return false;
        var type = contentType.AsSpan();
        if (type.IndexOf(';') is >= 0 and var end)
            type = type[..end];
        type = type.Trim();
        if (type.IsEmpty)
            return false;
        if (type.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase))
            return _serverSentEvents;
        // Its messages are compressed one by one, if at all, and are not to wait for each other.
        if (type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase))
            return false;
        if (_exact.Contains(type))
            return true;
        foreach (var (start, ending) in _patterns)
        {
            if (type.Length >= start.Length + ending.Length && type.StartsWith(start, StringComparison.OrdinalIgnoreCase) && type.EndsWith(ending, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    private static (string Start, string End) Split(string type) =>
        type == "*/*" ? ("", "") : (type[..type.IndexOf('*', StringComparison.Ordinal)], type[(type.IndexOf('*', StringComparison.Ordinal) + 1)..]);
}
