using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.Pipeline;

namespace ProxyKit.Tests.Health;

/// <summary>A cluster <c>c</c> of destinations <c>http://d0.test</c>, <c>http://d1.test</c> …, whose observers are told what the test says.</summary>
internal sealed class WatchedCluster : IAsyncDisposable
{
    private readonly ProxyApp _app;
    private readonly InMemoryProxyConfigSource _source;

    private WatchedCluster(ProxyApp app, InMemoryProxyConfigSource source) => (_app, _source) = (app, source);

    public FakeTimeProvider Time => _app.Time;

    public IServiceProvider Services => _app.Services;

    public IProxyControl Control => Services.GetRequiredService<IProxyControl>();

    public IReadOnlyList<Destination> Destinations => Control.GetDestinations("c");

    public Destination this[int index] => Control.GetDestination("c", $"http://d{index}.test");

    public Cluster Cluster => Destinations[0].Owner;

    public string[] Available => [.. Cluster.Balancer.Available.Select(d => d.Name["http://".Length..^".test".Length])];

    public static async Task<WatchedCluster> StartAsync(int destinations, Func<ClusterConfig, ClusterConfig> configure)
    {
        var source = new InMemoryProxyConfigSource([], [configure(Config(destinations))]);
        return new(await ProxyApp.StartAsync(services => services.AddReverseProxy().AddConfigSource(source), app => { }), source);
    }

    public static Task<WatchedCluster> StartAsync(int destinations, PassiveHealthCheckConfig passive) =>
        StartAsync(destinations, cluster => cluster with { HealthCheck = new() { Passive = passive with { Enabled = true } } });

    public static Task<WatchedCluster> StartAsync(int destinations, CircuitBreakerConfig breaker) =>
        StartAsync(destinations, cluster => cluster with { CircuitBreaker = breaker });

    public void Reload(int destinations, Func<ClusterConfig, ClusterConfig> configure)
    {
        _source.Update([], [configure(Config(destinations))]);
        Assert.Null(Services.GetRequiredService<ProxyConfigMonitor>().LastError);
    }

    public void Answer(int destination, int status, int times = 1, TimeSpan duration = default) => Tell(destination, new(status, ProxyError.None, FailureClass.None, duration), times);

    public void Succeed(int destination, int times = 1) => Answer(destination, 200, times);

    public void Fail(int destination, int times = 1, ProxyError error = ProxyError.Connect, FailureClass @class = FailureClass.NothingSent, TimeSpan duration = default) =>
        Tell(destination, new(0, error, @class, duration), times);

    public void BreakOff(int destination, int times = 1)
    {
        for (var i = 0; i < times; i++)
        {
            foreach (var observer in Cluster.Model!.Observers)
                observer.BrokeOff(this[destination], ProxyError.ResponseBodyDestination);
        }
    }

    /// <summary>What a request would be sent to now.</summary>
    public Destination? Pick() =>
        Cluster.Balancer.Pick(new DefaultHttpContext(), new ProxyContext(new() { RouteId = "r" }, Cluster, Time.GetTimestamp()));

    /// <summary>The messages of an event, in order.</summary>
    public string[] Logged(string eventName) => [.. _app.Logs.GetSnapshot().Where(r => r.Id.Name == eventName).Select(r => r.Message)];

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private void Tell(int destination, in AttemptOutcome outcome, int times)
    {
        var target = this[destination];
        for (var i = 0; i < times; i++)
        {
            foreach (var observer in Cluster.Model!.Observers)
                observer.Answered(target, outcome);
        }
    }

    private static ClusterConfig Config(int destinations) => new()
    {
        ClusterId = "c",
        Destinations = [.. Enumerable.Range(0, destinations).Select(i => new DestinationConfig { Address = $"http://d{i}.test" })],
    };
}
