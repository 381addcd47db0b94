using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using ProxyKit.Tests.Health;

namespace ProxyKit.Tests.Resilience;

/// <summary>A destination that fails too much is left alone, then tried with a few requests.</summary>
public class CircuitBreakerTests
{
    private static readonly CircuitBreakerConfig s_breaker = new() { MinimumThroughput = 4 };

    [Fact]
    public async Task It_opens_when_the_share_of_failures_is_reached()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_breaker);

        cluster.Succeed(0, 2);
        cluster.Fail(0);
        Assert.Equal(CircuitState.Closed, cluster[0].CircuitState);
        cluster.Fail(0);

        Assert.Equal(CircuitState.Open, cluster[0].CircuitState);
        Assert.Equal(DestinationHealth.Unhealthy, cluster[0].Health);
        Assert.Equal(["d1"], cluster.Available);
        Assert.Equal(["Cluster c: the circuit of destination http://d0.test is open for 00:00:05: 2 requests, 50 % of those in 00:00:30, failed"], cluster.Logged("CircuitOpened"));
    }

    [Fact]
    public async Task It_stays_closed_below_the_throughput_and_forgets_what_is_older_than_the_sample()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_breaker);

        cluster.Fail(0, 3);
        cluster.Time.Advance(TimeSpan.FromSeconds(31));
        cluster.Fail(0, 3);
        Assert.Equal(CircuitState.Closed, cluster[0].CircuitState);
        cluster.Fail(0);

        Assert.Equal(CircuitState.Open, cluster[0].CircuitState);
    }

    [Fact]
    public async Task Only_the_destinations_faults_count()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_breaker);

        cluster.Fail(0, 100, ProxyError.ClientAborted, FailureClass.Client);
        cluster.Fail(0, 100, ProxyError.RequestCreation);
        cluster.Answer(0, 500, 100);
        cluster.Answer(1, 503, 4);

        Assert.Equal(CircuitState.Closed, cluster[0].CircuitState);
        Assert.Equal(CircuitState.Open, cluster[1].CircuitState);
    }

    [Fact]
    public async Task Responses_that_break_off_count()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_breaker);

        cluster.Succeed(0, 4);
        cluster.BreakOff(0, 4);

        Assert.Equal(CircuitState.Open, cluster[0].CircuitState);
    }

    [Fact]
    public async Task After_the_break_as_many_requests_try_it_as_are_said()
    {
        await using var cluster = await WatchedCluster.StartAsync(1, s_breaker with { ProbeRequests = 2 });
        cluster.Fail(0, 4);

        Assert.Null(cluster.Pick());
        cluster.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(CircuitState.HalfOpen, cluster[0].CircuitState);
        Assert.NotEqual(DestinationHealth.Unhealthy, cluster[0].Health);
        Assert.NotNull(cluster.Pick());
        Assert.NotNull(cluster.Pick());
        Assert.Null(cluster.Pick());
    }

    [Fact]
    public async Task Of_many_requests_at_once_no_more_try_it()
    {
        await using var cluster = await WatchedCluster.StartAsync(1, s_breaker with { ProbeRequests = 3 });
        for (var round = 0; round < 20; round++)
        {
            cluster.Fail(0, 4);
            cluster.Time.Advance(TimeSpan.FromSeconds(5));
            cluster.Time.Advance(TimeSpan.FromSeconds(round % 2 * 5)); // all come after a silence
            var picked = new ConcurrentBag<Destination>();

            Parallel.For(0, 200, _ =>
            {
                if (cluster.Pick() is { } destination)
                    picked.Add(destination);
            });

            Assert.Equal(3, picked.Count);
        }
    }

    [Fact]
    public async Task The_others_are_used_while_one_is_tried()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_breaker);
        cluster.Fail(0, 4);
        cluster.Time.Advance(TimeSpan.FromSeconds(5));

        var picked = Enumerable.Range(0, 100).Select(_ => cluster.Pick()).ToArray();

        Assert.Single(picked, d => d == cluster[0]);
        Assert.Equal(99, picked.Count(d => d == cluster[1]));
    }

    [Fact]
    public async Task A_success_closes_it_with_nothing_counted()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_breaker);
        Break(cluster);

        cluster.Succeed(0);

        Assert.Equal(CircuitState.Closed, cluster[0].CircuitState);
        Assert.Equal(["Cluster c: the circuit of destination http://d0.test is closed: it answers again"], cluster.Logged("CircuitClosed"));
        cluster.Fail(0, 3);
        Assert.Equal(CircuitState.Closed, cluster[0].CircuitState);
        cluster.Fail(0);
        Assert.Equal(CircuitState.Open, cluster[0].CircuitState);
    }

    [Fact]
    public async Task A_failure_opens_it_again_for_as_long()
    {
        await using var cluster = await WatchedCluster.StartAsync(1, s_breaker);
        Break(cluster);
        Assert.NotNull(cluster.Pick());

        cluster.Fail(0);

        Assert.Equal(CircuitState.Open, cluster[0].CircuitState);
        cluster.Time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Null(cluster.Pick());
        cluster.Time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.NotNull(cluster.Pick());
        cluster.Succeed(0);
        Assert.Equal(CircuitState.Closed, cluster[0].CircuitState);
    }

    [Fact]
    public async Task Requests_that_began_before_say_nothing()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_breaker);
        cluster.Fail(0, 4);

        cluster.Succeed(0);
        Assert.Equal(CircuitState.Open, cluster[0].CircuitState);
        cluster.Time.Advance(TimeSpan.FromSeconds(5));
        cluster.Time.Advance(TimeSpan.FromSeconds(1));
        cluster.Answer(0, 200, duration: TimeSpan.FromSeconds(2));
        cluster.Fail(0, duration: TimeSpan.FromSeconds(2));

        Assert.Equal(CircuitState.HalfOpen, cluster[0].CircuitState);
        cluster.Answer(0, 200, duration: TimeSpan.FromSeconds(1));
        Assert.Equal(CircuitState.Closed, cluster[0].CircuitState);
    }

    [Fact]
    public async Task A_client_that_leaves_makes_way_for_another_request_that_tries()
    {
        await using var cluster = await WatchedCluster.StartAsync(1, s_breaker);
        Break(cluster);
        Assert.NotNull(cluster.Pick());
        Assert.Null(cluster.Pick());

        cluster.Fail(0, 1, ProxyError.ClientAborted, FailureClass.Client);

        Assert.Equal(CircuitState.HalfOpen, cluster[0].CircuitState);
        Assert.NotNull(cluster.Pick());
        Assert.Null(cluster.Pick());
    }

    [Fact]
    public async Task A_request_that_tries_and_hangs_does_not_keep_it_out_for_ever()
    {
        await using var cluster = await WatchedCluster.StartAsync(1, s_breaker);
        Break(cluster);
        Assert.NotNull(cluster.Pick());

        cluster.Time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Null(cluster.Pick());
        cluster.Time.Advance(TimeSpan.FromSeconds(0.1));

        Assert.NotNull(cluster.Pick());
        Assert.Null(cluster.Pick());
    }

    [Fact]
    public async Task With_a_slow_start_its_share_grows_from_the_moment_when_it_closes()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, c => c with { CircuitBreaker = s_breaker, HealthCheck = new() { SlowStart = TimeSpan.FromSeconds(10) } });
        Break(cluster);
        cluster.Time.Advance(TimeSpan.FromSeconds(20)); // nobody came to try it
        Assert.Equal(0.1, cluster[0].EffectiveWeight);

        cluster.Succeed(0);

        Assert.Equal(0.1, cluster[0].EffectiveWeight);
        cluster.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.InRange(cluster[0].EffectiveWeight, 0.4, 0.6);
        cluster.Time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(1, cluster[0].EffectiveWeight);
    }

    [Fact]
    public async Task It_is_closed_by_hand()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_breaker);
        cluster.Fail(0, 4);
        cluster.Fail(1, 3);

        cluster.Control.ResetHealth("c", "http://d0.test");
        cluster.Control.ResetHealth("c", "http://d1.test");
        cluster.Fail(1, 3);
        cluster.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal([CircuitState.Closed, CircuitState.Closed], cluster.Destinations.Select(d => d.CircuitState));
        Assert.Equal(["d0", "d1"], cluster.Available);
    }

    [Fact]
    public async Task It_outlives_a_reload_that_does_not_touch_it()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_breaker);
        cluster.Fail(0, 4);
        cluster.Fail(1, 3);

        cluster.Reload(3, c => c with { CircuitBreaker = s_breaker with { } });

        Assert.Equal(["d1", "d2"], cluster.Available);
        cluster.Fail(1);
        Assert.Equal(["d2"], cluster.Available);
        cluster.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(["d0", "d1", "d2"], cluster.Available);
    }

    [Fact]
    public async Task Configured_otherwise_or_not_at_all_it_starts_closed()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_breaker);

        cluster.Fail(0, 4);
        cluster.Reload(2, c => c with { CircuitBreaker = s_breaker with { MinimumThroughput = 10 } });
        Assert.Equal(["d0", "d1"], cluster.Available);
        cluster.Fail(0, 9);
        Assert.Equal(["d0", "d1"], cluster.Available);
        cluster.Fail(0);
        Assert.Equal(["d1"], cluster.Available);
        cluster.Reload(2, c => c);

        Assert.Equal(["d0", "d1"], cluster.Available);
        Assert.Equal(CircuitState.Closed, cluster[0].CircuitState);
    }

    [Fact]
    public async Task A_panic_does_not_overrule_it()
    {
        await using var cluster = await WatchedCluster.StartAsync(1,
            c => c with { CircuitBreaker = s_breaker, HealthCheck = new() { AvailableDestinationsPolicy = AvailableDestinationsPolicy.HealthyOrPanic } });

        cluster.Fail(0, 4);

        Assert.Null(cluster.Pick());
    }

    [Fact]
    public async Task Sessions_of_a_destination_that_is_tried_wait_their_turn_elsewhere()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, c => c with { CircuitBreaker = s_breaker, SessionAffinity = new() { Enabled = true, AffinityKeyName = "s" } });
        Break(cluster);

        var picked = Enumerable.Range(0, 10).Select(_ => new ProxyContext(new() { RouteId = "r" }, cluster.Cluster, 0) { AffinityStatus = AffinityStatus.Found, AffineDestination = cluster[0] }
            .Pick(new DefaultHttpContext())).ToArray();

        Assert.Single(picked, cluster[0]);
        Assert.Equal(9, picked.Count(d => d == cluster[1]));
    }

    [Fact]
    public async Task Its_changes_are_counted()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_breaker);
        using var transitions = new MetricCollector<long>(cluster.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", "proxykit.circuit.transitions");

        Break(cluster);
        cluster.Succeed(0);

        Assert.Equal(["open", "half_open", "closed"], transitions.GetMeasurementSnapshot().Select(m => m.Tags["state"]));
        Assert.All(transitions.GetMeasurementSnapshot(), m => Assert.Equal("c http://d0.test", $"{m.Tags["proxykit.cluster"]} {m.Tags["proxykit.destination"]}"));
    }

    [Fact]
    public async Task Counting_allocates_nothing()
    {
        await using var cluster = await WatchedCluster.StartAsync(1, s_breaker);
        var circuit = cluster[0].Circuit!;
        circuit.Record(ProxyKit.Health.AttemptVerdict.Success, default);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            circuit.Record(ProxyKit.Health.AttemptVerdict.Success, default);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000);
    }

    private static void Break(WatchedCluster cluster)
    {
        cluster.Fail(0, 4);
        cluster.Time.Advance(TimeSpan.FromSeconds(5));
    }
}
