using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using ProxyKit.Testing;
using ProxyKit.Tests.Resilience;

namespace ProxyKit.Tests.LoadBalancing;

/// <summary>Retries and hedges keep to the limits.</summary>
public class LimitsResilienceTests
{
    [Fact]
    public async Task A_retry_gives_back_its_place_and_waits_for_a_destination_that_has_not_been_tried()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(2).WithConcurrencyLimits(1), count: 2);
        await app.Client.GetAsync("/");
        var limiter = (await app.App.OutcomeAsync()).Destination!.Owner.Limiter!;
        app.Upstreams[0].Stall().Times(1);
        using var leaving = new CancellationTokenSource();
        var stalled = app.Client.GetAsync("/", leaving.Token);
        while (app.Upstreams[0].Requests < 2)
            await Task.Yield();

        app.Upstreams[1].Respond(HttpStatusCode.ServiceUnavailable).Times(1);
        var retried = app.Client.GetAsync("/");
        while (limiter.QueueLength == 0)
            await Task.Yield();
        Assert.Equal(1, limiter.ActiveRequests);
        await leaving.CancelAsync();

        Assert.Equal(HttpStatusCode.OK, (await retried).StatusCode);
        Assert.Equal([3, 1], app.Requests);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stalled);
        int[] attempts = [(await app.App.OutcomeAsync()).Attempts, (await app.App.OutcomeAsync()).Attempts];
        Assert.Equal([1, 2], attempts.Order());
        Assert.Equal(0, limiter.ActiveRequests);
    }

    [Fact]
    public async Task What_the_queue_turns_away_is_not_retried()
    {
        await using var app = await ResilienceApp.StartAsync(
            route => route.WithRetries(2).WithConcurrencyLimits(l => (l.MaxConcurrentRequests, l.QueueLimit) = (1, 0)), count: 2);
        app.Upstreams[0].Stall();
        var stalled = app.Client.GetAsync("/");
        await ProxyApp.ReachedAsync(app.Upstreams[0]);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await app.Client.GetAsync("/")).StatusCode); // the clock stands still

        Assert.Equal((ProxyError.QueueFull, 0), ((await app.App.OutcomeAsync()) is var o ? o.Error : default, o.Attempts));
        app.Upstreams[0].Recover();
        await app.App.AdvanceUntilAsync(stalled, TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_hedge_that_finds_no_place_leaves_it_to_the_first_attempt()
    {
        SlowUpstream[] upstreams = [new(), new()];
        var destinations = new TestDestinations();
        destinations.Map("http://a.test", upstreams[0]);
        destinations.Map("http://b.test", upstreams[1]);
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapProxy("/{**path}", "http://a.test", "http://b.test").WithHedging().WithConcurrencyLimits(1)
                .WithTimeouts(t => t.FirstByte = Timeout.InfiniteTimeSpan)); // the clock below runs as far as it takes
        using var hedges = new MetricCollector<long>(app.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", "proxykit.hedges");
        var occupying = app.Client.PostAsync("/", null); // itself not hedged
        while (upstreams.All(u => u.MostAtOnce == 0))
            await Task.Yield();
        var free = upstreams.Single(u => u.MostAtOnce == 0);
        var hedged = app.Client.GetAsync("/");
        await free.ReachedAsync();

        while (hedges.GetMeasurementSnapshot().Count == 0)
        {
            app.Time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }
        free.Open();

        Assert.Equal(HttpStatusCode.OK, (await hedged).StatusCode);
        Assert.Equal(1, (await app.OutcomeAsync()).Owner.Limiter!.ActiveRequests);
        Assert.False(occupying.IsCompleted);
        foreach (var upstream in upstreams)
            upstream.Open();
        Assert.Equal(HttpStatusCode.OK, (await occupying).StatusCode);
    }

    [Fact]
    public async Task A_request_that_waits_is_not_hedged()
    {
        var upstream = new SlowUpstream();
        var destinations = new TestDestinations();
        destinations.Map("http://a.test", upstream);
        destinations.Map("http://b.test", upstream);
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapProxy("/{**path}", "http://a.test", "http://b.test").WithHedging().WithConcurrencyLimits(l =>
            {
                l.MaxConcurrentRequests = 1;
                l.QueueTimeout = TimeSpan.FromSeconds(3);
            }));
        using var hedges = new MetricCollector<long>(app.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", "proxykit.hedges");
        using var length = new MetricCollector<long>(app.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", "proxykit.queue.length");
        var first = app.Client.PostAsync("/", null); // itself not hedged
        await upstream.ReachedAsync();
        var second = app.Client.GetAsync("/");

        while (length.GetMeasurementSnapshot().EvaluateAsCounter() == 0)
            await Task.Yield();
        for (var i = 0; i < 30; i++)
        {
            app.Time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await second).StatusCode);
        Assert.Equal(ProxyError.QueueTimeout, (await app.OutcomeAsync()).Error);
        Assert.Empty(hedges.GetMeasurementSnapshot());
        upstream.Open();
        Assert.Equal(HttpStatusCode.OK, (await first).StatusCode);
    }
}
