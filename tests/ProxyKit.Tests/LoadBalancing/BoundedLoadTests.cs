using CsCheck;
using ProxyKit.LoadBalancing;

namespace ProxyKit.Tests.LoadBalancing;

public class BoundedLoadTests
{
    [Fact]
    public void A_hot_key_overflows_to_the_next_when_its_destination_has_more_than_the_factor_of_its_share()
    {
        Gen.Select(Gen.Int[1, 5].Array[2, 10], Gen.Double[1.01, 3]).Sample((weights, factor) =>
        {
            using var cluster = Cluster(factor, weights);
            var order = cluster.Order(context => context.Request.Headers["X-Key"] = "hot");
            for (var total = 1; total <= 300; total++)
            {
                var destination = Pick(cluster, "hot");
                // It is the first in its order that would not be above its bound.
                Assert.Same(order.First(d => d.ActiveRequests + 1 <= Bound(d, total)), destination);
                destination.BeginRequest();
            }

            double Bound(Destination d, int total) => Math.Ceiling((factor * total * d.Config.Weight / weights.Sum()) - 1e-9);
        }, iter: 50);
    }

    [Fact]
    public void Without_a_factor_there_is_no_bound()
    {
        using var cluster = Cluster(null, 1, 1, 1);
        for (var i = 0; i < 100; i++)
            Pick(cluster, "hot").BeginRequest();

        Assert.Equal([0, 0, 100], cluster.Destinations.Select(d => d.ActiveRequests).Order());
    }

    [Fact]
    public void A_key_goes_back_when_there_is_room_again()
    {
        using var cluster = Cluster(1.25, 1, 1, 1, 1);
        var home = Pick(cluster, "k");
        for (var i = 0; i < 8; i++)
            Pick(cluster, "k").BeginRequest();
        Assert.NotSame(home, Pick(cluster, "k"));

        home.EndRequest();
        Assert.Same(home, Pick(cluster, "k"));
    }

    [Fact]
    public void What_is_down_neither_counts_nor_has_a_share()
    {
        using var cluster = Cluster(1.5, 1, 1);
        cluster.Occupy("a", 100);
        cluster["a"].ActiveHealth = DestinationHealth.Unhealthy;

        for (var i = 0; i < 50; i++)
            Pick(cluster, "k").BeginRequest();

        Assert.Equal(50, cluster["b"].ActiveRequests);
    }

    [Fact]
    public void The_total_does_not_drift_when_many_begin_and_end_at_once()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.Random, 1, 1, 1);
        var total = new TotalLoad(cluster.Destinations);
        cluster.Occupy("b", 7);

        Concurrently.Run(
            rounds: 2000,
            random =>
            {
                for (var i = 0; i < 9; i++)
                {
                    var destination = cluster.Destinations[random.Next(3)];
                    destination.BeginRequest();
                    if (i % 3 != 0)
                        destination.EndRequest();
                }
            },
            () => Assert.Equal(cluster.Destinations.Sum(d => d.ActiveRequests), total.Value));
    }

    private static Destination Pick(BalancedCluster cluster, string key) => cluster.Pick(context => context.Request.Headers["X-Key"] = key)!;

    private static BalancedCluster Cluster(double? factor, params int[] weights)
    {
        var cluster = new BalancedCluster(LoadBalancingPolicies.Hash, weights);
        cluster.Configure(c => c with { Hash = new() { Source = HashSource.Header, Name = "X-Key", BoundedLoadFactor = factor } });
        return cluster;
    }
}
