using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;

namespace ProxyKit.SessionAffinity;

/// <summary>The log messages of session affinity.</summary>
internal sealed partial class AffinityLog(ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger(ProxyLog.Category);

    public void Unavailable(Destination destination, bool redistributes)
    {
        if (!_logger.IsEnabled(LogLevel.Information))
            return;
        var reason = destination.Mode == DestinationMode.Maintenance ? "in maintenance" : "unhealthy";
        if (redistributes)
            AffinityRedistributed(destination.ClusterId, destination.Name, reason);
        else
            AffinityRejected(destination.ClusterId, destination.Name, reason);
    }

    [LoggerMessage(70, LogLevel.Information, "Cluster {ClusterId}: a session belongs to {Destination}, which is {Reason}; it moves to another destination", EventName = "AffinityRedistributed")]
    private partial void AffinityRedistributed(string clusterId, string destination, string reason);

    [LoggerMessage(71, LogLevel.Information, "Cluster {ClusterId}: a session belongs to {Destination}, which is {Reason}; its request is answered with 503", EventName = "AffinityRejected")]
    private partial void AffinityRejected(string clusterId, string destination, string reason);

    [LoggerMessage(72, LogLevel.Debug, "Cluster {ClusterId}: a session's key names no destination: it is out of date, or made up", EventName = "AffinityKeyUnknown")]
    public partial void KeyUnknown(string clusterId);

    [LoggerMessage(73, LogLevel.Warning, "Cluster {ClusterId}: more than {MaxSessions} sessions, some are forgotten before their time; raise SessionAffinity.Learn.MaxSessions", EventName = "AffinitySessionsForgotten")]
    public partial void SessionsForgotten(string clusterId, int maxSessions);
}
