using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;

namespace ProxyKit.Mirroring;

/// <summary>The log messages of mirrors. All at Debug: what becomes of a copy is a metric, and there can be thousands.</summary>
internal sealed partial class MirrorLog(ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger(ProxyLog.Category);

    [LoggerMessage(111, LogLevel.Debug, "Route {RouteId}: a request was not mirrored to {ClusterId}: {Reason}", EventName = "MirrorDropped")]
    public partial void Dropped(string routeId, string clusterId, MirrorDrop reason);

    [LoggerMessage(112, LogLevel.Debug, "Route {RouteId}: a mirrored request to cluster {ClusterId}, destination {Destination}, failed: {Error}", EventName = "MirrorFailed")]
    public partial void Failed(string routeId, string clusterId, string destination, ProxyError error, Exception exception);

    [LoggerMessage(113, LogLevel.Debug, "Route {RouteId}: a request could not be copied for {ClusterId}", EventName = "MirrorNotPrepared")]
    public partial void NotPrepared(string routeId, string clusterId, Exception exception);
}
