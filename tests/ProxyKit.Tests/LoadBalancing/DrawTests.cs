using CsCheck;
using ProxyKit.LoadBalancing;

namespace ProxyKit.Tests.LoadBalancing;

/// <summary>Random, and the default: the power of two choices.</summary>
public class DrawTests
{
    private const int Many = 300_000;

    [Fact]
    public void Random_is_by_weight()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.Random, 1, 0, 2, 3, 10);

        ChiSquare.AssertFits(cluster.Counts(Many), 1, 0, 2, 3, 10);
    }

    [Fact]
    public void Random_is_even_where_weights_are_equal()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.Random, 7, 7, 7, 7, 7, 7, 7);

        ChiSquare.AssertFits(cluster.Counts(Many), 1, 1, 1, 1, 1, 1, 1);
    }

    [Fact]
    public void A_destination_that_starts_slowly_is_drawn_less()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.Random, 2, 1);
        cluster["a"].Ramp = 0.1;
        cluster.Refresh();

        ChiSquare.AssertFits(cluster.Counts(Many), 0.2, 1);
    }

    [Fact]
    public void Random_is_by_weight_for_any_weights()
    {
        Gen.Int[1, 1000].Array[2, 12].Sample(weights =>
        {
            using var cluster = new BalancedCluster(LoadBalancingPolicies.Random, weights);
            ChiSquare.AssertFits(cluster.Counts(20_000), [.. weights.Select(w => (double)w)]);
        }, iter: 30);
    }

    [Theory]
    [InlineData(1)]  // drawn anew
    [InlineData(15)] // searched for
    public void The_share_of_the_full_falls_to_the_others_by_their_weights(int full)
    {
        var weights = Enumerable.Range(1, 18).ToArray();
        using var cluster = new BalancedCluster(LoadBalancingPolicies.Random, weights);
        cluster.Configure(c => c with { Destinations = c.Destinations.Select((d, i) => d with { MaxConcurrentRequests = i < full ? 1 : null }).ToValueList() });
        for (var i = 0; i < full; i++)
            cluster.Occupy(BalancedCluster.Name(i), 1);

        ChiSquare.AssertFits(cluster.Counts(Many), [.. weights.Select(w => w <= full ? 0.0 : w)]);
    }

    [Fact]
    public void Two_choices_are_by_weight_while_all_are_idle()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.PowerOfTwoChoices, 1, 2, 3, 10);

        ChiSquare.AssertFits(cluster.Counts(Many), 1, 2, 3, 10);
    }

    [Fact]
    public void Of_two_choices_the_less_loaded_one_is_taken()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.PowerOfTwoChoices, 1, 1, 1, 1);
        cluster.Occupy("b", 1);
        cluster.Occupy("c", 2);
        cluster.Occupy("d", 3);

        // Of the six pairs a wins three, b two, c one; d is in none the less loaded.
        ChiSquare.AssertFits(cluster.Counts(Many), 3, 2, 1, 0);
    }

    [Fact]
    public void Two_choices_are_two_different_ones_drawn_by_weight()
    {
        double[] weights = [1, 2, 5, 8];
        using var cluster = new BalancedCluster(LoadBalancingPolicies.PowerOfTwoChoices, [.. weights.Select(w => (int)w)]);
        for (var i = 0; i < 4; i++)
            cluster.Occupy(BalancedCluster.Name(i), 100 * (i + 1) * (int)weights[i]);

        var shares = new double[4];
        for (var first = 0; first < 4; first++)
        {
            for (var second = 0; second < 4; second++)
            {
                if (second != first)
                    shares[Math.Min(first, second)] += weights[first] / 16 * weights[second] / (16 - weights[first]);
            }
        }
        ChiSquare.AssertFits(cluster.Counts(Many), shares);
    }

    [Fact]
    public void Load_is_in_relation_to_weight_and_the_new_request_counts()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.PowerOfTwoChoices, 10, 1);
        cluster.Occupy("a", 8); // 0.9 with the new one; b would have 1

        Assert.Equal([500, 0], cluster.Counts(500));

        cluster.Occupy("a", 2); // 1.1
        Assert.Equal([0, 500], cluster.Counts(500));
    }

    [Fact]
    public void Under_load_requests_under_way_are_in_proportion_to_the_weights()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.PowerOfTwoChoices, 1, 2, 3, 4);
        for (var i = 0; i < 10_000; i++)
            cluster.Pick()!.BeginRequest();

        Assert.All(cluster.Destinations, d => Assert.InRange(d.ActiveRequests, (1000 * d.Config.Weight) - 100, (1000 * d.Config.Weight) + 100));
    }
}
