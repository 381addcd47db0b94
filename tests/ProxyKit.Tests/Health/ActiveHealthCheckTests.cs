using System.Net;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using System.Diagnostics.Metrics;
using static ProxyKit.Tests.Health.ProbedApp;

namespace ProxyKit.Tests.Health;

/// <summary>When a destination is probed, and what is made of it.</summary>
public class ActiveHealthCheckTests
{
    [Fact]
    public async Task A_destination_is_down_after_so_many_failures_in_a_row_and_up_after_so_many_successes()
    {
        await using var app = await StartOneAsync(Check with { Fall = 3, Rise = 2 });
        Assert.Equal("Healthy", await app.HealthAsync("a"));

        app.Answer("a", HttpStatusCode.InternalServerError);
        await app.Clock.ProbeAsync(Interval);
        await app.Clock.ProbeAsync(IntervalWhenDown);
        Assert.Equal("Healthy", await app.HealthAsync("a"));
        app.Answer("a", HttpStatusCode.OK); // the count begins anew
        await app.Clock.ProbeAsync(IntervalWhenDown);
        app.Answer("a", HttpStatusCode.InternalServerError);
        await app.Clock.ProbeAsync(Interval);
        await app.Clock.ProbeAsync(IntervalWhenDown);
        Assert.Equal(HttpStatusCode.InternalServerError, (await app.GetAsync()).Status); // asked, and answers so
        await app.Clock.ProbeAsync(IntervalWhenDown);
        Assert.Equal("Unhealthy: status 500, expected 200-299", await app.HealthAsync("a"));
        var (status, proxy) = await app.GetAsync();
        Assert.Equal((HttpStatusCode.ServiceUnavailable, ProxyError.NoAvailableDestinations), (status, proxy.Error));

        app.Answer("a", HttpStatusCode.OK);
        await app.Clock.ProbeAsync(IntervalWhenDown);
        Assert.StartsWith("Unhealthy", await app.HealthAsync("a"), StringComparison.Ordinal);
        await app.Clock.ProbeAsync(IntervalWhenDown);
        Assert.Equal("Healthy", await app.HealthAsync("a"));
        Assert.Equal(HttpStatusCode.OK, (await app.GetAsync()).Status);
    }

    [Fact]
    public async Task The_very_first_probe_decides_alone()
    {
        await using var app = await StartOneAsync(Check with { Fall = 3 }, app => app.Answer("a", HttpStatusCode.NotFound));

        Assert.Equal("Unhealthy: status 404, expected 200-299", await app.HealthAsync("a"));
    }

    [Fact]
    public async Task A_destination_is_probed_at_its_interval_and_more_often_while_it_is_down_or_wavers()
    {
        await using var app = await StartOneAsync(Check);
        app.Answer("a", HttpStatusCode.BadGateway);

        var down = await app.Clock.ProbeAsync(Interval, 3);
        app.Answer("a", HttpStatusCode.NoContent);
        var up = await app.Clock.ProbeAsync(down[^1], 2);

        Assert.Equal([IntervalWhenDown, IntervalWhenDown, IntervalWhenDown], down);
        Assert.Equal([Interval, Interval], up);
    }

    [Theory]
    [InlineData(60, 5)]
    [InlineData(2, 2)]
    public async Task The_interval_while_down_is_five_seconds_or_the_usual_one_if_that_is_shorter(int interval, int whenDown)
    {
        var check = Check with { Interval = TimeSpan.FromSeconds(interval), IntervalWhenDown = null };
        await using var app = await StartOneAsync(check);
        app.Answer("a", HttpStatusCode.BadGateway);

        Assert.Equal([TimeSpan.FromSeconds(whenDown)], await app.Clock.ProbeAsync(check.Interval));
    }

    [Fact]
    public async Task No_answer_in_time_is_a_failure()
    {
        await using var app = await StartOneAsync(Check with { Fall = 1 });
        app.Faults["a"].Stall();
        app.Clock.Advance(Interval);
        await ReachedAsync(app, 2);

        app.Clock.Advance(ProbeClock.ProbeTimeout);

        Assert.Equal(IntervalWhenDown - ProbeClock.ProbeTimeout, await app.Clock.SleepAsync()); // counted from the probe's start
        Assert.Equal("Unhealthy: no answer within 00:00:03", await app.HealthAsync("a"));
    }

    [Fact]
    public async Task Probes_of_a_destination_do_not_overlap()
    {
        await using var app = await StartOneAsync(Check with { Interval = TimeSpan.FromSeconds(1), IntervalWhenDown = TimeSpan.FromSeconds(1) });
        app.Faults["a"].Stall().Times(1);
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        await ReachedAsync(app, 2);

        app.Clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(2, app.Faults["a"].Requests);

        app.Clock.Advance(TimeSpan.FromSeconds(1)); // the time limit, and the next is overdue
        await app.Clock.SleepAsync();
        Assert.Equal(3, app.Faults["a"].Requests);
    }

    [Fact]
    public async Task A_new_destination_is_used_until_its_first_probe_has_failed()
    {
        await using var app = new ProbedApp("a", "b");
        await app.StartAsync(Cluster(Check, "a"));
        await app.Clock.SleepAsync();
        app.Faults["b"].Stall();

        app.Update(Cluster(Check, "a", "b"));
        while (app.Faults["b"].Requests == 0)
            await Task.Yield();

        Assert.Equal("Unknown", await app.HealthAsync("b"));
        Assert.Equal("c: 2 of 2 destinations are available.", (await app.ReportAsync()).Description);
        app.Clock.Advance(ProbeClock.ProbeTimeout);
        await app.Clock.SleepAsync();
        Assert.Equal(["a"], await app.GetAvailableAsync());
    }

    [Fact]
    public async Task A_reload_that_does_not_change_the_check_leaves_verdict_and_schedule_alone()
    {
        await using var app = await StartOneAsync(Check, app => app.Answer("a", HttpStatusCode.NotFound));
        app.Clock.Advance(TimeSpan.FromSeconds(4));

        app.Update(Cluster(Check with { }, "a") with { Metadata = new([new("new", "true")]), HttpClient = new() { MaxConnectionsPerServer = 7 } });

        Assert.Equal("Unhealthy: status 404, expected 200-299", await app.HealthAsync("a"));
        Assert.False(app.Clock.HasSleeps);
        Assert.Single(app.Probes("a"));
        Assert.Equal([IntervalWhenDown], await app.Clock.ProbeAsync(TimeSpan.FromSeconds(1)));
        Assert.Equal(2, app.Probes("a").Count());
    }

    [Fact]
    public async Task A_check_that_changes_is_made_at_once_and_the_verdict_stays_until_then()
    {
        await using var app = await StartOneAsync(Check, app => app.Answer("a", HttpStatusCode.NotFound));
        app.Upstreams["a"].Answer = request => new(request.RequestUri!.AbsolutePath == "/ready" ? HttpStatusCode.OK : HttpStatusCode.NotFound);

        app.Update(Cluster(Check with { Path = "/ready", Rise = 2 }, "a"));

        Assert.Equal(IntervalWhenDown, await app.Clock.SleepAsync());
        Assert.StartsWith("Unhealthy", await app.HealthAsync("a"), StringComparison.Ordinal);
        await app.Clock.ProbeAsync(IntervalWhenDown);
        Assert.Equal("Healthy", await app.HealthAsync("a"));
    }

    [Fact]
    public async Task What_is_no_longer_checked_is_no_longer_known_to_be_down()
    {
        await using var app = await StartOneAsync(Check, app => app.Answer("a", HttpStatusCode.NotFound));

        app.Update(Cluster(Check with { Enabled = false }, "a"));

        Assert.Equal("Unknown", await app.HealthAsync("a"));
        app.Clock.Advance(Interval * 3);
        Assert.False(app.Clock.HasSleeps);
        Assert.Single(app.Probes("a"));
    }

    [Fact]
    public async Task A_destination_that_is_gone_is_not_probed_any_more()
    {
        await using var app = new ProbedApp("a", "b");
        await app.StartAsync(Cluster(Check, "a", "b"));
        await app.Clock.SleepAsync();
        await app.Clock.SleepAsync();

        app.Update(Cluster(Check, "a"));
        await app.Clock.ProbeAsync(Interval, 2);

        Assert.Equal((3, 1), (app.Probes("a").Count(), app.Probes("b").Count()));
    }

    [Fact]
    public async Task A_probe_under_way_is_ended_when_its_destination_goes_and_nobody_wants_to_know_its_result()
    {
        await using var app = new ProbedApp("a");
        var handler = new EndlessHandler();
        app.Map("b", handler);
        await app.StartAsync(Cluster(Check, "a", "b"));
        await app.Clock.SleepAsync();
        await handler.Reached.Task;

        app.Update(Cluster(Check, "a")); // what follows on the probe's end has happened when this returns

        Assert.True(handler.IsEnded);
        Assert.Empty(app.Logged("ProbeFailed"));
        Assert.Empty(app.Logged("DestinationUnhealthy"));
        Assert.False(app.Clock.HasSleeps);
    }

    [Fact]
    public async Task A_cluster_that_comes_with_a_reload_is_probed_too()
    {
        await using var app = await StartOneAsync(Check);

        app.Update(Cluster(Check, "a"), Cluster(Check, "a") with { ClusterId = "d" });

        await app.Clock.SleepAsync();
        Assert.Equal(2, app.Probes("a").Count());
        app.Update(Cluster(Check, "a"));
        await app.Clock.ProbeAsync(Interval);
        Assert.Equal(3, app.Probes("a").Count());
        Assert.False(app.Clock.HasSleeps);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Probing_ends_with_the_app(bool isStopped)
    {
        await using var app = new ProbedApp();
        var handler = new EndlessHandler();
        app.Map("a", handler);
        await app.StartAsync(Cluster(Check, "a"));
        await handler.Reached.Task;

        if (isStopped)
            await app.App.Services.GetRequiredService<IHost>().StopAsync(TestContext.Current.CancellationToken);
        else
            await app.DisposeAsync();

        Assert.True(handler.IsEnded);
        Assert.False(app.Clock.HasSleeps);
    }

    [Fact]
    public async Task The_app_can_wait_for_the_first_probes_before_it_takes_requests()
    {
        await using var app = new ProbedApp("a", "b");
        app.Answer("b", HttpStatusCode.NotFound);

        await app.StartAsync(Cluster(Check with { StartupWait = TimeSpan.FromMinutes(1) }, "a", "b"));

        Assert.Equal(["a"], await app.GetAvailableAsync());
        Assert.Empty(app.Logged("StartupWaitOver"));
    }

    [Fact]
    public async Task The_app_does_not_wait_for_ever()
    {
        await using var app = new ProbedApp("a");
        app.Faults["a"].Stall();

        var start = app.StartAsync(Cluster(Check with { StartupWait = TimeSpan.FromSeconds(2) }, "a"));
        while (app.Faults["a"].Requests == 0)
            await Task.Yield();
        Assert.Equal(TimeSpan.FromSeconds(2), await app.Clock.SleepAsync()); // the start, not a prober
        Assert.False(start.IsCompleted);
        app.Clock.Advance(TimeSpan.FromSeconds(2));
        await start;

        Assert.Contains("00:00:02", Assert.Single(app.Logged("StartupWaitOver")).Message, StringComparison.Ordinal);
        Assert.Equal("Unknown", await app.HealthAsync("a"));
    }

    [Fact]
    public async Task The_log_has_one_line_for_each_change_of_verdict_with_its_reason()
    {
        await using var app = await StartOneAsync(Check);
        app.Answer("a", HttpStatusCode.InternalServerError);
        await app.Clock.ProbeAsync(Interval, 1);
        await app.Clock.ProbeAsync(IntervalWhenDown, 4);
        app.Answer("a", HttpStatusCode.OK);
        await app.Clock.ProbeAsync(IntervalWhenDown, 1);
        await app.Clock.ProbeAsync(Interval, 4);

        var lines = app.App.Logs.GetSnapshot().Where(line => line.Id.Id is >= 50 and < 60 && line.Level > LogLevel.Debug).Select(line => line.Message);
        Assert.Equal(
            [
                "Cluster c: destination a is healthy by its health check",
                "Cluster c: no destination is available, requests are answered with 503; 1 are in rotation",
                "Cluster c: destination a is unhealthy by its health check: status 500, expected 200-299",
                "Cluster c: 1 of 1 destinations are available again",
                "Cluster c: destination a is healthy by its health check",
            ],
            lines);
        Assert.Equal(5, app.Logged("ProbeFailed").Count);
    }

    [Fact]
    public async Task Health_and_probes_are_measured()
    {
        await using var app = await StartOneAsync(Check with { Fall = 1 });
        using var probes = new MetricCollector<double>(app.App.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", "proxykit.destination.probe.duration");
        Assert.Equal(1, app.Gauge("proxykit.destination.health", "proxykit.destination", "a"));
        app.Answer("a", HttpStatusCode.InternalServerError);

        await app.Clock.ProbeAsync(Interval);

        Assert.Equal(0, app.Gauge("proxykit.destination.health", "proxykit.destination", "a"));
        var probe = Assert.Single(probes.GetMeasurementSnapshot());
        Assert.Equal(("c", "a", "status"), (probe.Tags["proxykit.cluster"], probe.Tags["proxykit.destination"], probe.Tags["error.type"]));
    }

    [Fact]
    public void Intervals_are_jittered_and_the_second_probe_comes_at_any_time()
    {
        var check = new ActiveHealthCheckConfig { Jitter = 0.2 };
        double[] draws = [0, 0.25, 0.5, 0.75, 0.999999999];

        double[] Seconds(bool isUrgent, bool isFirst) => [.. draws.Select(draw => Math.Round(ProxyKit.Health.ProbeSchedule.Next(check, isUrgent, isFirst, draw).TotalSeconds, 3))];

        Assert.Equal([12, 13.5, 15, 16.5, 18], Seconds(isUrgent: false, isFirst: false));
        Assert.Equal([4, 4.5, 5, 5.5, 6], Seconds(isUrgent: true, isFirst: false));
        Assert.Equal([4, 4.5, 5, 5.5, 6], Seconds(isUrgent: true, isFirst: true));
        Assert.Equal([0, 3.75, 7.5, 11.25, 15], Seconds(isUrgent: false, isFirst: true));
    }

    /// <summary>Does not answer; its end is seen at once, on the thread that ends it.</summary>
    private sealed class EndlessHandler : HttpMessageHandler
    {
        private readonly TaskCompletionSource<HttpResponseMessage> _answer = new();

        public TaskCompletionSource Reached { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsEnded => _answer.Task.IsCanceled;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            cancellationToken.UnsafeRegister(static (answer, token) => ((TaskCompletionSource<HttpResponseMessage>)answer!).TrySetCanceled(token), _answer);
            // A little later: then everybody waits for the answer.
            ThreadPool.UnsafeQueueUserWorkItem(static reached => reached.TrySetResult(), Reached, preferLocal: false);
            return _answer.Task;
        }
    }

    private static async Task ReachedAsync(ProbedApp app, int requests)
    {
        while (app.Faults["a"].Requests < requests)
            await Task.Yield();
    }
}
