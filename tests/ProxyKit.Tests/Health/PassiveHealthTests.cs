using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;

namespace ProxyKit.Tests.Health;

/// <summary>Requests that fail take a destination out of rotation, for a while, and not too many of them.</summary>
public class PassiveHealthTests
{
    private static readonly PassiveHealthCheckConfig s_inARow = new()
    {
        Policy = PassiveHealthPolicy.ConsecutiveFailures,
        ConsecutiveFailures = 3,
        ReactivationPeriod = TimeSpan.FromMinutes(1),
        MaxReactivationPeriod = TimeSpan.FromMinutes(5),
        MaxEjectedPercent = 50,
    };

    private static readonly PassiveHealthCheckConfig s_rate = new() { Policy = PassiveHealthPolicy.TransportFailureRate };

    [Fact]
    public async Task Failures_in_a_row_eject_a_destination()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow);

        cluster.Fail(0, 2);
        Assert.Equal(["d0", "d1"], cluster.Available);
        cluster.Fail(0);

        Assert.Equal(["d1"], cluster.Available);
        Assert.Equal(DestinationHealth.Unhealthy, cluster[0].Health);
        Assert.Equal(cluster.Time.GetUtcNow() + TimeSpan.FromMinutes(1), cluster[0].EjectedUntil);
        Assert.Equal(["Cluster c: destination http://d0.test is ejected for 00:01:00: 3 failures in a row; now 1 of 2 destinations are"], cluster.Logged("DestinationEjected"));
    }

    [Fact]
    public async Task A_success_begins_the_row_anew()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow);

        for (var i = 0; i < 10; i++)
        {
            cluster.Fail(0, 2);
            cluster.Succeed(0);
        }

        Assert.Equal(["d0", "d1"], cluster.Available);
        Assert.Equal(DestinationHealth.Healthy, cluster[0].Health);
    }

    [Fact]
    public async Task A_share_of_failures_ejects_a_destination_once_there_are_enough_requests()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_rate);

        cluster.Fail(0, 3);
        cluster.Succeed(0, 5);
        cluster.Fail(0); // 4 of 9: too few
        Assert.Equal(["d0", "d1"], cluster.Available);
        cluster.Succeed(1, 8);
        cluster.Fail(1, 2); // 2 of 10
        Assert.Equal(["d0", "d1"], cluster.Available);
        cluster.Fail(0); // 5 of 10

        Assert.Equal(["d1"], cluster.Available);
        Assert.Contains("5 of 10 requests in 00:01:00 failed", Assert.Single(cluster.Logged("DestinationEjected")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_share_is_reached_exactly_at_the_limit()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_rate with { FailureRate = 1, MinimumRequests = 4 });

        cluster.Fail(0, 3);
        Assert.Equal(["d0", "d1"], cluster.Available);
        cluster.Fail(0);

        Assert.Equal(["d1"], cluster.Available);
    }

    [Fact]
    public async Task Failures_that_are_older_than_the_window_are_forgotten()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_rate);

        cluster.Fail(0, 9);
        cluster.Time.Advance(TimeSpan.FromSeconds(61));
        cluster.Succeed(0, 9);
        cluster.Fail(0);

        Assert.Equal(["d0", "d1"], cluster.Available);
    }

    [Theory]
    [InlineData(PassiveHealthPolicy.Any, true, true)]
    [InlineData(PassiveHealthPolicy.ConsecutiveFailures, true, false)]
    [InlineData(PassiveHealthPolicy.TransportFailureRate, false, true)]
    public async Task A_policy_decides_alone(PassiveHealthPolicy policy, bool byRow, bool byRate)
    {
        await using var cluster = await WatchedCluster.StartAsync(4, new PassiveHealthCheckConfig { Policy = policy });

        cluster.Fail(0, 5);
        for (var i = 0; i < 20; i++)
        {
            cluster.Succeed(1);
            cluster.Fail(1);
        }

        Assert.Equal(byRow, cluster[0].Health == DestinationHealth.Unhealthy);
        Assert.Equal(byRate, cluster[1].Health == DestinationHealth.Unhealthy);
    }

    [Theory]
    [InlineData(ProxyError.ClientAborted, FailureClass.Client)]
    [InlineData(ProxyError.RequestBodyClient, FailureClass.Client)]
    [InlineData(ProxyError.RequestRejected, FailureClass.Client)]
    [InlineData(ProxyError.FirstByteTimeout, FailureClass.Client)] // the client kept everybody waiting
    [InlineData(ProxyError.RequestCreation, FailureClass.NothingSent)]
    [InlineData(ProxyError.ResponseCreation, FailureClass.Answered)]
    [InlineData(ProxyError.NoAvailableDestinations, FailureClass.NothingSent)]
    public async Task What_is_not_the_destinations_fault_neither_counts_nor_excuses(ProxyError error, FailureClass @class)
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow);

        cluster.Fail(0, 2);
        cluster.Fail(0, 1000, error, @class);
        Assert.Equal(["d0", "d1"], cluster.Available);
        cluster.Fail(0);

        Assert.Equal(["d1"], cluster.Available);
    }

    [Theory]
    [InlineData(ProxyError.NameResolution)]
    [InlineData(ProxyError.Connect)]
    [InlineData(ProxyError.ConnectTimeout)]
    [InlineData(ProxyError.Tls)]
    [InlineData(ProxyError.Request)]
    [InlineData(ProxyError.RequestBodyDestination)]
    [InlineData(ProxyError.FirstByteTimeout)]
    [InlineData(ProxyError.IdleTimeout)]
    [InlineData(ProxyError.TotalTimeout)]
    [InlineData(ProxyError.InvalidResponse)]
    public async Task Every_transport_failure_counts(ProxyError error)
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow);

        cluster.Fail(0, 3, error, FailureClass.Unanswered);

        Assert.Equal(["d1"], cluster.Available);
    }

    [Fact]
    public async Task Statuses_are_failures_only_where_they_are_said_to_be()
    {
        await using var plain = await WatchedCluster.StartAsync(2, s_inARow);
        await using var transport = await WatchedCluster.StartAsync(2, s_inARow with { FailureStatuses = "" });
        await using var strict = await WatchedCluster.StartAsync(2, s_inARow with { FailureStatuses = "500-502, 429" });

        plain.Answer(0, 500, 100);
        transport.Answer(0, 503, 100);
        strict.Answer(1, 503, 100);
        strict.Answer(0, 502, 2);
        strict.Answer(0, 429);

        Assert.Equal(["d0", "d1"], plain.Available);
        Assert.Equal(["d0", "d1"], transport.Available);
        Assert.Equal(["d1"], strict.Available);
    }

    [Fact]
    public async Task A_response_that_breaks_off_turns_its_request_into_a_failure()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_rate with { FailureRate = 0.5 });

        cluster.Succeed(0, 10);
        cluster.BreakOff(0, 4); // 4 of 10, not of 14
        Assert.Equal(["d0", "d1"], cluster.Available);
        cluster.BreakOff(0);

        Assert.Contains("5 of 10", Assert.Single(cluster.Logged("DestinationEjected")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_ejected_destination_comes_back_when_its_time_is_over_with_a_clean_slate()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow with { Policy = PassiveHealthPolicy.Any, ReactivationPeriod = TimeSpan.FromSeconds(10) });

        cluster.Fail(0, 3);
        cluster.Fail(0, 100); // under way when it was ejected
        cluster.Time.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal(["d1"], cluster.Available);
        cluster.Time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(["d0", "d1"], cluster.Available);
        Assert.Equal(DestinationHealth.Unknown, cluster[0].Health);
        Assert.Null(cluster[0].EjectedUntil);
        Assert.Equal(["Cluster c: destination http://d0.test is back after 00:00:10"], cluster.Logged("DestinationReturned"));
        cluster.Succeed(0);
        cluster.Fail(0, 2);
        Assert.Equal(["d0", "d1"], cluster.Available);
    }

    [Fact]
    public async Task Each_further_ejection_lasts_longer_up_to_a_cap_and_time_that_goes_well_heals()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow with { ReactivationPeriod = TimeSpan.FromSeconds(10), MaxReactivationPeriod = TimeSpan.FromSeconds(25) });

        Assert.Equal([10, 20, 25, 25], Enumerable.Range(0, 4).Select(_ => Eject()));
        cluster.Time.Advance(TimeSpan.FromSeconds(30)); // three are forgotten
        Assert.Equal(20, Eject());
        cluster.Time.Advance(TimeSpan.FromDays(30));
        Assert.Equal(10, Eject());

        double Eject()
        {
            cluster.Fail(0, 3);
            var period = cluster[0].EjectedUntil!.Value - cluster.Time.GetUtcNow();
            cluster.Time.Advance(period - TimeSpan.FromMilliseconds(1));
            Assert.Equal(["d1"], cluster.Available);
            cluster.Time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.Equal(["d0", "d1"], cluster.Available);
            return period.TotalSeconds;
        }
    }

    [Fact]
    public async Task A_period_above_the_cap_is_every_ejections()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow with { ReactivationPeriod = TimeSpan.FromHours(1) });

        for (var i = 0; i < 2; i++)
        {
            cluster.Fail(0, 3);
            Assert.Equal(cluster.Time.GetUtcNow() + TimeSpan.FromHours(1), cluster[0].EjectedUntil);
            cluster.Time.Advance(TimeSpan.FromHours(1));
        }
    }

    [Theory]
    [InlineData(1, 50, 0)]
    [InlineData(2, 50, 1)]
    [InlineData(5, 50, 2)]
    [InlineData(5, 80, 4)]
    [InlineData(5, 0, 0)]
    public async Task No_more_are_ejected_than_the_cap_allows(int destinations, int percent, int ejected)
    {
        await using var cluster = await WatchedCluster.StartAsync(destinations, s_inARow with { MaxEjectedPercent = percent });

        for (var i = 0; i < destinations; i++)
        {
            cluster.Fail(i, 3);
            cluster.Time.Advance(TimeSpan.FromSeconds(2));
            cluster.Fail(i, 3);
        }

        Assert.Equal(destinations - ejected, cluster.Available.Length);
        // One line for each, however often it fails.
        Assert.Equal(destinations - ejected, cluster.Logged("DestinationNotEjected").Length);
    }

    [Fact]
    public async Task Destinations_that_an_operator_took_out_do_not_count_for_the_cap()
    {
        await using var cluster = await WatchedCluster.StartAsync(4, s_inARow);
        cluster.Control.SetMode("c", "http://d2.test", DestinationMode.Maintenance);
        cluster.Control.SetWeight("c", "http://d3.test", 0);

        cluster.Fail(0, 3);
        cluster.Fail(1, 3);

        Assert.Equal(["d1"], cluster.Available);
        Assert.Equal(
            "Cluster c: destination http://d1.test is not ejected in spite of 3 failures in a row: 1 of 2 destinations are already, and MaxEjectedPercent is 50",
            Assert.Single(cluster.Logged("DestinationNotEjected")));
    }

    [Fact]
    public async Task One_that_could_not_be_ejected_is_when_there_is_room()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow with { ReactivationPeriod = TimeSpan.FromSeconds(10) });

        cluster.Fail(0, 3);
        cluster.Fail(1, 3);
        cluster.Time.Advance(TimeSpan.FromSeconds(10));
        cluster.Fail(1);

        Assert.Equal(["d0"], cluster.Available);
    }

    [Fact]
    public async Task A_reload_changes_nothing_about_who_is_ejected_or_what_was_counted()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow);
        cluster.Fail(0, 3);
        cluster.Fail(1, 2);

        cluster.Reload(4, c => c with { HealthCheck = new() { Passive = s_inARow with { Enabled = true } } });

        Assert.Equal(["d1", "d2", "d3"], cluster.Available);
        cluster.Fail(1);
        Assert.Equal(["d2", "d3"], cluster.Available);
        cluster.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(["d0", "d1", "d2", "d3"], cluster.Available);
    }

    [Fact]
    public async Task A_destination_that_leaves_the_cluster_is_forgotten()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow);
        cluster.Fail(1, 3);
        var gone = cluster[1];

        cluster.Reload(1, c => c with { HealthCheck = new() { Passive = s_inARow with { Enabled = true } } });
        cluster.Time.Advance(TimeSpan.FromMinutes(2));
        Assert.Empty(cluster.Logged("DestinationReturned"));
        cluster.Reload(2, c => c with { HealthCheck = new() { Passive = s_inARow with { Enabled = true } } });

        Assert.NotSame(gone, cluster[1]);
        Assert.Equal(["d0", "d1"], cluster.Available);
    }

    [Fact]
    public async Task Switching_it_off_puts_everybody_back()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow);
        cluster.Fail(0, 3);

        cluster.Reload(2, c => c with { Failover = false });

        Assert.Equal(["d0", "d1"], cluster.Available);
        Assert.Empty(cluster.Cluster.Model!.Observers);
    }

    [Fact]
    public async Task A_reset_by_hand_puts_it_back_and_forgets_what_led_there()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow);
        cluster.Fail(0, 3);
        cluster.Fail(1, 2);

        cluster.Control.ResetHealth("c", "http://d0.test");
        cluster.Control.ResetHealth("c", "http://d1.test");
        cluster.Fail(1, 2);

        Assert.Equal(["d0", "d1"], cluster.Available);
        cluster.Fail(0, 3);
        Assert.Equal(cluster.Time.GetUtcNow() + TimeSpan.FromMinutes(1), cluster[0].EjectedUntil);
        Assert.Equal(2, cluster.Logged("DestinationHealthReset").Length);
    }

    [Fact]
    public async Task The_time_of_an_ejection_that_was_ended_by_hand_does_not_end_the_next_one()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow);

        cluster.Fail(0, 3);
        cluster.Time.Advance(TimeSpan.FromSeconds(50));
        cluster.Control.ResetHealth("c", "http://d0.test");
        cluster.Fail(0, 3);
        cluster.Time.Advance(TimeSpan.FromSeconds(50));

        Assert.Equal(["d1"], cluster.Available);
    }

    [Fact]
    public async Task Ejections_are_counted_by_reason()
    {
        await using var cluster = await WatchedCluster.StartAsync(4, new PassiveHealthCheckConfig());
        using var ejections = new MetricCollector<long>(cluster.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", "proxykit.destination.ejections");

        cluster.Fail(0, 5);
        for (var i = 0; i < 5; i++)
        {
            cluster.Succeed(1);
            cluster.Fail(1);
        }

        Assert.Equal(["http://d0.test consecutive_failures", "http://d1.test failure_rate"],
            ejections.GetMeasurementSnapshot().Select(m => $"{m.Tags["proxykit.destination"]} {m.Tags["reason"]}"));
        Assert.All(ejections.GetMeasurementSnapshot(), m => Assert.Equal("c", m.Tags["proxykit.cluster"]));
    }

    [Fact]
    public async Task A_health_check_of_the_app_says_why_a_destination_is_out()
    {
        await using var cluster = await WatchedCluster.StartAsync(
            3, c => c with { HealthCheck = new() { Passive = s_inARow with { Enabled = true } }, CircuitBreaker = new() { MinimumThroughput = 2, FailureStatuses = "599" } });
        cluster.Answer(1, 599, 2);
        cluster.Fail(0, 3);

        var result = await new ProxyKit.Health.ClusterHealthCheck(cluster.Services.GetRequiredService<ProxyKit.Pipeline.ClusterDirectory>(), "c").CheckHealthAsync(
            new() { Registration = new("c", _ => null!, null, null) }, TestContext.Current.CancellationToken);

        Assert.Equal("Unhealthy: its circuit is open", result.Data["http://d1.test"]);
        Assert.Equal($"Unhealthy: ejected until {cluster.Time.GetUtcNow() + TimeSpan.FromMinutes(1):u}", result.Data["http://d0.test"]);
    }

    [Fact]
    public async Task Many_verdicts_in_short_order_are_one_change_of_a_large_cluster()
    {
        await using var cluster = await WatchedCluster.StartAsync(200, s_inARow);

        cluster.Fail(0, 3);
        var afterFirst = cluster.Cluster.Balancer;
        Assert.Equal(199, cluster.Available.Length);
        for (var i = 1; i < 100; i++)
            cluster.Fail(i, 3);
        Assert.Same(afterFirst, cluster.Cluster.Balancer);
        cluster.Time.Advance(TimeSpan.FromMilliseconds(50));

        Assert.Equal(100, cluster.Available.Length);
    }

    [Fact]
    public async Task Failures_at_once_eject_once()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, s_inARow);

        Parallel.For(0, 1000, i => cluster.Fail(0));

        Assert.Single(cluster.Logged("DestinationEjected"));
        Assert.Equal(cluster.Time.GetUtcNow() + TimeSpan.FromMinutes(1), cluster[0].EjectedUntil);
    }
}
