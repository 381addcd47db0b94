using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The step that compresses responses.</summary>
public static class ProxyCompressionSteps
{
    /// <summary>Compresses responses for clients that accept it, over HTTP; over HTTPS only where <see cref="CompressionConfig.EnableForHttps"/> is set. See <see cref="CompressionConfig"/>.</summary>
    public static ProxyRouteBuilder WithCompression(this ProxyRouteBuilder builder) => builder.WithCompression(static _ => { });

    /// <summary>Compresses responses for clients that accept it, with settings. Calls go on with what is there. See <see cref="CompressionConfig"/>.</summary>
    public static ProxyRouteBuilder WithCompression(this ProxyRouteBuilder builder, Action<CompressionOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.ConfigureRoute(route =>
        {
            var options = new CompressionOptions();
            options.Read(route.Compression ?? new());
            configure(options);
            return route with { Compression = options.ToConfig() };
        });
    }
}
