namespace ProxyKit.Tests.LoadBalancing;

public class FirstTests
{
    private static readonly ClusterConfig s_config = new()
    {
        ClusterId = "c",
        LoadBalancingPolicy = LoadBalancingPolicies.First,
        Destinations = new[] { "c", "B", "a" }.Select(name => BalancedCluster.Destination(name) with { MaxConcurrentRequests = 2 }).ToValueList(),
    };

    [Fact]
    public void Destinations_fill_in_the_configured_order()
    {
        using var cluster = new BalancedCluster(s_config);

        Assert.Equal("c c B B a a", Fill(cluster));
        Assert.Null(cluster.Pick());

        cluster["B"].EndRequest();
        Assert.Equal("B", cluster.Pick()!.Name);
    }

    [Fact]
    public void Or_in_the_order_of_their_names()
    {
        using var cluster = new BalancedCluster(s_config with { LoadBalancingPolicy = "firstalphabetical" });

        Assert.Equal("a a B B c c", Fill(cluster));
    }

    [Fact]
    public void The_next_one_stands_in_for_one_that_is_down()
    {
        using var cluster = new BalancedCluster(s_config);
        cluster["c"].ActiveHealth = DestinationHealth.Unhealthy;
        Assert.Equal("B", cluster.Pick()!.Name);

        cluster["c"].ActiveHealth = DestinationHealth.Healthy;
        Assert.Equal(["c", "B", "a"], cluster.Order().Select(d => d.Name));
    }

    private static string Fill(BalancedCluster cluster) => string.Join(' ', Enumerable.Range(0, 6).Select(_ =>
    {
        var destination = cluster.Pick()!;
        destination.BeginRequest();
        return destination.Name;
    }));
}
