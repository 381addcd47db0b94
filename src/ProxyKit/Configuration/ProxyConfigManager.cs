using Microsoft.Extensions.Primitives;
using ProxyKit.Diagnostics;
using ProxyKit.Forwarding;
using ProxyKit.Pipeline;
using ProxyKit.Routing;

namespace ProxyKit.Configuration;

/// <summary>
/// Puts all sources together, validates the whole, and builds the run time from it: all of it at start-up, the difference at a reload. What is not valid
/// changes nothing.
/// </summary>
internal sealed class ProxyConfigManager(
    IEnumerable<IProxyConfigSource> sources, IEnumerable<CodeCluster> codeClusters, CodeRoutes codeRoutes, ConfigValidator validator,
    HttpHandlerFactory handlers, ForwarderServices services, ClusterServices clusterServices, ProxyMetrics metrics, ProxyConfigMonitor monitor, ClusterDirectory directory) : IDisposable
{
    private readonly Lock _lock = clusterServices.Updates;
    private readonly IProxyConfigSource[] _sources = [.. sources];
    private readonly Dictionary<string, Cluster> _clusters = new(StringComparer.OrdinalIgnoreCase);
    private Dictionary<string, ProxyRoute> _configured = new(StringComparer.OrdinalIgnoreCase);
    private IReadOnlyList<ProxyRoute> _configuredRoutes = [];
    private CancellationTokenSource _changed = new();
    private IDisposable[] _subscriptions = [];
    private int _loads;
    private bool _started, _disposed;

    /// <summary>Whether <c>MapReverseProxy</c> was called.</summary>
    public bool RoutesAreMapped { get; set; }

    /// <summary>The routes that come from sources.</summary>
    public IReadOnlyList<ProxyRoute> ConfiguredRoutes
    {
        get
        {
            Start();
            return _configuredRoutes;
        }
    }

    public IChangeToken GetChangeToken() => new CancellationChangeToken(_changed.Token);

    /// <exception cref="ProxyConfigurationException">The configuration is not valid.</exception>
    public void Start()
    {
        List<ProxyConfig> configs;
        int load;
        lock (_lock)
        {
            if (_started)
                return;
            (configs, var errors, load) = Load();
            if (errors.Count > 0)
                throw new ProxyConfigurationException(errors);
            _started = true;
            services.Log.ConfigurationLoaded(monitor.Routes.Count, monitor.Clusters.Count);
            if (_configuredRoutes.Count > 0 && !RoutesAreMapped)
                services.Log.RoutesNotMapped(_configuredRoutes.Count);
            if (_configuredRoutes.Count == 0 && RoutesAreMapped)
                services.Log.NoRoutes();
        }
        Follow(configs, load);
    }

    /// <summary>Done when the destinations are probed that the app's start waits for.</summary>
    public Task WaitForHealthAsync(CancellationToken cancellationToken) => clusterServices.Health.WaitAsync(cancellationToken);

    public void StartHealthChecks()
    {
        lock (_lock)
            clusterServices.Health.Start();
    }

    public void StopHealthChecks()
    {
        lock (_lock)
            clusterServices.Health.Stop();
    }

    /// <summary>Ends when all names have been resolved, or could not be, for the first time.</summary>
    public Task ResolveAsync()
    {
        lock (_lock)
            return Task.WhenAll(_clusters.Values.Select(c => c.Resolved));
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            Unsubscribe(_subscriptions);
            foreach (var cluster in _clusters.Values)
                cluster.Close();
            _changed.Dispose();
        }
    }

    private void Reload()
    {
        CancellationTokenSource? changed = null;
        List<ProxyConfig> configs;
        int load;
        lock (_lock)
        {
            if (!_started || _disposed)
                return;
            (configs, var errors, load) = Load();
            metrics.Reloaded(errors.Count == 0);
            if (errors.Count > 0)
            {
                monitor.LastError = new(errors);
                services.Log.ConfigurationRejected(monitor.LastError.Message);
            }
            else
            {
                services.Log.ConfigurationLoaded(monitor.Routes.Count, monitor.Clusters.Count);
                (changed, _changed) = (_changed, new());
            }
        }
        changed?.Cancel();
        Follow(configs, load);
    }

    private (List<ProxyConfig> Configs, List<string> Errors, int Load) Load()
    {
        var errors = new List<string>();
        var configs = new List<ProxyConfig>(_sources.Length);
        foreach (var source in _sources)
        {
            try
            {
                configs.Add(source.GetConfig());
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                errors.Add($"{source.GetType().Name} failed: {e.Message}");
            }
        }

        RouteConfig[] routes = [.. codeRoutes.Routes.Select(r => r.Builder.Route), .. configs.SelectMany(c => c.Routes)];
        ClusterConfig[] clusters =
        [
            .. codeRoutes.Routes.Select(r => r.Builder.OwnCluster).OfType<ClusterConfig>(),
            .. codeClusters.Select(c => c.Config),
            .. configs.SelectMany(c => c.Clusters),
        ];
        errors.AddRange(codeRoutes.Routes.SelectMany(r => r.Builder.Errors));
        errors.AddRange(codeRoutes.Routes.Where(r => r.Builder.OwnCluster is { Destinations.Count: 0 })
            .Select(r => $"Route '{r.Builder.Route.RouteId}' has no destination: {(r.Builder.Route.FastCgi is null ? "MapProxy takes addresses such as http://localhost:5001" : "it takes addresses such as fastcgi://unix:/run/php/php-fpm.sock")}, or the name of a cluster."));
        errors.AddRange(configs.SelectMany(c => c.Errors));
        errors.AddRange(validator.Validate(routes, clusters, codeRoutes.Routes.Select(r => r.Builder.OwnCluster?.ClusterId).OfType<string>()));
        if (errors.Count == 0)
            errors.AddRange(Apply(configs, routes, clusters));
        return (configs, errors, ++_loads);
    }

    private List<string> Apply(List<ProxyConfig> configs, RouteConfig[] routes, ClusterConfig[] clusters)
    {
        var configured = new Dictionary<string, ProxyRoute>(StringComparer.OrdinalIgnoreCase);
        try
        {
            // Connection pools are made of files and user code, which can fail where validation could not see it: nothing is visible until all are made.
            var updates = clusters.Select(c => (Cluster: Cluster(c.ClusterId), Model: Cluster(c.ClusterId).Prepare(c))).ToArray();
            foreach (var route in configs.SelectMany(c => c.Routes))
            {
                configured[route.RouteId] = _configured.TryGetValue(route.RouteId, out var old) && old.Config == route
                    ? old
                    : new ProxyRoute(route, Cluster, services, metrics);
            }
            foreach (var code in codeRoutes.Routes)
                code.Route ??= new ProxyRoute(code.Builder.Route, Cluster, services, metrics);
            foreach (var (cluster, model) in updates)
                cluster.Commit(model);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return [e.Message];
        }

        foreach (var gone in _clusters.Keys.Except(clusters.Select(c => c.ClusterId), StringComparer.OrdinalIgnoreCase).ToArray())
        {
            _clusters.Remove(gone, out var cluster);
            cluster?.Close();
        }
        directory.Publish(_clusters.Values.Where(c => c.Model is not null));
        foreach (var gone in _configured.Keys.Except(configured.Keys, StringComparer.OrdinalIgnoreCase))
            services.Caching.Zones.Remove(gone);
        _configured = configured;
        _configuredRoutes = [.. configured.Values];
        monitor.Routes = routes;
        monitor.Clusters = clusters;
        monitor.LoadedAt = services.Clocks.Time.GetUtcNow();
        monitor.LastError = null;
        return [];
    }

    private Cluster Cluster(string id)
    {
        if (!_clusters.TryGetValue(id, out var cluster))
            _clusters.Add(id, cluster = new Cluster(id, handlers, clusterServices));
        return cluster;
    }

    // Not under the lock: a token that has fired since calls back at once, and what another thread fires meanwhile waits for the lock.
    private void Follow(List<ProxyConfig> configs, int load)
    {
        IDisposable[] stale = [.. configs.Select(c => c.ChangeToken.RegisterChangeCallback(static state => ((ProxyConfigManager)state!).Reload(), this))];
        lock (_lock)
        {
            // A later load follows its own tokens.
            if (load == _loads && !_disposed)
                (stale, _subscriptions) = (_subscriptions, stale);
        }
        Unsubscribe(stale);
    }

    // Not on this thread, which may be in a callback: to dispose a registration is to wait for its callback, and two of them would wait for each other.
    private static void Unsubscribe(IDisposable[] subscriptions) =>
        ThreadPool.UnsafeQueueUserWorkItem(static subscriptions =>
        {
            foreach (var subscription in subscriptions)
                subscription.Dispose();
        }, subscriptions, preferLocal: false);
}
