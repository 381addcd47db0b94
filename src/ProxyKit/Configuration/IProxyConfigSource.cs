using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Primitives;

namespace ProxyKit;

/// <summary>
/// A source of routes and clusters. Several can be registered (<c>AddConfigSource</c>, <c>LoadFromConfig</c>); what they give is one configuration.
/// </summary>
public interface IProxyConfigSource
{
    /// <summary>The configuration as it is now. Called at start-up and each time that <see cref="ProxyConfig.ChangeToken"/> of the last one has fired.</summary>
    /// <remarks>What goes wrong belongs in <see cref="ProxyConfig.Errors"/>. An exception is an error too, but brings no token: the source is asked again only when another one changes.</remarks>
    ProxyConfig GetConfig();
}

/// <summary>What a source gives.</summary>
/// <param name="Routes">The routes.</param>
/// <param name="Clusters">The clusters.</param>
/// <param name="ChangeToken">Fires when there is something newer.</param>
public sealed record ProxyConfig(ValueList<RouteConfig> Routes, ValueList<ClusterConfig> Clusters, IChangeToken ChangeToken)
{
    /// <summary>What the source could not make sense of. A configuration with errors is never used.</summary>
    public ValueList<string> Errors { get; init; } = [];
}

/// <summary>Configuration that code can change at run time.</summary>
public sealed class InMemoryProxyConfigSource : IProxyConfigSource
{
    private readonly Lock _lock = new();
    private ConfigurationReload _reload = new();
    private ValueList<RouteConfig> _routes;
    private ValueList<ClusterConfig> _clusters;

    /// <summary>A source of these routes and clusters.</summary>
    public InMemoryProxyConfigSource(IEnumerable<RouteConfig> routes, IEnumerable<ClusterConfig> clusters)
    {
        ArgumentNullException.ThrowIfNull(routes);
        ArgumentNullException.ThrowIfNull(clusters);
        (_routes, _clusters) = (routes.ToValueList(), clusters.ToValueList());
    }

    /// <inheritdoc/>
    public ProxyConfig GetConfig()
    {
        lock (_lock)
            return new(_routes, _clusters, _reload.Token);
    }

    /// <summary>
    /// Puts these in the place of the former. When this returns the new configuration is in force; if it is not valid the former still is, and
    /// <see cref="ProxyConfigMonitor.LastError"/> says why.
    /// </summary>
    public void Update(IEnumerable<RouteConfig> routes, IEnumerable<ClusterConfig> clusters)
    {
        ArgumentNullException.ThrowIfNull(routes);
        ArgumentNullException.ThrowIfNull(clusters);
        ConfigurationReload old;
        lock (_lock)
        {
            (_routes, _clusters) = (routes.ToValueList(), clusters.ToValueList());
            (old, _reload) = (_reload, new());
        }
        old.Fire();
    }

    [SuppressMessage("Design", "CA1001", Justification = "It has no timer and no linked sources; there is nothing to dispose.")]
    private sealed class ConfigurationReload
    {
        private readonly CancellationTokenSource _source = new();

        public ConfigurationReload() => Token = new CancellationChangeToken(_source.Token);

        public IChangeToken Token { get; }

        public void Fire() => _source.Cancel();
    }
}
