using Microsoft.AspNetCore.Builder;
using ProxyKit.Resilience;

namespace ProxyKit.Tests.Resilience;

public class HedgingTests
{
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(50);

    [Fact]
    public async Task A_second_destination_is_asked_when_the_first_takes_long()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithHedging());
        app.Upstreams[0].Stall();
        var start = app.App.Time.GetTimestamp();

        var response = await app.App.AdvanceUntilAsync(app.Client.GetAsync("/"), s_step);

        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal([1, 1, 0], app.Requests);
        Assert.True(app.App.Time.GetElapsedTime(start) >= TimeSpan.FromMilliseconds(500));
        var outcome = await app.App.OutcomeAsync();
        Assert.Equal(("http://u1.test", 2, ProxyError.None), (outcome.Destination!.Name, outcome.Attempts, outcome.Error));
        Assert.All(outcome.AvailableDestinations, d => Assert.Equal(0, d.ActiveRequests)); // the one that stalls has been cancelled
    }

    [Fact]
    public async Task A_quick_answer_is_not_hedged()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithHedging());

        await app.Client.GetAsync("/");

        Assert.Equal([1, 0, 0], app.Requests);
    }

    [Theory]
    [InlineData("POST", null)]
    [InlineData("PUT", "body")]
    public async Task What_cannot_be_sent_twice_is_not_hedged(string method, string? body)
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithHedging().WithTimeout(TimeSpan.FromSeconds(5)));
        app.Upstreams[0].Stall();

        var sent = app.Client.SendAsync(new(new(method), "/") { Content = body is null ? null : new StringContent(body) });
        await ProxyApp.ReachedAsync(app.Upstreams[0]);
        var response = await app.App.AdvanceUntilAsync(sent, s_step);

        Assert.Equal(504, (int)response.StatusCode);
        Assert.Equal([1, 0, 0], app.Requests);
    }

    [Fact]
    public async Task A_failure_is_hedged_at_once()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithHedging());
        app.Upstreams[0].Refuse();

        Assert.Equal(200, (int)(await app.Client.GetAsync("/")).StatusCode); // the clock stands still
        Assert.Equal([1, 1, 0], app.Requests);
    }

    [Fact]
    public async Task Hedges_come_out_of_the_budget()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithHedging().WithRetries(r => (r.BudgetRatio, r.BudgetMinimum) = (0, 0)).WithTimeout(TimeSpan.FromSeconds(5)));
        app.Upstreams[0].Stall();

        var response = app.Client.GetAsync("/");
        await ProxyApp.ReachedAsync(app.Upstreams[0]);

        Assert.Equal(504, (int)(await app.App.AdvanceUntilAsync(response, s_step)).StatusCode);
        Assert.Equal([1, 0, 0], app.Requests);
    }

    [Fact]
    public async Task With_a_percentile_only_the_slowest_are_hedged()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithHedging(h => (h.Percentile, h.Delay) = (0.95, TimeSpan.FromHours(1))));
        for (var i = 0; i < 200; i++)
            await app.Client.GetAsync("/");
        app.Upstreams[0].Stall();
        var start = app.App.Time.GetTimestamp();

        var response = await app.App.AdvanceUntilAsync(app.Client.GetAsync("/"), TimeSpan.FromMilliseconds(1));

        Assert.Equal(200, (int)response.StatusCode);
        Assert.True(app.App.Time.GetElapsedTime(start) < TimeSpan.FromHours(1)); // the answers so far took no time at all
    }

    [Theory]
    [InlineData(0.5, 500)]
    [InlineData(0.95, 950)]
    [InlineData(0.99, 990)]
    public void The_quantile_is_known_to_within_a_sixteenth(double quantile, double milliseconds)
    {
        var latency = new LatencyQuantile(quantile);
        Assert.Null(latency.Value);

        for (var i = 0; i < 1000; i++)
            latency.Answered(null!, new(200, ProxyError.None, FailureClass.None, TimeSpan.FromMilliseconds(1 + (i * 7 % 1000))));

        Assert.InRange(latency.Value!.Value.TotalMilliseconds, milliseconds, milliseconds * 17 / 16);
    }

    [Fact]
    public void Old_latencies_fade()
    {
        var latency = new LatencyQuantile(0.5);
        for (var i = 0; i < 20_000; i++)
            latency.Answered(null!, new(200, ProxyError.None, FailureClass.None, TimeSpan.FromSeconds(1)));
        for (var i = 0; i < 20_000; i++)
            latency.Answered(null!, new(200, ProxyError.None, FailureClass.None, TimeSpan.FromMilliseconds(1)));

        Assert.True(latency.Value < TimeSpan.FromMilliseconds(2));
    }
}
