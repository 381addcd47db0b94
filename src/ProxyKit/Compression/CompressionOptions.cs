using System.Globalization;

namespace ProxyKit;

/// <summary>A route's compression; see <see cref="CompressionConfig"/>.</summary>
public sealed class CompressionOptions
{
    /// <inheritdoc cref="CompressionConfig.Enabled"/>
    public bool Enabled { get; set; }

    /// <inheritdoc cref="CompressionConfig.Codings"/>
    public IList<string> Codings { get; } = [];

    /// <inheritdoc cref="CompressionConfig.Levels"/>
    public IDictionary<string, int> Levels { get; } = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);

    /// <inheritdoc cref="CompressionConfig.MimeTypes"/>
    /// <remarks>The defaults are in it: add to them, or clear them.</remarks>
    public IList<string> MimeTypes { get; } = [];

    /// <inheritdoc cref="CompressionConfig.MinimumSize"/>
    public long MinimumSize { get; set; }

    /// <inheritdoc cref="CompressionConfig.EnableForHttps"/>
    public bool EnableForHttps { get; set; }

    /// <inheritdoc cref="CompressionConfig.ServerSentEvents"/>
    public bool ServerSentEvents { get; set; }

    /// <inheritdoc cref="CompressionConfig.Decompress"/>
    public bool Decompress { get; set; }

    /// <inheritdoc cref="CompressionConfig.MaxDecompressedSize"/>
    public long MaxDecompressedSize { get; set; }

    /// <inheritdoc cref="CompressionConfig.MaxDecompressionRatio"/>
    public int MaxDecompressionRatio { get; set; }

    internal void Read(CompressionConfig config)
    {
        Enabled = config.Enabled;
        foreach (var coding in config.Codings)
            Codings.Add(coding);
        foreach (var (coding, level) in config.Levels)
            Levels[coding] = int.TryParse(level, CultureInfo.InvariantCulture, out var number) ? number : 0;
        foreach (var type in config.MimeTypes)
            MimeTypes.Add(type);
        MinimumSize = config.MinimumSize;
        EnableForHttps = config.EnableForHttps;
        ServerSentEvents = config.ServerSentEvents;
        Decompress = config.Decompress;
        MaxDecompressedSize = config.MaxDecompressedSize;
        MaxDecompressionRatio = config.MaxDecompressionRatio;
    }

    internal CompressionConfig ToConfig() => new()
    {
        Enabled = Enabled,
        Codings = Codings.ToValueList(),
        Levels = Levels.Count == 0 ? ValueMap.Empty : new(Levels.Select(level => new KeyValuePair<string, string>(level.Key, level.Value.ToString(CultureInfo.InvariantCulture)))),
        MimeTypes = MimeTypes.ToValueList(),
        MinimumSize = MinimumSize,
        EnableForHttps = EnableForHttps,
        ServerSentEvents = ServerSentEvents,
        Decompress = Decompress,
        MaxDecompressedSize = MaxDecompressedSize,
        MaxDecompressionRatio = MaxDecompressionRatio,
    };
}
