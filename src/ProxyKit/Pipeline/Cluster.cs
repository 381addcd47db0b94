using ProxyKit.Discovery;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;
using ProxyKit.Forwarding.Http1;
using ProxyKit.Health;
using ProxyKit.LoadBalancing;
using ProxyKit.Resilience;
using ProxyKit.SessionAffinity;

namespace ProxyKit.Pipeline;

/// <summary>A cluster at run time; it stays while its configuration, and the health of its destinations, change under it.</summary>
internal sealed class Cluster
{
    /// <summary>How many destinations are few enough for each verdict on their health to be in force at once.</summary>
    private const int MaxUnbatched = 64;

    private static readonly TimeSpan s_batch = TimeSpan.FromMilliseconds(50);

    private readonly ClusterDiscovery _discovery;
    private readonly Lock _lock = new();
    private readonly SlowStart _slowStart;
    private volatile Balancer? _balancer;
    private volatile ConcurrencyLimiter? _limiter;
    private ConcurrencyLimiter? _anyLimiter;
    private ITimer? _batch;
    private bool _isBatching;

    public Cluster(string clusterId, HttpHandlerFactory handlers, ClusterServices services)
    {
        ClusterId = clusterId;
        Handlers = handlers;
        Services = services;
        HealthChecker = new(this, services.Health);
        _slowStart = new(this, services.Time);
        Ejections = new(this);
        _discovery = new(this);
    }

    public string ClusterId { get; }

    public HttpHandlerFactory Handlers { get; }

    public ClusterServices Services { get; }

    public ActiveHealthChecker HealthChecker { get; }

    /// <summary>The destinations that passive health checks have ejected.</summary>
    public Ejections Ejections { get; }

    /// <summary>Ends when each of its names has been resolved, or could not be, for the first time.</summary>
    public Task Resolved => _discovery.Asked;

    public ClusterModel? Model => _balancer?.Model;

    /// <summary>What can be chosen now. There once a model is in force.</summary>
    public Balancer Balancer => _balancer!;

    /// <summary>There while the cluster or one of its destinations has a limit of concurrent requests.</summary>
    public ConcurrencyLimiter? Limiter => _limiter;

    /// <summary>Puts a model in force. What it no longer needs is closed when it falls idle.</summary>
    public void Commit(ClusterModel model)
    {
        var old = Model;
        AttemptObservers.Attach(this, model);
        lock (_lock)
        {
            // Before anything has a limit, and taken away after nothing has one any more. It stays in reserve, with who waits, in case limits come back.
            var isLimited = ConcurrencyLimiter.IsNeeded(model);
            if (isLimited)
                _limiter = _anyLimiter ??= new(this, model);
            for (var i = 0; i < model.Destinations.Length; i++)
            {
                var config = model.Resolved[i];
                model.Destinations[i].Config = config;
                model.Destinations[i].MaxConcurrentRequests = config.MaxConcurrentRequests ?? model.Config.Limits?.MaxConcurrentRequestsPerDestination;
            }
            Renew(model);
            if (!isLimited)
                _limiter = null;
        }
        _anyLimiter?.Refresh();
        if (old?.Http1 is { } pools && pools != model.Http1)
            pools.Dispose();
        model.Http1?.Keep(model.Destinations);
        if (old?.FastCgi is { } fastCgi && fastCgi != model.FastCgi)
            fastCgi.Dispose();
        model.FastCgi?.Keep(model.Destinations);
        Services.Health.Follow(this);
        _discovery.Follow(model.Config);
    }

    /// <summary>Puts in force what its names have been resolved to. Call it under <see cref="ClusterServices.Updates"/>.</summary>
    public void Rebuild()
    {
        if (Model is { } model && Prepare(model.Config) is var next && !ReferenceEquals(next, model))
            Commit(next);
    }

    /// <summary>Computes anew what can be chosen: after a destination's health, mode or weight has changed.</summary>
    public void Refresh()
    {
        // Each time costs as much as there are destinations, so many verdicts in short order are taken together.
        if (Model is { Destinations.Length: > MaxUnbatched } && !TryBeginBatch())
            return;
        RefreshNow();
    }

    private bool TryBeginBatch()
    {
        lock (_lock)
        {
            if (_isBatching)
                return false;
            _isBatching = true;
            _batch ??= Services.Time.CreateTimer(static state => ((Cluster)state!).EndBatch(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _batch.Change(s_batch, Timeout.InfiniteTimeSpan);
            return true;
        }
    }

    private void EndBatch()
    {
        lock (_lock)
            _isBatching = false;
        RefreshNow();
    }

    private void RefreshNow()
    {
        lock (_lock)
        {
            if (_balancer is { } balancer)
                Renew(balancer.Model);
        }
        _limiter?.Refresh();
    }

    /// <summary>It is no longer configured, or the app ends: nothing begins any more, what idles is closed, requests under way finish.</summary>
    public void Close()
    {
        _discovery.Stop();
        HealthChecker.Stop();
        AttemptObservers.Close(this);
        lock (_lock)
        {
            _slowStart.Stop();
            _batch?.Dispose();
        }
        Model?.Http1?.Dispose();
        Model?.FastCgi?.Dispose();
    }

    private void Renew(ClusterModel model)
    {
        var (before, now) = (_balancer?.Rotation, new Rotation(model));
        _slowStart.Follow(model.Config.HealthCheck.SlowStart, before, now);
        _balancer = new(model, now, _balancer);
        Services.Health.Log.Changed(ClusterId, before, now);
    }

    /// <summary>The model of a new configuration; it keeps what that does not touch: destinations by address, connections by how they are made.</summary>
    public ClusterModel Prepare(ClusterConfig config)
    {
        var old = Model;
        var resolved = _discovery.Resolve(config, old?.Resolved);
        if (old?.Config == config && old.Resolved.Equals(resolved))
            return old;

        var known = (old?.Destinations ?? []).ToLookup(d => d.Config.Address, StringComparer.OrdinalIgnoreCase);
        var kept = new HashSet<Destination>();
        var destinations = resolved.Select(d =>
        {
            // Names may share an address once they are resolved; each has its Host.
            var same = known[d.Address].Where(k => !kept.Contains(k));
            if ((same.FirstOrDefault(k => k.Config.Host == d.Host) ?? same.FirstOrDefault()) is { } destination)
            {
                kept.Add(destination);
                return destination;
            }
            destination = new Destination(this, d, DestinationAddress.Parse(d.Address));
            Handlers.Register(destination.Target);
            return destination;
        }).ToArray();

        // The old pool is not disposed: requests under way still use it, and its idle connections close by themselves.
        var (invoker, http1, fastCgi) = (old?.Invoker, old?.Http1, old?.FastCgi);
        if (invoker is null || old!.Config.HttpClient != config.HttpClient || old.Config.Timeouts.Connect != config.Timeouts.Connect
            || old.Config.FastCgi != config.FastCgi || old.IsFastCgi != HttpHandlerFactory.IsFastCgi(config)
            || (fastCgi is null && resolved.Any(d => d.Address.Contains("unix:", StringComparison.OrdinalIgnoreCase) && !known.Contains(d.Address))))
        {
            (http1, fastCgi) = (Handlers.CreateHttp1(config), Handlers.CreateFastCgi(config));
            invoker = fastCgi is null ? Handlers.Create(config) : new(fastCgi);
        }
        // Averages and budgets go on where what they belong to has not changed.
        var resilience = config.Resilience is null ? null
            : old?.Resilience is { } before && old.Config.Resilience == config.Resilience && old.Config.Timeouts == config.Timeouts ? before
            : new ClusterResilience(config, Services);
        var policy = Services.Policy(config);
        return new(config, destinations, invoker, http1, new HttpTransport(invoker, http1, fastCgi, config.HttpRequest), policy)
        {
            Resolved = resolved,
            FastCgi = fastCgi,
            Resilience = resilience,
            Observers = AttemptObservers.Create(this, config, destinations.Length, policy, resilience, old),
            Affinity = Affinity.Create(config, destinations, Services.Affinity, old?.Affinity),
        };
    }
}

/// <summary>What a request sees of its cluster from beginning to end, whatever is reloaded meanwhile.</summary>
internal sealed record ClusterModel(
    ClusterConfig Config, Destination[] Destinations, HttpMessageInvoker Invoker, Http1Pools? Http1, HttpTransport Transport, ILoadBalancingPolicy Policy)
{
    /// <summary>Retries and hedging; null where a request has one attempt.</summary>
    public ClusterResilience? Resilience { get; init; }

    /// <summary>Whether a request that could not be sent has one further attempt, though nothing was configured.</summary>
    public bool FailsOver { get; } = Config.Failover && Destinations.Length > 1;

    /// <summary>Keeps sessions with their destination; null where each request may go anywhere.</summary>
    public Affinity? Affinity { get; init; }

    /// <summary>How the destinations are configured, one by one: as <see cref="Config"/> has them, or what discovery has made of them.</summary>
    public ValueList<DestinationConfig> Resolved { get; init; } = Config.Destinations;

    /// <summary>The connections to its destinations, if they speak FastCGI; <see cref="Invoker"/> sends over them.</summary>
    public FastCgiPools? FastCgi { get; init; }

    /// <summary>Whether its destinations speak FastCGI.</summary>
    public bool IsFastCgi { get; } = HttpHandlerFactory.IsFastCgi(Config);

    /// <summary>Who wants to know how attempts went.</summary>
    public IAttemptObserver[] Observers { get; init; } = [];
}
