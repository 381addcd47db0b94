using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Primitives;
using System.Diagnostics.Metrics;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Configuration;

/// <summary>A reload changes what has changed, and nothing else.</summary>
public class ReloadTests
{
    private static readonly RouteConfig s_a = Route("a", "one"), s_b = Route("b", "two");
    private static readonly ClusterConfig s_one = Cluster("one", "http://one.test"), s_two = Cluster("two", "http://two.test");

    private readonly InMemoryProxyConfigSource _source = new([s_a, s_b], [s_one, s_two]);
    private readonly TestDestinations _destinations = new();
    private readonly Dictionary<string, TestDestination> _upstreams = [];

    public ReloadTests()
    {
        foreach (var host in new[] { "one.test", "two.test", "three.test" })
            _upstreams[host] = _destinations.Map($"http://{host}", request => new(HttpStatusCode.OK) { Content = new StringContent($"{request.RequestUri!.Host} {request.Headers.Host}") });
    }

    [Fact]
    public async Task An_update_is_in_force_when_it_returns()
    {
        await using var app = await StartAsync();

        _source.Update([s_a with { ClusterId = "two" }, Route("c", "one")], [s_one, s_two]);

        Assert.StartsWith("two.test", await app.Client.GetStringAsync("/a"), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync("/b")).StatusCode);
        Assert.StartsWith("one.test", await app.Client.GetStringAsync("/c"), StringComparison.Ordinal);
        var monitor = app.Services.GetRequiredService<ProxyConfigMonitor>();
        Assert.Equal(["a", "c"], monitor.Routes.Select(r => r.RouteId));
        Assert.Equal(app.Time.GetUtcNow(), monitor.LoadedAt);
    }

    [Fact]
    public async Task An_unchanged_route_keeps_its_endpoint_and_a_changed_one_gets_another()
    {
        await using var app = await StartAsync();
        var before = Endpoints(app);

        _source.Update([s_a with { Metadata = new([]) }, s_b with { Order = 1 }], [s_one, s_two]);

        var after = Endpoints(app);
        Assert.Same(before["Proxy: a"], after["Proxy: a"]);
        Assert.NotSame(before["Proxy: b"], after["Proxy: b"]);
    }

    [Fact]
    public async Task A_destination_keeps_its_counters_while_its_cluster_changes_around_it()
    {
        await using var app = await StartAsync();
        _upstreams["one.test"].Stall().Times(1);
        var stalled = app.Client.GetAsync("/a");
        await ProxyApp.ReachedAsync(_upstreams["one.test"]);
        await app.Client.GetAsync("/b");
        var two = (await app.OutcomeAsync()).Destination!;

        _source.Update([s_a, s_b], [s_one with { Destinations = [new() { Address = "http://one.test", Host = "public.test" }] }, s_two with { Metadata = new([new("x", "y")]) }]);

        Assert.Equal("one.test public.test", await app.Client.GetStringAsync("/a"));
        var one = (await app.OutcomeAsync()).Destination!;
        Assert.Equal(1, one.ActiveRequests); // the one that was under way
        await app.Client.GetAsync("/b");
        Assert.Same(two, (await app.OutcomeAsync()).Destination);
        await app.AdvanceUntilAsync(stalled, TimeSpan.FromSeconds(10));
        Assert.Equal(0, one.ActiveRequests);
    }

    [Fact]
    public async Task A_request_underWay_survives_the_removal_of_its_route_and_destination()
    {
        var answer = new TaskCompletionSource<HttpResponseMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _destinations.Map("http://one.test", new AwaitingHandler(answer.Task, reached));
        await using var app = await StartAsync();
        var underWay = app.Client.GetStringAsync("/a");
        await reached.Task;

        _source.Update([], []);
        answer.SetResult(new(HttpStatusCode.OK) { Content = new StringContent("late") });

        Assert.Equal("late", await underWay);
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync("/a")).StatusCode);
        Assert.Equal(0, (await app.OutcomeAsync()).Destination!.ActiveRequests);
    }

    [Fact]
    public async Task A_bad_reload_keeps_the_old_configuration_and_says_why()
    {
        await using var app = await StartAsync();
        var monitor = app.Services.GetRequiredService<ProxyConfigMonitor>();
        var before = Endpoints(app);

        _source.Update([s_a, Route("c", "nowhere")], [s_one]);

        Assert.Equal("Route 'c': there is no cluster 'nowhere'. Known are one.", Assert.Single(monitor.LastError!.Errors));
        var line = Assert.Single(app.Logs.GetSnapshot(), line => line.Id.Name == "ConfigurationRejected");
        Assert.Equal(11, line.Id.Id);
        Assert.Contains("there is no cluster 'nowhere'", line.Message, StringComparison.Ordinal);
        Assert.Equal(["a", "b"], monitor.Routes.Select(r => r.RouteId));
        Assert.Equal(before, Endpoints(app));
        Assert.StartsWith("two.test", await app.Client.GetStringAsync("/b"), StringComparison.Ordinal);

        _source.Update([s_a, Route("c", "two")], [s_one, s_two]);

        Assert.Null(monitor.LastError);
        Assert.StartsWith("two.test", await app.Client.GetStringAsync("/c"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reload_that_the_connections_cannot_be_made_of_changes_nothing()
    {
        var fail = false;
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy().AddConfigSource(_source)
                .ConfigureHttpHandler((cluster, handler) => handler.UseCookies = fail && cluster.ClusterId == "two" ? throw new InvalidOperationException("no such certificate") : false),
            app => app.MapReverseProxy());
        var monitor = app.Services.GetRequiredService<ProxyConfigMonitor>();
        fail = true;

        _source.Update([s_a], [s_one, s_two with { HttpClient = new() { MaxConnectionsPerServer = 1 } }]);

        Assert.Equal("no such certificate", Assert.Single(monitor.LastError!.Errors));
        Assert.Equal([s_a, s_b], monitor.Routes);
    }

    [Fact]
    public async Task Connections_are_made_anew_only_where_how_they_are_made_has_changed()
    {
        var made = new List<string>();
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy().AddConfigSource(_source).ConfigureHttpHandler((cluster, _) => made.Add(cluster.ClusterId)),
            app => app.MapReverseProxy());
        made.Clear();

        _source.Update([s_a, s_b], [s_one with { Destinations = [new() { Address = "http://one.test" }, new() { Address = "http://three.test" }] }, s_two with { HttpClient = new() { MaxConnectionsPerServer = 1 } }]);

        Assert.Equal(["two"], made);
    }

    [Fact]
    public async Task Json_is_reloaded_when_it_changes()
    {
        var json = new ConfigurationManager();
        ((IConfigurationBuilder)json).Add(new ReloadableSource(("Routes:r:ClusterId", "one"), ("Routes:r:Match:Path", "/x"), ("Clusters:one:Destinations:d:Address", "http://one.test")));
        await using var app = await StartAsync(json);
        Assert.StartsWith("one.test", await app.Client.GetStringAsync("/x"), StringComparison.Ordinal);
        var provider = (ReloadableProvider)((IConfigurationRoot)json).Providers.Last();

        provider.Change(("Clusters:one:Destinations:d:Address", "http://two.test"));
        Assert.StartsWith("two.test", await app.Client.GetStringAsync("/x"), StringComparison.Ordinal);

        provider.Change(("Clusters:one:Destinations:d:Adress", "http://three.test"));
        Assert.Contains("Clusters:one:Destinations:d:Adress is not a known key", app.Services.GetRequiredService<ProxyConfigMonitor>().LastError!.Message, StringComparison.Ordinal);
        Assert.StartsWith("two.test", await app.Client.GetStringAsync("/x"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_change_between_reading_and_following_a_source_is_not_missed()
    {
        var source = new ScriptedSource();
        source.Configs.Enqueue(() =>
        {
            source.Change(); // before anybody follows this token
            return ([s_a], [s_one]);
        });
        source.Configs.Enqueue(() => ([s_b], [s_two]));

        await using var app = await StartAsync(source);

        Assert.Equal(["b"], app.Services.GetRequiredService<ProxyConfigMonitor>().Routes.Select(r => r.RouteId));
        Assert.StartsWith("two.test", await app.Client.GetStringAsync("/b"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_sources_may_change_at_the_same_time()
    {
        ScriptedSource first = new(), second = new();
        Task changing = Task.CompletedTask;
        first.Configs.Enqueue(() => ([s_a], [s_one]));
        first.Configs.Enqueue(() =>
        {
            // While the first is reloaded, the second calls back on another thread.
            changing = Task.Run(second.Change);
            second.CalledBack.Task.Wait();
            return ([s_a with { Order = 1 }], [s_one]);
        });
        second.Configs.Enqueue(() => ([s_b], [s_two]));
        await using var app = await StartAsync(first, second);

        await Task.Run(first.Change).WaitAsync(TimeSpan.FromSeconds(30));
        await changing.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal(1, app.Services.GetRequiredService<ProxyConfigMonitor>().Routes[0].Order);
    }

    [Fact]
    public async Task Reloads_are_counted_by_result()
    {
        await using var app = await StartAsync();
        using var reloads = new MetricCollector<long>(app.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", "proxykit.config.reloads");

        _source.Update([s_a], [s_one]);
        _source.Update([s_b], [s_one]);

        Assert.Equal(["success", "failure"], reloads.GetMeasurementSnapshot().Select(m => m.Tags["result"]));
    }

    private Task<ProxyApp> StartAsync() => StartAsync(_source);

    private Task<ProxyApp> StartAsync(params IProxyConfigSource[] sources) => ProxyApp.StartAsync(
        services =>
        {
            foreach (var source in sources)
                services.AddReverseProxy().AddConfigSource(source);
            services.AddProxyTestDestinations(_destinations);
        },
        app => app.MapReverseProxy());

    private Task<ProxyApp> StartAsync(IConfiguration configuration) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy().LoadFromConfig(configuration);
            services.AddProxyTestDestinations(_destinations);
        },
        app => app.MapReverseProxy());

    private static Dictionary<string, Endpoint> Endpoints(ProxyApp app) =>
        app.Services.GetRequiredService<EndpointDataSource>().Endpoints.ToDictionary(e => e.DisplayName!);

    private static RouteConfig Route(string id, string cluster) => new() { RouteId = id, ClusterId = cluster, Match = new() { Path = "/" + id } };

    private static ClusterConfig Cluster(string id, string address) => new() { ClusterId = id, Destinations = [new() { Address = address }] };

    private sealed class AwaitingHandler(Task<HttpResponseMessage> answer, TaskCompletionSource reached) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            reached.TrySetResult();
            return answer;
        }
    }

    /// <summary>Gives one configuration after the other, the last one for ever, and tells when a change calls back.</summary>
    private sealed class ScriptedSource : IProxyConfigSource
    {
        private CancellationTokenSource _change = new();

        public Queue<Func<(ValueList<RouteConfig> Routes, ValueList<ClusterConfig> Clusters)>> Configs { get; } = new();

        public TaskCompletionSource CalledBack { get; } = new();

        public ProxyConfig GetConfig()
        {
            var token = new Token(_change.Token, CalledBack);
            var (routes, clusters) = (Configs.Count > 1 ? Configs.Dequeue() : Configs.Peek())();
            return new(routes, clusters, token);
        }

        public void Change() => Interlocked.Exchange(ref _change, new()).Cancel();

        private sealed class Token(CancellationToken token, TaskCompletionSource calledBack) : IChangeToken
        {
            public bool HasChanged => token.IsCancellationRequested;

            public bool ActiveChangeCallbacks => true;

            public IDisposable RegisterChangeCallback(Action<object?> callback, object? state) => token.Register(() =>
            {
                calledBack.TrySetResult();
                callback(state);
            });
        }
    }

    private sealed class ReloadableSource(params (string Key, string Value)[] values) : IConfigurationSource
    {
        public IConfigurationProvider Build(IConfigurationBuilder builder) => new ReloadableProvider(values);
    }

    private sealed class ReloadableProvider : ConfigurationProvider
    {
        public ReloadableProvider((string Key, string Value)[] values)
        {
            foreach (var (key, value) in values)
                Data[key] = value;
        }

        public void Change((string Key, string Value) entry)
        {
            Data[entry.Key] = entry.Value;
            OnReload();
        }
    }
}
