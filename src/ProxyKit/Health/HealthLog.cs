using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;
using ProxyKit.LoadBalancing;

namespace ProxyKit.Health;

/// <summary>The log messages of health checks: one when a verdict changes, none for a single probe above Debug.</summary>
internal sealed partial class HealthLog(ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger(ProxyLog.Category);

    /// <summary>What an operator must know of a change in what can be chosen. Nothing of a cluster that never had a destination.</summary>
    public void Changed(string clusterId, Rotation? before, Rotation now)
    {
        if (now.IsPanic != (before?.IsPanic ?? false))
        {
            if (now.IsPanic)
                PanicEntered(clusterId, now.Healthy.Length, now.Members.Length);
            else
                PanicLeft(clusterId, now.Healthy.Length, now.Members.Length);
        }
        if (before is null || (now.Available.Length == 0) == (before.Available.Length == 0))
            return;
        if (now.Available.Length == 0)
            ClusterUnavailable(clusterId, now.Members.Length);
        else if (before.Members.Length > 0)
            ClusterAvailable(clusterId, now.Available.Length, now.Members.Length);
    }

    [LoggerMessage(50, LogLevel.Information, "Cluster {ClusterId}: destination {Destination} is healthy by its health check", EventName = "DestinationHealthy")]
    public partial void DestinationHealthy(string clusterId, string destination);

    [LoggerMessage(51, LogLevel.Warning, "Cluster {ClusterId}: destination {Destination} is unhealthy by its health check: {Reason}", EventName = "DestinationUnhealthy")]
    public partial void DestinationUnhealthy(string clusterId, string destination, string reason);

    [LoggerMessage(52, LogLevel.Debug, "Cluster {ClusterId}: a probe of {Destination} failed: {Reason}", EventName = "ProbeFailed")]
    public partial void ProbeFailed(string clusterId, string destination, string reason);

    [LoggerMessage(53, LogLevel.Error, "Cluster {ClusterId}: no destination is available, requests are answered with 503; {Count} are in rotation", EventName = "ClusterUnavailable")]
    public partial void ClusterUnavailable(string clusterId, int count);

    [LoggerMessage(54, LogLevel.Information, "Cluster {ClusterId}: {Available} of {Count} destinations are available again", EventName = "ClusterAvailable")]
    public partial void ClusterAvailable(string clusterId, int available, int count);

    [LoggerMessage(55, LogLevel.Error, "Cluster {ClusterId}: only {Healthy} of {Count} destinations are healthy: panic, health is not looked at any more", EventName = "PanicEntered")]
    public partial void PanicEntered(string clusterId, int healthy, int count);

    [LoggerMessage(56, LogLevel.Information, "Cluster {ClusterId}: {Healthy} of {Count} destinations are healthy: the panic is over", EventName = "PanicLeft")]
    public partial void PanicLeft(string clusterId, int healthy, int count);

    [LoggerMessage(57, LogLevel.Warning, "Cluster {ClusterId}: not every destination was probed within {StartupWait}; the app starts all the same", EventName = "StartupWaitOver")]
    public partial void StartupWaitOver(string clusterId, TimeSpan startupWait);
}
