using ProxyKit.Diagnostics;

namespace ProxyKit.Forwarding;

/// <summary>What all forwarders of an app share.</summary>
internal sealed class ForwarderServices(
    Microsoft.Extensions.Options.IOptions<ReverseProxyOptions> options,
    Microsoft.Extensions.Logging.ILoggerFactory loggers,
    ProxyTracing tracing,
    ExchangeClock.Pool clocks,
    Mirroring.MirrorMetrics mirrorMetrics,
    Buffering.BufferingServices buffering,
    Caching.CacheServices caching,
    Compression.CompressionServices compression,
    Configuration.ContentFiles files,
    ClientDataRate dataRate,
    Microsoft.Extensions.Hosting.IHostApplicationLifetime? lifetime = null)
{
    public ReverseProxyOptions Options { get; } = options.Value;

    public TrustedPeers TrustedPeers { get; } = new(options.Value.TrustedProxies);

    public ProxyLog Log { get; } = new(loggers, dataRate, clocks.Time);

    public ClientDataRate DataRate { get; } = dataRate;

    public Microsoft.Extensions.Logging.ILoggerFactory Loggers { get; } = loggers;

    public ProxyTracing Tracing { get; } = tracing;

    public ExchangeClock.Pool Clocks { get; } = clocks;

    public Mirroring.MirrorMetrics MirrorMetrics { get; } = mirrorMetrics;

    public Buffering.BufferingServices Buffering { get; } = buffering;

    public Caching.CacheServices Caching { get; } = caching;

    public Compression.CompressionServices Compression { get; } = compression;

    public Configuration.ContentFiles Files { get; } = files;

    public CancellationToken Stopping { get; } = lifetime?.ApplicationStopping ?? CancellationToken.None;
}
