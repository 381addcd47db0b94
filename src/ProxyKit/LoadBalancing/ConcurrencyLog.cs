using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;
using ProxyKit.Pipeline;

namespace ProxyKit.LoadBalancing;

/// <summary>The log messages of a cluster's queue. When thousands are turned away, one line in ten seconds says so.</summary>
internal sealed partial class ConcurrencyLog(Cluster cluster)
{
    private readonly ILogger _logger = cluster.Services.Loggers.CreateLogger(ProxyLog.Category);
    private readonly Throttle _full = new(), _timeouts = new();

    public void Rejected(ProxyContext proxy, ProxyError error, ConcurrencyLimitsConfig limits, int activeRequests)
    {
        RequestTurnedAway(proxy.Route.RouteId, cluster.ClusterId, error);
        if (error == ProxyError.QueueFull && _full.TryPass(cluster.Services.Time, out var count))
            QueueFull(cluster.ClusterId, count, activeRequests, limits.QueueLimit);
        else if (error == ProxyError.QueueTimeout && _timeouts.TryPass(cluster.Services.Time, out count))
            QueueTimeout(cluster.ClusterId, count, activeRequests, limits.QueueTimeout);
    }

    [LoggerMessage(40, LogLevel.Warning,
        "Cluster {ClusterId}: all destinations are at their limits ({ActiveRequests} requests) and {QueueLimit} more wait; {Rejected} since the last such line were answered with 503", EventName = "QueueFull")]
    private partial void QueueFull(string clusterId, int rejected, int activeRequests, int queueLimit);

    [LoggerMessage(41, LogLevel.Warning,
        "Cluster {ClusterId}: all destinations are at their limits ({ActiveRequests} requests); {Rejected} since the last such line waited {QueueTimeout} in vain and were answered with 503", EventName = "QueueTimeout")]
    private partial void QueueTimeout(string clusterId, int rejected, int activeRequests, TimeSpan queueTimeout);

    [LoggerMessage(42, LogLevel.Debug, "Route {RouteId}: no destination of cluster {ClusterId} was free: {Error}", EventName = "RequestTurnedAway")]
    private partial void RequestTurnedAway(string routeId, string clusterId, ProxyError error);
}
