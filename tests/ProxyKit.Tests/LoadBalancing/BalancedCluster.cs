using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.Forwarding;
using ProxyKit.LoadBalancing;
using ProxyKit.Pipeline;

namespace ProxyKit.Tests.LoadBalancing;

/// <summary>A cluster with nothing around it: destinations are chosen, but no request goes anywhere.</summary>
internal sealed class BalancedCluster : IDisposable
{
    private readonly ServiceProvider _services;
    private readonly Cluster _cluster;

    /// <summary>A cluster of destinations a, b, c … with these weights.</summary>
    public BalancedCluster(string policy, params int[] weights)
        : this(new ClusterConfig { ClusterId = "c", LoadBalancingPolicy = policy, Destinations = weights.Select((w, i) => Destination(Name(i)) with { Weight = w }).ToValueList() })
    {
    }

    public BalancedCluster(ClusterConfig config)
    {
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(Time);
        services.AddReverseProxy();
        _services = services.BuildServiceProvider();
        _cluster = new("c", _services.GetRequiredService<HttpHandlerFactory>(), _services.GetRequiredService<ClusterServices>());
        Configure(_ => config with { Failover = false });
    }

    public FakeTimeProvider Time { get; } = new();

    public Balancer Balancer => _cluster.Balancer;

    public Destination[] Destinations => _cluster.Model!.Destinations;

    public IAttemptObserver[] Observers => _cluster.Model!.Observers;

    public Destination this[string name] => Destinations.Single(d => d.Name == name);

    public static DestinationConfig Destination(string name) => new() { Name = name, Address = $"http://{name}.test" };

    /// <summary>a to z, then a1 …</summary>
    public static string Name(int index) => $"{(char)('a' + (index % 26))}{(index < 26 ? "" : index / 26)}";

    /// <summary>Puts a changed configuration in force, as a reload does.</summary>
    public void Configure(Func<ClusterConfig, ClusterConfig> change) => _cluster.Commit(_cluster.Prepare(change(_cluster.Model?.Config!)));

    public void Refresh() => _cluster.Refresh();

    /// <summary>What a new request would be given.</summary>
    public Destination? Pick(Action<HttpContext>? configure = null)
    {
        var context = new DefaultHttpContext();
        configure?.Invoke(context);
        return Pick(Request(), context);
    }

    public Destination? Pick(ProxyContext proxy, HttpContext? context = null) => proxy.Balancer.Pick(context ?? new DefaultHttpContext(), proxy);

    public ProxyContext Request() => new(new RouteConfig { RouteId = "r" }, _cluster, 0);

    /// <summary>The names of what so many requests, one after the other, are given.</summary>
    public string Picks(int count) => string.Join(' ', Enumerable.Range(0, count).Select(_ => Pick()!.Name));

    /// <summary>How often each destination is chosen, in the configured order.</summary>
    public int[] Counts(int picks, Action<HttpContext>? configure = null)
    {
        var counts = Destinations.ToDictionary(d => d, _ => 0);
        for (var i = 0; i < picks; i++)
            counts[Pick(configure)!]++;
        return [.. Destinations.Select(d => counts[d])];
    }

    /// <summary>Gives a destination requests that do not end.</summary>
    public void Occupy(string name, int requests)
    {
        for (var i = 0; i < requests; i++)
            this[name].BeginRequest();
    }

    /// <summary>Where one request and all its retries go.</summary>
    public Destination[] Order(Action<HttpContext>? configure = null)
    {
        var context = new DefaultHttpContext();
        configure?.Invoke(context);
        var proxy = Request();
        var order = new List<Destination>();
        while (Pick(proxy, context) is { } destination)
        {
            order.Add(destination);
            proxy.AddAttempted(destination);
        }
        return [.. order];
    }

    public void Dispose() => _services.Dispose();
}
