using ProxyKit.Configuration;

namespace ProxyKit.Compression;

/// <summary>A route's <c>Compression</c> in JSON.</summary>
internal static class CompressionReader
{
    public static CompressionConfig Read(SectionReader compression)
    {
        var defaults = new CompressionConfig();
        return new()
        {
            Enabled = compression.Bool("Enabled") ?? defaults.Enabled,
            Codings = compression.Texts("Codings"),
            Levels = compression.Map("Levels"),
            MimeTypes = compression.Has("MimeTypes") ? compression.Texts("MimeTypes") : defaults.MimeTypes,
            MinimumSize = compression.Long("MinimumSize") ?? defaults.MinimumSize,
            EnableForHttps = compression.Bool("EnableForHttps") ?? defaults.EnableForHttps,
            ServerSentEvents = compression.Bool("ServerSentEvents") ?? defaults.ServerSentEvents,
            Decompress = compression.Bool("Decompress") ?? defaults.Decompress,
            MaxDecompressedSize = compression.Long("MaxDecompressedSize") ?? defaults.MaxDecompressedSize,
            MaxDecompressionRatio = compression.Int("MaxDecompressionRatio") ?? defaults.MaxDecompressionRatio,
        };
    }
}
