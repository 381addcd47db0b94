using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging;
using ProxyKit.Testing;

namespace ProxyKit.Tests.LoadBalancing;

/// <summary>Limits as a client sees them.</summary>
public class LimitsRequestTests
{
    private readonly SlowUpstream _upstream = new();

    [Fact]
    public async Task Hundreds_at_once_are_all_answered_and_the_destination_never_sees_more_than_its_limit()
    {
        await using var app = await StartAsync(route => route.WithConcurrencyLimits(5));

        var responses = Task.WhenAll(Enumerable.Range(0, 400).Select(_ => app.Client.GetAsync("/")));
        await _upstream.ReachedAsync(5);
        _upstream.Open();

        Assert.All(await responses, r => Assert.Equal(HttpStatusCode.OK, r.StatusCode));
        Assert.Equal(5, _upstream.MostAtOnce);
        var destination = (await app.OutcomeAsync()).Destination!;
        Assert.Equal((0, 5), (destination.ActiveRequests, destination.MaxConcurrentRequests));
        Assert.Equal((0, 0), (destination.Owner.Limiter!.ActiveRequests, destination.Owner.Limiter.QueueLength));
    }

    [Fact]
    public async Task A_destinations_own_limit_is_enough_for_a_queue()
    {
        await using var app = await StartAsync(route => route.ConfigureCluster("test", c => c with { Destinations = [c.Destinations[0] with { MaxConcurrentRequests = 1 }] }));
        var first = app.Client.GetAsync("/");
        await _upstream.ReachedAsync();
        var second = app.Client.GetAsync("/");
        await WaitingAsync(app, 1);

        _upstream.Open();

        Assert.Equal(HttpStatusCode.OK, (await first).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await second).StatusCode);
        Assert.Equal(1, _upstream.MostAtOnce);
    }

    [Fact]
    public async Task What_finds_the_queue_full_is_503_and_told_when_to_come_again()
    {
        await using var app = await StartAsync(route => route.WithProxyStatus().WithConcurrencyLimits(l =>
        {
            l.MaxConcurrentRequests = 1;
            l.QueueLimit = 0;
            l.RetryAfter = TimeSpan.FromSeconds(2.5);
        }));
        var first = app.Client.GetAsync("/");
        await _upstream.ReachedAsync();

        var turnedAway = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, turnedAway.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(3), turnedAway.Headers.RetryAfter!.Delta);
        Assert.EndsWith("; error=connection_limit_reached", turnedAway.Headers.GetValues("Proxy-Status").Single(), StringComparison.Ordinal);
        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.QueueFull, FailureClass.NothingSent, 0, null), (outcome.Error, outcome.FailureClass, outcome.Attempts, outcome.Destination));
        _upstream.Open();
        Assert.Equal(HttpStatusCode.OK, (await first).StatusCode);
    }

    [Fact]
    public async Task What_has_waited_too_long_is_503()
    {
        await using var app = await StartAsync(route => route.WithConcurrencyLimits(1));
        var first = app.Client.GetAsync("/");
        await _upstream.ReachedAsync();
        var second = app.Client.GetAsync("/");
        await WaitingAsync(app, 1);

        app.Time.Advance(TimeSpan.FromSeconds(10));

        var response = await second;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(10), response.Headers.RetryAfter!.Delta);
        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.QueueTimeout, TimeSpan.FromSeconds(10)), (outcome.Error, outcome.QueueTime));
        _upstream.Open();
        await first;
        Assert.Equal(TimeSpan.Zero, (await app.OutcomeAsync()).QueueTime);
    }

    [Fact]
    public async Task Retry_After_is_not_sent_where_it_is_switched_off_nor_with_other_errors()
    {
        await using var app = await StartAsync(route => route.WithConcurrencyLimits(l =>
        {
            l.MaxConcurrentRequests = 1;
            l.QueueLimit = 0;
            l.RetryAfter = TimeSpan.Zero;
        }));
        var first = app.Client.GetAsync("/");
        await _upstream.ReachedAsync();

        Assert.Null((await app.Client.GetAsync("/")).Headers.RetryAfter);

        _upstream.Fail();
        Assert.Equal(HttpStatusCode.BadGateway, (await first).StatusCode);
        Assert.Null((await first).Headers.RetryAfter);
    }

    [Fact]
    public async Task A_client_that_leaves_leaves_the_queue()
    {
        await using var app = await StartAsync(route => route.WithConcurrencyLimits(1));
        var first = app.Client.GetAsync("/");
        await _upstream.ReachedAsync();
        using var leaving = new CancellationTokenSource();
        var second = app.Client.GetAsync("/", leaving.Token);
        await WaitingAsync(app, 1);

        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.ClientAborted, FailureClass.Client), (outcome.Error, outcome.FailureClass));
        await WaitingAsync(app, 0);
        _upstream.Open();
        Assert.Equal(HttpStatusCode.OK, (await first).StatusCode);
    }

    [Fact]
    public async Task Waiting_counts_into_the_total_time()
    {
        await using var app = await StartAsync(route => route.WithConcurrencyLimits(1).WithTimeout(TimeSpan.FromSeconds(4)));
        var first = app.Client.GetAsync("/");
        await _upstream.ReachedAsync();
        app.Time.Advance(TimeSpan.FromSeconds(1));
        var second = app.Client.GetAsync("/");
        await WaitingAsync(app, 1);

        app.Time.Advance(TimeSpan.FromSeconds(3.5));
        Assert.Equal(HttpStatusCode.GatewayTimeout, (await first).StatusCode); // and makes way for the second
        await _upstream.ReachedAsync(2);
        app.Time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(HttpStatusCode.GatewayTimeout, (await second).StatusCode);
        await app.OutcomeAsync();
        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.TotalTimeout, TimeSpan.FromSeconds(3.5)), (outcome.Error, outcome.QueueTime));
    }

    [Fact]
    public async Task A_request_whose_time_is_up_leaves_the_queue()
    {
        await using var app = await StartAsync(
            app =>
            {
                app.MapProxy("/patient/{**path}", "shared");
                app.MapProxy("/{**path}", "shared").WithTimeout(TimeSpan.FromSeconds(4));
            },
            proxy => proxy.AddCluster("shared", c => c.To(ProxyApp.Upstream).WithConcurrencyLimits(1)));
        var first = app.Client.GetAsync("/patient/");
        await _upstream.ReachedAsync();
        var second = app.Client.GetAsync("/");
        await WaitingAsync(app, 1);

        app.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(HttpStatusCode.GatewayTimeout, (await second).StatusCode);

        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.TotalTimeout, null), (outcome.Error, outcome.Destination));
        _upstream.Open();
        Assert.Equal(HttpStatusCode.OK, (await first).StatusCode);
    }

    [Fact]
    public async Task Waiting_does_not_count_into_the_time_to_the_first_byte()
    {
        await using var app = await StartAsync(
            route => route.WithConcurrencyLimits(l =>
            {
                l.MaxConcurrentRequests = 1;
                l.QueueTimeout = TimeSpan.FromMinutes(5);
            }).WithTimeouts(t => t.FirstByte = TimeSpan.FromMinutes(2)));
        var first = app.Client.GetAsync("/");
        await _upstream.ReachedAsync();
        app.Time.Advance(TimeSpan.FromSeconds(90));
        var second = app.Client.GetAsync("/");
        await WaitingAsync(app, 1);
        app.Time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal(HttpStatusCode.GatewayTimeout, (await first).StatusCode);
        await _upstream.ReachedAsync(2);

        app.Time.Advance(TimeSpan.FromSeconds(119)); // 150 s since it came
        _upstream.Open();

        Assert.Equal(HttpStatusCode.OK, (await second).StatusCode);
    }

    [Fact]
    public async Task The_queue_is_measured()
    {
        await using var app = await StartAsync(route => route.WithConcurrencyLimits(l =>
        {
            l.MaxConcurrentRequests = 1;
            l.QueueLimit = 2;
        }));
        var length = app.Services.GetRequiredService<MetricCollector<long>>();
        using var duration = Collect<double>(app, "proxykit.queue.duration");
        using var rejected = Collect<long>(app, "proxykit.queue.rejected");
        var first = app.Client.GetAsync("/");
        await _upstream.ReachedAsync();
        var late = app.Client.GetAsync("/");
        await WaitingAsync(app, 1);
        app.Time.Advance(TimeSpan.FromSeconds(6));
        var second = app.Client.GetAsync("/");
        await WaitingAsync(app, 2);
        await app.Client.GetAsync("/");
        Assert.Equal(2, length.GetMeasurementSnapshot().EvaluateAsCounter());
        app.Time.Advance(TimeSpan.FromSeconds(4));
        await late;
        _upstream.Open();
        await Task.WhenAll(first, second);

        Assert.Equal(0, length.GetMeasurementSnapshot().EvaluateAsCounter());
        Assert.Equal([("timeout", 10), ("admitted", 4)], duration.GetMeasurementSnapshot().Select(m => ((string)m.Tags["outcome"]!, m.Value)));
        Assert.Equal(["full", "timeout"], rejected.GetMeasurementSnapshot().Select(m => m.Tags["reason"]));
        Assert.All(rejected.GetMeasurementSnapshot(), m => Assert.Equal("/{**path}", m.Tags["proxykit.cluster"]));
    }

    [Fact]
    public async Task When_many_are_turned_away_the_log_says_so_every_ten_seconds()
    {
        await using var app = await StartAsync(route => route.WithConcurrencyLimits(l =>
        {
            l.MaxConcurrentRequests = 1;
            l.QueueLimit = 0;
        }));
        var first = app.Client.GetAsync("/");
        await _upstream.ReachedAsync();

        for (var i = 0; i < 5; i++)
            await app.Client.GetAsync("/");
        app.Time.Advance(TimeSpan.FromSeconds(10));
        await app.Client.GetAsync("/");

        var lines = app.Logs.GetSnapshot().Where(l => l.Category == "ProxyKit" && l.Level >= LogLevel.Information && l.Id.Id is < 10 or > 13).ToArray();
        Assert.Equal([(40, "QueueFull", LogLevel.Warning), (40, "QueueFull", LogLevel.Warning)], lines.Select(l => (l.Id.Id, l.Id.Name, l.Level)));
        Assert.StartsWith("Cluster /{**path}: all destinations are at their limits (1 requests) and 0 more wait; 1 since", lines[0].Message, StringComparison.Ordinal);
        Assert.Contains("; 5 since", lines[1].Message, StringComparison.Ordinal);
        Assert.Equal(6, app.Logs.GetSnapshot().Count(l => l.Id.Name == "RequestTurnedAway"));
        _upstream.Open();
        await first;
    }

    [Fact]
    public async Task All_unhealthy_is_503_at_once_and_no_queue()
    {
        await using var app = await StartAsync(route => route.WithConcurrencyLimits(1));
        _upstream.Open();
        await app.Client.GetAsync("/");
        var destination = (await app.OutcomeAsync()).Destination!;
        destination.ActiveHealth = DestinationHealth.Unhealthy;

        var response = await app.Client.GetAsync("/");

        Assert.Equal((HttpStatusCode.ServiceUnavailable, 0), (response.StatusCode, destination.Owner.Limiter!.QueueLength));
        Assert.Null(response.Headers.RetryAfter);
        Assert.Equal(ProxyError.NoAvailableDestinations, (await app.OutcomeAsync()).Error);
    }

    private Task<ProxyApp> StartAsync(Action<ProxyRouteBuilder> route) => StartAsync(app => route(app.MapProxy("/{**path}", ProxyApp.Upstream)), _ => { });

    private Task<ProxyApp> StartAsync(Action<WebApplication> map, Action<ReverseProxyBuilder> configure) => ProxyApp.StartAsync(
        services =>
        {
            configure(services.AddReverseProxy());
            var destinations = new TestDestinations();
            destinations.Map(ProxyApp.Upstream, _upstream);
            services.AddProxyTestDestinations(destinations);
            services.AddSingleton(provider => new MetricCollector<long>(provider.GetRequiredService<IMeterFactory>(), "ProxyKit", "proxykit.queue.length"));
        },
        app =>
        {
            app.Services.GetRequiredService<MetricCollector<long>>();
            map(app);
        });

    /// <summary>So many requests wait, timers and all.</summary>
    private static async Task WaitingAsync(ProxyApp app, int count)
    {
        var length = app.Services.GetRequiredService<MetricCollector<long>>();
        while (length.GetMeasurementSnapshot().EvaluateAsCounter() != count)
            await Task.Yield();
    }

    private static MetricCollector<T> Collect<T>(ProxyApp app, string name)
        where T : struct => new(app.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", name);
}
