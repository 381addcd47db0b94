using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;

namespace ProxyKit.TrafficSplitting;

/// <summary>The log messages of splits.</summary>
internal sealed partial class SplitLog(ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger(ProxyLog.Category);

    [LoggerMessage(110, LogLevel.Debug, "Route {RouteId}: cluster {ClusterId} has no destination available; {MainClusterId} takes a request of its share", EventName = "SplitShareUnavailable")]
    public partial void ShareUnavailable(string routeId, string clusterId, string mainClusterId);
}
