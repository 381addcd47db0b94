using ProxyKit.Compression;

namespace ProxyKit;

/// <summary>Compresses responses for clients that accept it, between the upstream and them. nginx: <c>gzip on</c>; Caddy: <c>encode</c>; ASP.NET Core: <c>UseResponseCompression</c>.</summary>
public sealed record CompressionConfig
{
    /// <summary>Whether it is done. Default: true.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>
    /// The codings that are offered, in the order in which they are preferred where a client likes several alike. Default: none named, which means all that are registered: <c>zstd</c> if it is
    /// (<c>AddZstdCompression()</c>), <c>br</c>, <c>gzip</c>, then those of your own.
    /// </summary>
    public ValueList<string> Codings { get; init; } = [];

    /// <summary>How hard each coding tries: its name to a level. <c>br</c>: 0 to 11, by default 4; <c>gzip</c>: 1 to 9, by default 5; <c>zstd</c>: -7 to 19, by default 3. nginx: <c>gzip_comp_level</c>.</summary>
    public ValueMap Levels { get; init; } = ValueMap.Empty;

    /// <summary>
    /// The media types that are compressed: <c>application/json</c>, <c>text/*</c>, <c>application/*+json</c>. Default: text, JSON, XML, scripts, WebAssembly, SVG and fonts that are not compressed
    /// already. nginx: <c>gzip_types</c>.
    /// </summary>
    public ValueList<string> MimeTypes { get; init; } = CompressibleTypes.Default;

    /// <summary>How long a response has to be to be worth it, in bytes, at least 0. One whose length is not known beforehand always is. Default: 1024. nginx: <c>gzip_min_length</c>.</summary>
    public long MinimumSize { get; init; } = 1024;

    /// <summary>
    /// Whether responses over HTTPS are compressed too. Their length then tells about their content (BREACH), so it is a choice: see <c>docs/compression.md</c>. Default: false. ASP.NET Core:
    /// <c>EnableForHttps</c>.
    /// </summary>
    public bool EnableForHttps { get; init; }

    /// <summary>Whether server-sent events are compressed, and flushed after each. Default: false.</summary>
    public bool ServerSentEvents { get; init; }

    /// <summary>
    /// Whether a response that the upstream has compressed with a coding (<c>gzip</c>, <c>deflate</c>, <c>br</c>, or any that is registered) which the client does not accept is decompressed. Default: false. nginx: <c>gunzip</c>.
    /// </summary>
    public bool Decompress { get; init; }

    /// <summary>The largest content that is decompressed, in bytes, at least 1. What is larger breaks off. Default: 268435456.</summary>
    public long MaxDecompressedSize { get; init; } = 256 * 1024 * 1024;

    /// <summary>How many times as large as what the upstream has sent the content may become, once it is more than a megabyte; at least 1. What is larger breaks off. Default: 100.</summary>
    public int MaxDecompressionRatio { get; init; } = 100;
}
