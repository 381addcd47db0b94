namespace ProxyKit.Tests.LoadBalancing;

/// <summary>Sessions whose destination is full.</summary>
public class LimitsAffinityTests
{
    [Fact]
    public async Task A_session_that_is_worth_nothing_elsewhere_waits_for_its_destination()
    {
        using var cluster = new LimitedCluster(Config(SessionAffinityFailurePolicy.Return503Error, 1, null));
        var own = cluster.Destinations[0];
        var active = cluster.ArriveInSession(own);
        var waiting = cluster.ArriveInSession(own);

        Assert.True(waiting.IsWaiting); // the other has room
        await active.FinishAsync();

        Assert.Same(own, await waiting.DestinationAsync());
    }

    [Theory]
    [InlineData(SessionAffinityFailurePolicy.Return503Error)]
    [InlineData(SessionAffinityFailurePolicy.Redistribute)]
    public async Task When_the_destination_falls_ill_meanwhile_the_failure_policy_decides(SessionAffinityFailurePolicy policy)
    {
        using var cluster = new LimitedCluster(Config(policy, 1, 1));
        var (own, other) = (cluster.Destinations[0], cluster.Destinations[1]);
        var (onOwn, onOther) = (cluster.ArriveInSession(own), cluster.ArriveInSession(other));
        var waiting = cluster.ArriveInSession(own);

        own.ActiveHealth = DestinationHealth.Unhealthy;

        if (policy == SessionAffinityFailurePolicy.Return503Error)
        {
            Assert.Equal(ProxyError.NoAvailableDestinations, await waiting.ErrorAsync());
            return;
        }
        await onOwn.FinishAsync();
        Assert.True(waiting.IsWaiting);
        await onOther.FinishAsync();
        Assert.Same(other, await waiting.DestinationAsync());
        Assert.Equal(AffinityStatus.Unavailable, waiting.Proxy.AffinityStatus);
    }

    [Fact]
    public async Task A_destination_that_drains_still_hands_its_places_to_its_sessions()
    {
        using var cluster = new LimitedCluster(Config(SessionAffinityFailurePolicy.Redistribute, 1, 1));
        var (own, other) = (cluster.Destinations[0], cluster.Destinations[1]);
        var (onOwn, onOther) = (cluster.ArriveInSession(own), cluster.ArriveInSession(other));
        own.Mode = DestinationMode.Drain;
        cluster.Cluster.Refresh();
        var stranger = cluster.Arrive();
        var waiting = cluster.ArriveInSession(own);

        await onOwn.FinishAsync();

        Assert.Same(own, await waiting.DestinationAsync());
        Assert.True(stranger.IsWaiting);
        await onOther.FinishAsync();
        Assert.Same(other, await stranger.DestinationAsync());
    }

    [Fact]
    public async Task Affinity_that_comes_while_a_request_waits_does_not_hold_it_back()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(null, 1));
        var active = cluster.Arrive();
        var waiting = cluster.Arrive();

        cluster.Apply(Config(SessionAffinityFailurePolicy.Return503Error, 1));
        await active.FinishAsync();

        await waiting.DestinationAsync();
        Assert.Equal(AffinityStatus.New, waiting.Proxy.AffinityStatus);
    }

    private static ClusterConfig Config(SessionAffinityFailurePolicy policy, params int?[] own) =>
        LimitedCluster.Config(null, own) with { SessionAffinity = new() { Enabled = true, FailurePolicy = policy } };
}
