using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging.Testing;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Health;

/// <summary>A proxy with one cluster, "c", whose destinations are probed: a.test, b.test and so on.</summary>
internal sealed class ProbedApp : IAsyncDisposable
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10), IntervalWhenDown = TimeSpan.FromSeconds(5);

    private readonly TestDestinations _destinations = new();
    private readonly InMemoryProxyConfigSource _source = new([], []);
    private ProxyApp? _app;

    public ProbeClock Clock { get; } = new();

    /// <summary>How a destination answers, by host. Default: 200 without a body.</summary>
    public Dictionary<string, Recorder> Upstreams { get; } = [];

    public Dictionary<string, TestDestination> Faults { get; } = [];

    public ProxyApp App => _app!;

    public static ActiveHealthCheckConfig Check { get; } =
        new() { Enabled = true, Path = "/healthz", Interval = Interval, IntervalWhenDown = IntervalWhenDown, Timeout = ProbeClock.ProbeTimeout, Jitter = 0 };

    public ProbedApp(params string[] hosts)
    {
        foreach (var host in hosts)
        {
            Upstreams[host] = new Recorder();
            Faults[host] = _destinations.Map($"http://{host}.test", Upstreams[host].Handle);
        }
    }

    /// <summary>Has a handler answer for a destination.</summary>
    public void Map(string host, HttpMessageHandler handler) => Faults[host] = _destinations.Map($"http://{host}.test", handler);

    /// <summary>The destination's host is its name.</summary>
    public static ClusterConfig Cluster(ActiveHealthCheckConfig active, params string[] hosts) => new()
    {
        ClusterId = "c",
        Destinations = [.. hosts.Select(Destination)],
        HealthCheck = new() { Active = active },
    };

    public static DestinationConfig Destination(string host) => new() { Name = host, Address = $"http://{host}.test" };

    public async Task<ProbedApp> StartAsync(ClusterConfig cluster, Action<IServiceCollection>? services = null)
    {
        Update(cluster);
        _app = await ProxyApp.StartAsync(
            collection =>
            {
                collection.AddSingleton<TimeProvider>(Clock);
                collection.AddReverseProxy().AddConfigSource(_source);
                collection.AddHealthChecks().AddProxyCluster("c").AddProxyClusters();
                collection.AddProxyTestDestinations(_destinations);
                services?.Invoke(collection);
            },
            app => app.MapReverseProxy());
        return this;
    }

    /// <summary>Starts a proxy with one destination, "a", and waits for its first probe.</summary>
    public static async Task<ProbedApp> StartOneAsync(ActiveHealthCheckConfig check, Action<ProbedApp>? prepare = null)
    {
        var app = new ProbedApp("a");
        prepare?.Invoke(app);
        await app.StartAsync(Cluster(check, "a"));
        await app.Clock.SleepAsync();
        return app;
    }

    public void Update(params ClusterConfig[] clusters) =>
        _source.Update([new RouteConfig { RouteId = "r", ClusterId = "c", Match = new() { Path = "/{**path}" } }], clusters);

    /// <summary>What a.test has been asked by probes.</summary>
    public IEnumerable<Received> Probes(string host) => Upstreams[host].Requests.Where(r => r["User-Agent"] == "ProxyKit-HealthCheck");

    /// <summary>Has a destination answer with this status.</summary>
    public void Answer(string host, HttpStatusCode status) => Upstreams[host].Answer = _ => new(status);

    /// <summary>What the health check of the cluster says.</summary>
    public async Task<HealthReportEntry> ReportAsync(string name = "proxy-c") =>
        (await App.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken)).Entries[name];

    /// <summary>What it says of a destination.</summary>
    public async Task<string> HealthAsync(string destination) => (string)(await ReportAsync()).Data[destination];

    /// <summary>What is known about a request through the proxy.</summary>
    public async Task<(HttpStatusCode Status, ProxyContext Proxy)> GetAsync()
    {
        using var response = await App.Client.GetAsync("/", TestContext.Current.CancellationToken);
        return (response.StatusCode, await App.OutcomeAsync());
    }

    /// <summary>The names of the destinations that a request can go to.</summary>
    public async Task<IEnumerable<string>> GetAvailableAsync() => (await GetAsync()).Proxy.AvailableDestinations.Select(d => d.Name);

    public IReadOnlyList<FakeLogRecord> Logged(string eventName) => [.. App.Logs.GetSnapshot().Where(line => line.Id.Name == eventName)];

    public int Gauge(string name, string attribute, string value)
    {
        var measured = new List<int>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                // The meters of other tests' apps have the same name.
                if (instrument.Name == name && instrument.Meter.Scope == App.Services.GetService<IMeterFactory>())
                    self.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<int>((_, measurement, tags, _) =>
        {
            foreach (var tag in tags)
            {
                if (tag.Key == attribute && Equals(tag.Value, value))
                    measured.Add(measurement);
            }
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return Assert.Single(measured);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
    }
}
