using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;

namespace ProxyKit.FastCgi;

/// <summary>The log messages of a destination's connections. When thousands wait or are turned away, one line in ten seconds says so.</summary>
internal sealed partial class FastCgiConnectionLog(ILogger logger, TimeProvider time)
{
    private readonly ILogger _logger = logger;
    private readonly Throttle _backlog = new(), _full = new(), _timeouts = new();

    public void BacklogFull(string destination)
    {
        if (_backlog.TryPass(time, out var count))
            BacklogFull(destination, count);
    }

    public void QueueFull(string destination, FastCgiConnectionConfig config)
    {
        if (_full.TryPass(time, out var count))
            QueueFull(destination, count, config.MaxConnections, config.QueueLimit);
    }

    public void QueueTimeout(string destination, FastCgiConnectionConfig config)
    {
        if (_timeouts.TryPass(time, out var count))
            QueueTimeout(destination, count, config.MaxConnections, config.QueueTimeout);
    }

    [LoggerMessage(135, LogLevel.Warning,
        "FastCGI {Destination}: its listen backlog is full; {Waiting} connections since the last such line had to wait. It needs more workers, or MaxConnections lets the requests wait here", EventName = "FastCgiBacklogFull")]
    private partial void BacklogFull(string destination, int waiting);

    [LoggerMessage(136, LogLevel.Warning,
        "FastCGI {Destination}: all {MaxConnections} connections are in use and {QueueLimit} requests wait; {Rejected} since the last such line were turned away", EventName = "FastCgiQueueFull")]
    private partial void QueueFull(string destination, int rejected, int? maxConnections, int queueLimit);

    [LoggerMessage(137, LogLevel.Warning,
        "FastCGI {Destination}: all {MaxConnections} connections are in use; {Rejected} requests since the last such line waited {QueueTimeout} in vain", EventName = "FastCgiQueueTimeout")]
    private partial void QueueTimeout(string destination, int rejected, int? maxConnections, TimeSpan queueTimeout);

    [LoggerMessage(138, LogLevel.Debug, "FastCGI {Destination}: a kept connection was no longer good", EventName = "FastCgiStaleConnection")]
    public partial void StaleConnection(string destination);
}
