using System.Net;
using Microsoft.Extensions.DependencyInjection;
using static ProxyKit.Tests.Health.ProbedApp;

namespace ProxyKit.Tests.Health;

/// <summary>A destination that has recovered, or has joined, gets its share little by little.</summary>
public class SlowStartTests
{
    private static readonly ActiveHealthCheckConfig s_rare = Check with { Interval = TimeSpan.FromHours(1), IntervalWhenDown = TimeSpan.FromHours(1), Fall = 1 };

    private readonly RecordingPolicy _policy = new();

    [Fact]
    public async Task A_destination_that_recovers_grows_from_a_tenth_to_the_whole()
    {
        await using var app = await StartAsync(Slow(20, "a", "b"), "a", "b");
        Assert.Equal("a=1 b=4", _policy.Weights); // not when all begin together
        await SetAsync(app, "b", HttpStatusCode.InternalServerError);
        Assert.Equal("a=1", _policy.Weights);

        await SetAsync(app, "b", HttpStatusCode.OK);

        var weights = new List<string> { _policy.Weights };
        for (var second = 1; second <= 22; second++)
        {
            app.Clock.Advance(TimeSpan.FromSeconds(1));
            weights.Add(_policy.Weights);
        }
        Assert.Equal("a=1 b=0.4", weights[0]);
        Assert.Equal("a=1 b=0.4", weights[2]); // a tenth is the least
        Assert.Equal("a=1 b=0.6", weights[3]);
        Assert.Equal("a=1 b=2", weights[10]);
        Assert.Equal("a=1 b=3.8", weights[19]);
        Assert.Equal("a=1 b=4", weights[20]);
        Assert.Equal(4, (await app.GetAsync()).Proxy.AvailableDestinations[1].EffectiveWeight);

        var made = _policy.Made;
        app.Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(made, _policy.Made); // no timer is left
    }

    [Fact]
    public async Task A_destination_that_joins_others_grows_too()
    {
        await using var app = await StartAsync(Slow(10, "a"), "a", "b");

        app.Update(Slow(10, "a", "b"));

        Assert.Equal("a=1 b=0.4", _policy.Weights);
        app.Clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("a=1 b=2", _policy.Weights);
    }

    [Fact]
    public async Task Nobody_is_spared_when_there_is_nobody_else()
    {
        await using var app = await StartAsync(Slow(10, "b"), "b");
        await SetAsync(app, "b", HttpStatusCode.InternalServerError);

        await SetAsync(app, "b", HttpStatusCode.OK);

        Assert.Equal("b=4", _policy.Weights);
    }

    [Fact]
    public async Task One_that_fails_on_the_way_begins_anew()
    {
        await using var app = await StartAsync(Slow(10_000, "a", "b"), "a", "b");
        await SetAsync(app, "b", HttpStatusCode.InternalServerError);
        await SetAsync(app, "b", HttpStatusCode.OK);
        app.Clock.Advance(TimeSpan.FromSeconds(3000));
        Assert.Equal("a=1 b=1.2", _policy.Weights);

        await SetAsync(app, "b", HttpStatusCode.InternalServerError);
        Assert.Equal("a=1", _policy.Weights);
        var made = _policy.Made;
        app.Clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(made, _policy.Made); // nothing grows, so there is no timer
        await SetAsync(app, "b", HttpStatusCode.OK);

        Assert.Equal("a=1 b=0.4", _policy.Weights);
    }

    [Fact]
    public async Task A_reload_can_end_it()
    {
        await using var app = await StartAsync(Slow(10, "a"), "a", "b");
        app.Update(Slow(10, "a", "b"));
        Assert.Equal("a=1 b=0.4", _policy.Weights);

        app.Update(Slow(0, "a", "b"));

        Assert.Equal("a=1 b=4", _policy.Weights);
    }

    [Fact]
    public async Task It_is_off_by_default()
    {
        await using var app = await StartAsync(Slow(0, "a", "b"), "a", "b");
        await SetAsync(app, "b", HttpStatusCode.InternalServerError);

        await SetAsync(app, "b", HttpStatusCode.OK);

        Assert.Equal("a=1 b=4", _policy.Weights);
    }

    private static ClusterConfig Slow(int seconds, params string[] hosts) => new()
    {
        ClusterId = "c",
        Destinations = [.. hosts.Select(host => Destination(host) with { Weight = host == "b" ? 4 : 1 })],
        LoadBalancingPolicy = nameof(RecordingPolicy),
        HealthCheck = new() { Active = s_rare, SlowStart = TimeSpan.FromSeconds(seconds) },
    };

    private async Task<ProbedApp> StartAsync(ClusterConfig cluster, params string[] hosts)
    {
        var app = new ProbedApp(hosts);
        await app.StartAsync(cluster, services => services.AddSingleton<ILoadBalancingPolicy>(_policy));
        foreach (var _ in cluster.Destinations)
            await app.Clock.SleepAsync();
        return app;
    }

    /// <summary>Has a destination answer so, and the probes see it: a check that changes is made at once, so the clock need not move.</summary>
    private static async Task SetAsync(ProbedApp app, string host, HttpStatusCode status)
    {
        app.Answer(host, status);
        var model = app.App.Services.GetRequiredService<ProxyConfigMonitor>().Clusters[0];
        app.Update(model with { HealthCheck = model.HealthCheck with { Active = model.HealthCheck.Active with { Path = model.HealthCheck.Active.Path + "z" } } });
        foreach (var _ in model.Destinations)
            await app.Clock.SleepAsync();
    }

    private sealed class RecordingPolicy : ILoadBalancingPolicy
    {
        public string Name => nameof(RecordingPolicy);

        public string Weights { get; private set; } = "";

        public int Made { get; private set; }

        public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous)
        {
            Made++;
            Weights = string.Join(' ', destinations.Available.Select((d, i) => FormattableString.Invariant($"{d.Name}={Math.Round(destinations.WeightOf(i), 6)}")));
            return new FirstPicker(destinations);
        }

        private sealed class FirstPicker(DestinationSet destinations) : DestinationPicker
        {
            public override Destination? Pick(in PickContext context) => destinations.Available.Count == 0 ? null : destinations.Available[0];
        }
    }
}
