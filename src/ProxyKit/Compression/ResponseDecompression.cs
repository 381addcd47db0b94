using System.Globalization;
using System.IO.Compression;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Compression;

/// <summary>What a route decompresses, and how much of it.</summary>
internal sealed class ResponseDecompression(CompressionConfig config, CompressionServices services)
{
    /// <summary>The end of the entity tags of what was decompressed.</summary>
    public const string Identity = "identity";

    // Nothing to worry about up to here, however well it was compressed.
    private const long Harmless = 1024 * 1024;

    public CompressionMetrics Metrics => services.Metrics;

    /// <summary>The decoder of a response's coding; null if there is none.</summary>
    public Func<Stream, Stream>? Find(string coding)
    {
        if (coding.Equals("deflate", StringComparison.OrdinalIgnoreCase))
            return static source => new ZLibStream(source, CompressionMode.Decompress);
        return services.Find(coding.Equals("x-gzip", StringComparison.OrdinalIgnoreCase) ? ContentCodings.Gzip : coding) is { } known ? known.CreateDecoder : null;
    }

    public static bool IsAccepted(HttpRequest request, string coding) =>
        AcceptEncoding.Quality(request.Headers.AcceptEncoding, coding.Equals("x-gzip", StringComparison.OrdinalIgnoreCase) ? ContentCodings.Gzip : coding) > 0;

    /// <summary>Breaks off what becomes too large: a few bytes can be made to stand for terabytes.</summary>
    public void Check(long received, long decoded)
    {
        if (decoded > config.MaxDecompressedSize)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"The response's content is larger than MaxDecompressedSize, {config.MaxDecompressedSize} bytes."));
        if (decoded > Harmless && decoded / config.MaxDecompressionRatio > received)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"The response's content is more than MaxDecompressionRatio, {config.MaxDecompressionRatio} times, as large as what was sent."));
    }
}
