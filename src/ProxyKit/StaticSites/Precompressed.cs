using Microsoft.AspNetCore.Http;
using ProxyKit.Compression;
using ProxyKit.FastCgi;

namespace ProxyKit.StaticSites;

/// <summary>Finds a file's compressed siblings, and the one that a client likes best (RFC 9110 §12.5.3).</summary>
internal sealed class Precompressed(ValueList<string> encodings, FileMap files)
{
    /// <summary>The ending of a sibling's name; null for an encoding that has none.</summary>
    public static string? Extension(string encoding) => encoding switch
    {
        "br" => ".br",
        "gzip" => ".gz",
        "zstd" => ".zst",
        _ => null,
    };

    /// <summary>What is sent in the file's place.</summary>
    /// <param name="request">Its <c>Accept-Encoding</c> decides.</param>
    /// <param name="text">The file's path below the root.</param>
    /// <param name="target">The file.</param>
    /// <param name="encoding">How that is compressed; null for the file as it is.</param>
    /// <param name="varies">Whether another request may get another encoding.</param>
    public string Choose(HttpRequest request, string text, SiteTarget target, out string? encoding, out bool varies)
    {
        var chosen = target.File!;
        encoding = null;
        varies = false;
        if (encodings.Count == 0 || IsCompressed(target.ContentType!))
            return chosen;
        var accepted = request.Headers.AcceptEncoding;
        // "identity" that is not named is acceptable, and worth less than anything that is.
        var best = Math.Max(AcceptEncoding.Named(accepted, "identity"), 1);
        var modified = DateTime.MinValue;
        foreach (var candidate in encodings.AsSpan())
        {
            var quality = AcceptEncoding.Quality(accepted, candidate);
            // The first of those that are liked alike; a worse one only matters for Vary, which has been found out then.
            if (varies && (encoding is null ? quality < best : quality <= best))
                continue;
            if (files.Look(text + Extension(candidate), out var file) != FileKind.Regular || files.Serve(text + Extension(candidate), file) is not { File: { } sibling })
                continue;
            if (modified == DateTime.MinValue)
                modified = File.GetLastWriteTimeUtc(target.File!);
            if (!IsOfToday(File.GetLastWriteTimeUtc(sibling), modified))
                continue;
            varies = true;
            if (quality > best || (encoding is null && quality == best))
                (best, encoding, chosen) = (quality, candidate, sibling);
        }
        return chosen;
    }

    // Older than the file is what the file was before. Some programs (brotli) hand the file's time on without its fraction of a second.
    private static bool IsOfToday(DateTime sibling, DateTime file) => sibling >= file || sibling == file.AddTicks(-(file.Ticks % TimeSpan.TicksPerSecond));

    // Nobody compresses these again, so nobody has to look for it.
    private static bool IsCompressed(string contentType) =>
        (contentType.StartsWith("image/", StringComparison.Ordinal) && contentType is not ("image/svg+xml" or "image/bmp" or "image/x-icon"))
        || contentType.StartsWith("video/", StringComparison.Ordinal) || contentType.StartsWith("audio/", StringComparison.Ordinal)
        || contentType is "font/woff" or "font/woff2" or "application/font-woff" or "application/zip" or "application/x-zip-compressed" or "application/gzip" or "application/x-gzip" or "application/zstd";
}
