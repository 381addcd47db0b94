using System.Collections.Concurrent;
using CsCheck;
using ProxyKit.LoadBalancing;

namespace ProxyKit.Tests.LoadBalancing;

public class RoundRobinTests
{
    [Theory]
    [InlineData("a a b a c a a a a b a c a a", 5, 1, 1)] // the example of nginx's own commit
    [InlineData("a b c a b c a b c a b c a b", 2, 2, 2)]
    [InlineData("a b a c a b a a b a c a b a", 40, 20, 10)]
    [InlineData("b a b b b a b b b a b b b a", 1, 3, 0)]
    public void The_order_is_nginxs_smooth_one(string order, params int[] weights)
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.RoundRobin, weights);

        Assert.Equal(order, cluster.Picks(14));
    }

    [Fact]
    public void Any_weights_give_nginxs_order()
    {
        Gen.Int[1, 60].Array[1, 12].Sample(weights =>
        {
            using var cluster = new BalancedCluster(LoadBalancingPolicies.RoundRobin, weights);
            var current = new int[weights.Length];
            for (var i = 0; i < 2 * weights.Sum(); i++)
            {
                // ngx_http_upstream_get_peer
                for (var j = 0; j < weights.Length; j++)
                    current[j] += weights[j];
                var best = Array.IndexOf(current, current.Max());
                current[best] -= weights.Sum();
                Assert.Equal(BalancedCluster.Name(best), cluster.Pick()!.Name);
            }
        }, iter: 100);
    }

    [Fact]
    public void Turns_go_on_when_the_configuration_is_reloaded()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.RoundRobin, 1, 1, 1, 1);
        Assert.Equal("a b", cluster.Picks(2));

        cluster.Configure(c => c with { Timeouts = new() { Idle = TimeSpan.FromSeconds(1) } });
        Assert.Equal("c", cluster.Picks(1));
        cluster.Refresh();
        Assert.Equal("d a b c", cluster.Picks(4));
    }

    [Fact]
    public void Weighted_turns_go_on_too_and_other_weights_are_in_force_at_once()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.RoundRobin, 5, 1, 1);
        Assert.Equal("a a b", cluster.Picks(3));

        cluster.Refresh();
        Assert.Equal("a c a a", cluster.Picks(4));

        cluster.Configure(c => c with { Destinations = c.Destinations.Select(d => d with { Weight = d.Name == "b" ? 3 : 1 }).ToValueList() });
        Assert.Equal([200, 600, 200], cluster.Counts(1000));
    }

    [Fact]
    public void A_destination_that_starts_slowly_has_fewer_turns()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.RoundRobin, 2, 1);
        cluster["a"].Ramp = 0.25;
        cluster.Refresh();

        Assert.Equal([100, 200], cluster.Counts(300));
    }

    [Fact]
    public void The_turns_of_a_full_destination_fall_to_all_others()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.RoundRobin, 1, 1, 1, 1);
        cluster.Configure(c => c with { Destinations = c.Destinations.Select(d => d with { MaxConcurrentRequests = 1 }).ToValueList() });
        cluster.Occupy("b", 1);

        Assert.Equal("a c d a c d a c d", cluster.Picks(9));
    }

    [Fact]
    public void A_light_one_is_found_when_its_turn_is_far_off()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.RoundRobin, 1000, 1);
        cluster.Configure(c => c with { Destinations = [c.Destinations[0] with { MaxConcurrentRequests = 1 }, c.Destinations[1]] });
        cluster.Occupy("a", 1);

        Assert.Equal("b b b", cluster.Picks(3));
    }

    [Fact]
    public void Many_at_once_take_exactly_their_turns()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.RoundRobin, 5, 3, 2);
        var picks = new ConcurrentBag<Destination>();

        Parallel.For(0, 100_000, new() { MaxDegreeOfParallelism = 4 }, _ => picks.Add(cluster.Pick()!));

        Assert.Equal([50_000, 30_000, 20_000], cluster.Destinations.Select(d => picks.Count(p => p == d)));
    }

    [Fact]
    public void An_order_that_would_be_too_long_is_coarser_and_still_fair()
    {
        var weights = Enumerable.Range(0, 1000).Select(i => 997.0 - (i % 500)).ToArray();

        var order = SmoothOrder.Of(weights);

        Assert.InRange(order.Length, 10_000, 20_000);
        foreach (var group in order.CountBy(index => index))
            Assert.InRange(group.Value / (double)order.Length, 0.9 * weights[group.Key] / weights.Sum(), 1.1 * weights[group.Key] / weights.Sum());
    }

    [Theory]
    [InlineData(new[] { 0.5, 1.0 }, new[] { 1, 0, 1 })]
    [InlineData(new[] { 0.001, 0.01 }, new[] { 0, 1 })] // a hundredth is the least
    [InlineData(new[] { 1000.0, 500.0 }, new[] { 0, 1, 0 })]
    [InlineData(new[] { 200.0, 100.4 }, new[] { 0, 1, 0 })] // finer than that it need not be
    public void Fractions_of_a_weight_count_too(double[] weights, int[] order) => Assert.Equal(order, SmoothOrder.Of(weights));
}
