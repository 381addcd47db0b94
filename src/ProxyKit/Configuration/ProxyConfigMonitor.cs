namespace ProxyKit;

/// <summary>The configuration in force, and what became of the last reload. Take it from dependency injection, for instance for a health check.</summary>
public sealed class ProxyConfigMonitor
{
    internal ProxyConfigMonitor()
    {
    }

    /// <summary>The routes in force, those in code included.</summary>
    public IReadOnlyList<RouteConfig> Routes { get; internal set; } = [];

    /// <summary>The clusters in force, routes' own included.</summary>
    public IReadOnlyList<ClusterConfig> Clusters { get; internal set; } = [];

    /// <summary>When they were loaded.</summary>
    public DateTimeOffset LoadedAt { get; internal set; }

    /// <summary>Why the last reload was refused; null when it was taken.</summary>
    public ProxyConfigurationException? LastError { get; internal set; }
}
