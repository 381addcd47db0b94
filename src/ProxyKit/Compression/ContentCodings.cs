namespace ProxyKit;

/// <summary>The names of content codings, as <c>Accept-Encoding</c> and <see cref="CompressionConfig.Codings"/> have them.</summary>
public static class ContentCodings
{
    /// <summary>Zstandard (RFC 8878). It needs the package <c>ProxyKit.Zstd</c> and <c>AddZstdCompression()</c>.</summary>
    public const string Zstd = "zstd";

    /// <summary>Brotli (RFC 7932).</summary>
    public const string Brotli = "br";

    /// <summary>gzip (RFC 1952).</summary>
    public const string Gzip = "gzip";
}
