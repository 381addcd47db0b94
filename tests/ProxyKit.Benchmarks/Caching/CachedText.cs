using System.Collections.Concurrent;
using System.IO.Compression;
using System.Text;

namespace ProxyKit.Benchmarks.Caching;

/// <summary>The bodies that the backend (<c>native/backend.c</c>) says may be stored: words, which compress about as a page does.</summary>
internal static class CachedText
{
    /// <summary>Asked for plainly.</summary>
    public const string PlainPath = "/c/";

    /// <summary>The same bodies, asked for with <c>Accept-Encoding: gzip</c>.</summary>
    public const string CompressedPath = "/z/";

    private static readonly string[] s_words =
    [
        "the", "cache", "of", "response", "and", "a", "request", "to", "field", "in", "that", "server", "is", "which", "header", "for",
        "<p>", "origin", "with", "stored", "as", "it", "</p>", "client", "not", "be", "message", "are", "by", "representation", "can", "validator",
    ];

    private static readonly ConcurrentDictionary<string, byte[]> s_bodies = new();

    public static bool IsAskedFor(string path) => path.StartsWith(PlainPath, StringComparison.Ordinal) || path.StartsWith(CompressedPath, StringComparison.Ordinal);

    /// <summary>The prepared body for a path of either kind.</summary>
    public static byte[] Of(string path) => s_bodies.TryGetValue(path, out var body) ? body : s_bodies.GetOrAdd(path, Make);

    private static byte[] Make(string path)
    {
        var text = Write(int.Parse(path.AsSpan(PlainPath.Length)));
        return path.StartsWith(CompressedPath, StringComparison.Ordinal) ? Compress(text) : text;
    }

    // The same in backend.c.
    private static byte[] Write(int length)
    {
        var text = new StringBuilder();
        for (var random = 1u; text.Length < length;)
        {
            random = (random * 1103515245) + 12345;
            text.Append(s_words[(random >> 16) & 31]).Append(' ');
        }
        return Encoding.ASCII.GetBytes(text.ToString(0, length));
    }

    // At ProxyKit's default level: who is compared with this writes the same bytes.
    private static byte[] Compress(byte[] text)
    {
        var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, new ZLibCompressionOptions { CompressionLevel = 5 }))
            gzip.Write(text);
        return compressed.ToArray();
    }
}
