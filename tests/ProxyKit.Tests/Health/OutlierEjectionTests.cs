namespace ProxyKit.Tests.Health;

/// <summary>A destination that fares much worse than the others is ejected; one that is a little worse is not.</summary>
public class OutlierEjectionTests
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(10);
    private static readonly PassiveHealthCheckConfig s_outliers = new() { ConsecutiveFailures = 0, FailureRate = 0, OutlierEjection = new() };

    [Fact]
    public async Task The_one_that_fails_is_ejected_when_the_interval_is_over()
    {
        await using var cluster = await WatchedCluster.StartAsync(5, s_outliers);

        for (var i = 0; i < 5; i++)
            Requests(cluster, i, 100, failures: i == 3 ? 60 : 1);
        cluster.Time.Advance(s_interval - TimeSpan.FromMilliseconds(1));
        Assert.Equal(5, cluster.Available.Length);
        cluster.Time.Advance(TimeSpan.FromMilliseconds(1));

        Assert.Equal(["d0", "d1", "d2", "d4"], cluster.Available);
        Assert.Equal(
            "Cluster c: destination http://d3.test is ejected for 00:00:10: 40.0 % of 100 requests succeeded, on average 87.2 % do, with a deviation of 23.6 %; now 1 of 5 destinations are",
            Assert.Single(cluster.Logged("DestinationEjected")));
    }

    [Theory]
    // One of ten off by x: the mean is x/10 lower, the deviation 0.3x, so the outlier is three deviations below the mean.
    [InlineData(2.9, true)]
    [InlineData(3.1, false)]
    public async Task The_limit_is_so_many_standard_deviations_below_the_mean(double factor, bool isEjected)
    {
        await using var cluster = await WatchedCluster.StartAsync(10, s_outliers with { OutlierEjection = new() { Factor = factor } });

        for (var i = 0; i < 10; i++)
            Requests(cluster, i, 200, failures: i == 0 ? 100 : 0);
        cluster.Time.Advance(s_interval);

        Assert.Equal(isEjected, cluster[0].Health == DestinationHealth.Unhealthy);
    }

    [Theory]
    [InlineData(5, false)] // 4.5 points below the mean
    [InlineData(6, true)] // 5.4
    public async Task A_little_worse_is_not_an_outlier_however_alike_the_others_are(int failures, bool isEjected)
    {
        await using var cluster = await WatchedCluster.StartAsync(10, s_outliers);

        for (var i = 0; i < 10; i++)
            Requests(cluster, i, 100, failures: i == 0 ? failures : 0);
        cluster.Time.Advance(s_interval);

        Assert.Equal(isEjected, cluster[0].Health == DestinationHealth.Unhealthy);
    }

    [Theory]
    [InlineData(4, 100)]
    [InlineData(5, 99)]
    public async Task Too_few_destinations_or_requests_are_not_compared(int destinations, int requests)
    {
        await using var cluster = await WatchedCluster.StartAsync(destinations, s_outliers);

        for (var i = 0; i < destinations; i++)
            Requests(cluster, i, requests, failures: i == 0 ? requests : 0);
        cluster.Time.Advance(s_interval);

        Assert.Equal(destinations, cluster.Available.Length);
    }

    [Fact]
    public async Task Each_interval_is_counted_for_itself()
    {
        await using var cluster = await WatchedCluster.StartAsync(5, s_outliers);

        for (var interval = 0; interval < 2; interval++)
        {
            for (var i = 0; i < 5; i++)
                Requests(cluster, i, 60, failures: i == 0 ? 60 : 0);
            cluster.Time.Advance(s_interval);
        }

        Assert.Equal(5, cluster.Available.Length);
    }

    [Fact]
    public async Task When_there_is_a_cap_the_worst_go_first()
    {
        await using var cluster = await WatchedCluster.StartAsync(10, s_outliers with { MaxEjectedPercent = 10, OutlierEjection = new() { Factor = 1 } });

        for (var i = 0; i < 10; i++)
            Requests(cluster, i, 100, failures: i switch { 2 => 60, 7 => 90, _ => 0 });
        cluster.Time.Advance(s_interval);

        Assert.DoesNotContain("d7", cluster.Available);
        Assert.Contains("d2", cluster.Available);
    }

    [Fact]
    public async Task Who_is_ejected_is_no_measure_for_the_others()
    {
        await using var cluster = await WatchedCluster.StartAsync(6, s_outliers with { ReactivationPeriod = TimeSpan.FromMinutes(5) });
        for (var i = 0; i < 6; i++)
            Requests(cluster, i, 100, failures: i == 0 ? 100 : 0);
        cluster.Time.Advance(s_interval);

        // With d0 in the comparison the deviation would be so large that d1 is none.
        for (var i = 0; i < 6; i++)
            Requests(cluster, i, 100, failures: i switch { 0 => 100, 1 => 30, _ => 0 });
        cluster.Time.Advance(s_interval);

        Assert.Equal(["d2", "d3", "d4", "d5"], cluster.Available);
    }

    [Fact]
    public async Task A_response_that_breaks_off_counts_against_its_destination()
    {
        await using var cluster = await WatchedCluster.StartAsync(5, s_outliers);

        for (var i = 0; i < 5; i++)
            cluster.Succeed(i, 100);
        cluster.BreakOff(0, 50);
        cluster.Time.Advance(s_interval);

        Assert.Equal(["d1", "d2", "d3", "d4"], cluster.Available);
    }

    [Fact]
    public async Task After_a_reload_the_new_settings_compare()
    {
        await using var cluster = await WatchedCluster.StartAsync(5, s_outliers);
        for (var i = 0; i < 5; i++)
            Requests(cluster, i, 60, failures: i == 0 ? 60 : 0);

        cluster.Reload(5, c => c with { HealthCheck = new() { Passive = s_outliers with { Enabled = true, OutlierEjection = new() { Interval = TimeSpan.FromSeconds(20) } } } });
        for (var i = 0; i < 5; i++)
            Requests(cluster, i, 60, failures: i == 0 ? 60 : 0);
        cluster.Time.Advance(TimeSpan.FromSeconds(19));
        Assert.Equal(5, cluster.Available.Length);
        cluster.Time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(["d1", "d2", "d3", "d4"], cluster.Available);
    }

    [Fact]
    public async Task A_reload_that_does_not_touch_it_neither_delays_nor_forgets()
    {
        await using var cluster = await WatchedCluster.StartAsync(5, s_outliers);

        for (var second = 0; second < 10; second++)
        {
            for (var i = 0; i < 5; i++)
                Requests(cluster, i, 10, failures: i == 0 ? 10 : 0);
            cluster.Reload(6 + second, c => c with { HealthCheck = new() { Passive = s_outliers with { Enabled = true } } });
            Assert.Contains("d0", cluster.Available);
            cluster.Time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.DoesNotContain("d0", cluster.Available);
    }

    private static void Requests(WatchedCluster cluster, int destination, int requests, int failures)
    {
        cluster.Answer(destination, 500, failures);
        cluster.Succeed(destination, requests - failures);
    }
}
