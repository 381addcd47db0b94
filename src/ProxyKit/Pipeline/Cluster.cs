using ProxyKit.Discovery;
using ProxyKit.Forwarding;
using ProxyKit.Forwarding.Http1;
using ProxyKit.LoadBalancing;

namespace ProxyKit.Pipeline;

/// <summary>A cluster at run time; it stays while its configuration, and the health of its destinations, change under it.</summary>
internal sealed class Cluster
{
    private readonly HttpHandlerFactory _handlers;
    private readonly ClusterDiscovery _discovery;
    private readonly Lock _lock = new();
    private volatile Balancer? _balancer;

    public Cluster(string clusterId, HttpHandlerFactory handlers, ClusterServices services)
    {
        ClusterId = clusterId;
        Services = services;
        _handlers = handlers;
        _discovery = new(this);
    }

    public string ClusterId { get; }

    public ClusterServices Services { get; }

    /// <summary>Ends when each of its names has been resolved, or could not be, for the first time.</summary>
    public Task Resolved => _discovery.Asked;

    public ClusterModel? Model => _balancer?.Model;

    /// <summary>What can be chosen now. There once a model is in force.</summary>
    public Balancer Balancer => _balancer!;

    /// <summary>Puts a model in force. What it no longer needs is closed when it falls idle.</summary>
    public void Commit(ClusterModel model)
    {
        var old = Model;
        lock (_lock)
        {
            for (var i = 0; i < model.Destinations.Length; i++)
                model.Destinations[i].Config = model.Resolved[i];
            _balancer = new(model, _balancer);
        }
        if (old?.Http1 is { } pools && pools != model.Http1)
            pools.Dispose();
        model.Http1?.Keep(model.Destinations);
        _discovery.Follow(model.Config);
    }

    /// <summary>Puts in force what its names have been resolved to. Call it under <see cref="ClusterServices.Updates"/>.</summary>
    public void Rebuild()
    {
        if (Model is { } model && Prepare(model.Config) is var next && !ReferenceEquals(next, model))
            Commit(next);
    }

    /// <summary>The end of a cluster that is configured no more. Requests under way finish.</summary>
    public void Close()
    {
        _discovery.Stop();
        Model?.Http1?.Dispose();
    }

    /// <summary>Computes anew what can be chosen: after a destination's health, mode or weight has changed.</summary>
    public void Refresh()
    {
        lock (_lock)
        {
            if (_balancer is { } balancer)
                _balancer = new(balancer.Model, balancer);
        }
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
            _handlers.Register(destination.Target);
            return destination;
        }).ToArray();

        // The old pool is not disposed: requests under way still use it, and its idle connections close by themselves.
        var (invoker, http1) = (old?.Invoker, old?.Http1);
        if (invoker is null || old!.Config.HttpClient != config.HttpClient || old.Config.Timeouts.Connect != config.Timeouts.Connect
            || resolved.Any(d => d.Address.Contains("unix:", StringComparison.OrdinalIgnoreCase) && !known.Contains(d.Address)))
            (invoker, http1) = (_handlers.Create(config), _handlers.CreateHttp1(config));
        return new(config, destinations, invoker, http1, new HttpTransport(invoker, http1, config.HttpRequest), Services.Policy(config)) { Resolved = resolved };
    }
}

/// <summary>What a request sees of its cluster from beginning to end, whatever is reloaded meanwhile.</summary>
internal sealed record ClusterModel(
    ClusterConfig Config, Destination[] Destinations, HttpMessageInvoker Invoker, Http1Pools? Http1, HttpTransport Transport, ILoadBalancingPolicy Policy)
{
    /// <summary>How the destinations are configured, one by one: as <see cref="Config"/> has them, or what discovery has made of them.</summary>
    public ValueList<DestinationConfig> Resolved { get; init; } = Config.Destinations;

    /// <summary>Who wants to know how attempts went.</summary>
    public IAttemptObserver[] Observers { get; init; } = [];
}
