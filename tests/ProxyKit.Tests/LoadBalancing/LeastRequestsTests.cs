using CsCheck;
using ProxyKit.LoadBalancing;

namespace ProxyKit.Tests.LoadBalancing;

public class LeastRequestsTests
{
    [Fact]
    public void The_one_with_the_fewest_requests_is_taken()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.LeastRequests, 1, 1, 1);
        cluster.Occupy("a", 2);
        cluster.Occupy("b", 1);
        cluster.Occupy("c", 3);
        Assert.Equal("b b", cluster.Picks(2));

        cluster["c"].EndRequest();
        cluster["c"].EndRequest();
        cluster["c"].EndRequest();
        Assert.Equal("c c", cluster.Picks(2));
    }

    [Fact]
    public void Equals_take_turns()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.LeastRequests, 1, 1, 1, 1);
        cluster.Occupy("c", 1);

        Assert.Equal("a b d a b d a", cluster.Picks(7));

        cluster["c"].EndRequest();
        // It had no turn for long, and gets one, not all that it missed.
        Assert.Equal("c b d a b c d a", cluster.Picks(8));
    }

    [Fact]
    public void Idle_ones_take_turns_by_weight()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.LeastRequests, 3, 1, 2);

        Assert.Equal([3000, 1000, 2000], cluster.Counts(6000));
    }

    [Fact]
    public void Requests_under_way_are_in_proportion_to_the_weights()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.LeastRequests, 1, 2, 4);
        for (var i = 0; i < 7000; i++)
            cluster.Pick()!.BeginRequest();

        Assert.Equal([1000, 2000, 4000], cluster.Destinations.Select(d => d.ActiveRequests));
    }

    [Fact]
    public void An_idle_one_goes_before_a_heavier_one_that_is_not()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.LeastRequests, 100, 1);
        cluster.Occupy("a", 1);

        Assert.Equal("b", cluster.Picks(1));
    }

    [Fact]
    public void It_is_always_one_with_the_least_load_whatever_begins_and_ends()
    {
        var operations = Gen.Int[0, 29].Array[0, 200];
        var weights = Gen.Int[1, 4].Array[1, 30];
        Gen.Select(weights, operations).Sample((weights, operations) =>
        {
            using var cluster = new BalancedCluster(LoadBalancingPolicies.LeastRequests, weights);
            foreach (var operation in operations)
            {
                var destination = cluster.Destinations[operation % weights.Length];
                if (operation % 3 == 0 && destination.ActiveRequests > 0)
                    destination.EndRequest();
                else
                    destination.BeginRequest();
                Assert.Equal(cluster.Destinations.Min(Load), Load(cluster.Pick()!));
            }
        }, iter: 200);
    }

    [Fact]
    public void Nothing_drifts_when_many_begin_and_end_at_once()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.LeastRequests, [.. Enumerable.Repeat(1, 37)]);
        Concurrently.Run(
            rounds: 100,
            random =>
            {
                for (var i = 0; i < 200; i++)
                {
                    var destination = random.Next(2) == 0 ? cluster.Destinations[random.Next(37)] : cluster.Pick()!;
                    destination.BeginRequest();
                    if (random.Next(4) != 0)
                        destination.EndRequest();
                }
            },
            () =>
            {
                // Each in turn must be the best, until all have been it: so every match of the tournament is looked at.
                var seen = new HashSet<Destination>();
                foreach (var _ in cluster.Destinations)
                {
                    var destination = cluster.Pick()!;
                    Assert.Equal(cluster.Destinations.Min(d => d.ActiveRequests), destination.ActiveRequests);
                    Assert.True(seen.Add(destination));
                    cluster.Occupy(destination.Name, 200);
                }
                foreach (var destination in cluster.Destinations)
                {
                    while (destination.ActiveRequests > 0)
                        destination.EndRequest();
                }
            });
    }

    [Fact]
    public void Load_and_turns_go_on_when_the_configuration_is_reloaded()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.LeastRequests, 1, 1, 1);
        cluster.Occupy("a", 1);
        Assert.Equal("b", cluster.Picks(1));

        cluster.Configure(c => c with { Destinations = [.. c.Destinations, BalancedCluster.Destination("new")] });
        Assert.Equal("c new b c", cluster.Picks(4));
        cluster["a"].EndRequest();
        Assert.Equal("a", cluster.Picks(1));
    }

    [Fact]
    public void A_request_from_before_a_reload_sees_the_load_of_now()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.LeastRequests, 1, 1);
        var before = cluster.Request();
        cluster.Configure(c => c with { Destinations = [c.Destinations[0], c.Destinations[1], BalancedCluster.Destination("c")] });
        cluster.Occupy("a", 2);
        cluster.Occupy("b", 1);

        Assert.Equal("b", cluster.Pick(before)!.Name);
        Assert.Equal("b", cluster.Pick(before)!.Name);
    }

    [Fact]
    public void Another_policy_is_told_nothing()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.LeastRequests, 1, 1);
        Assert.All(cluster.Destinations, d => Assert.NotNull(d.LoadObserver));

        cluster.Configure(c => c with { LoadBalancingPolicy = LoadBalancingPolicies.RoundRobin });

        Assert.All(cluster.Destinations, d => Assert.Null(d.LoadObserver));
    }

    private static double Load(Destination d) => d.ActiveRequests == 0 ? 0 : (d.ActiveRequests + 1.0) / d.Config.Weight;
}
