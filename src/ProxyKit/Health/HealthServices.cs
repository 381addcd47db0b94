using Microsoft.Extensions.Logging;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>What the health checks of all clusters share, and when they run: from the moment the app has started until it has stopped.</summary>
internal sealed class HealthServices(ClusterDirectory clusters, TimeProvider time, HealthMetrics metrics, ILoggerFactory loggers)
{
    private volatile bool _started;

    public TimeProvider Time { get; } = time;

    public HealthMetrics Metrics { get; } = metrics;

    public HealthLog Log { get; } = new(loggers);

    /// <summary>A cluster has a new model.</summary>
    public void Follow(Cluster cluster)
    {
        if (_started)
            cluster.HealthChecker.Start();
        else
            cluster.HealthChecker.Follow();
    }

    /// <summary>The app takes requests now. Not while clusters are added.</summary>
    public void Start()
    {
        _started = true;
        foreach (var cluster in clusters.All)
            cluster.HealthChecker.Start();
    }

    public void Stop()
    {
        _started = false;
        foreach (var cluster in clusters.All)
            cluster.HealthChecker.Stop();
    }

    /// <summary>Holds the app's start until the destinations of clusters that ask for it have been probed, but not for ever.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(clusters.All.Where(c => c.Model!.Config.HealthCheck.Active is { Enabled: true, StartupWait.Ticks: > 0 }).Select(c => WaitAsync(c, cancellationToken)));

    private async Task WaitAsync(Cluster cluster, CancellationToken cancellationToken)
    {
        var limit = cluster.Model!.Config.HealthCheck.Active.StartupWait;
        cluster.HealthChecker.Start();
        try
        {
            await cluster.HealthChecker.FirstRoundAsync().WaitAsync(limit, Time, cancellationToken);
        }
        catch (TimeoutException)
        {
            Log.StartupWaitOver(cluster.ClusterId, limit);
        }
    }
}
