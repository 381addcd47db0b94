namespace ProxyKit.Tests.LoadBalancing;

/// <summary>Who waits, who goes next, and what moves the queue.</summary>
public class LimitsQueueTests
{
    [Fact]
    public async Task Who_came_first_goes_first()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(null, 1));
        var requests = Enumerable.Range(0, 5).Select(_ => cluster.Arrive()).ToArray();

        for (var i = 0; i < requests.Length; i++)
        {
            await requests[i].DestinationAsync();
            Assert.All(requests[(i + 1)..], r => Assert.True(r.IsWaiting));
            await requests[i].FinishAsync();
        }

        Assert.Equal((0, 0), (cluster.Limiter.ActiveRequests, cluster.Limiter.QueueLength));
        Assert.Equal(0, cluster.Destinations[0].ActiveRequests);
    }

    [Fact]
    public async Task Who_can_use_what_is_free_passes_those_who_cannot()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(null, 1, 1));
        var (first, second) = (cluster.Destinations[0], cluster.Destinations[1]);
        var (onFirst, onSecond) = (cluster.Arrive(), cluster.Arrive());
        var bound = cluster.Arrive(only: first);
        var retry = cluster.Arrive(tried: second);
        var any = cluster.Arrive();

        await onSecond.FinishAsync();

        Assert.Same(second, await any.DestinationAsync());
        Assert.True(bound.IsWaiting && retry.IsWaiting);

        await onFirst.FinishAsync();
        Assert.Same(first, await bound.DestinationAsync());
        await bound.FinishAsync();
        Assert.Same(first, await retry.DestinationAsync());
    }

    [Fact]
    public async Task A_new_request_does_not_overtake()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(null, 1));
        var active = cluster.Arrive();
        var waiting = cluster.Arrive();

        await active.FinishAsync();
        var late = cluster.Arrive();

        await waiting.DestinationAsync();
        Assert.True(late.IsWaiting);
    }

    [Fact]
    public async Task The_clusters_limit_holds_together_with_the_destinations()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(new() { MaxConcurrentRequests = 3, MaxConcurrentRequestsPerDestination = 2 }, null, 5));
        var requests = Enumerable.Range(0, 4).Select(_ => cluster.Arrive()).ToArray();

        Assert.Equal([2, 1], cluster.Destinations.Select(d => d.ActiveRequests));
        Assert.Equal([2, 5], cluster.Destinations.Select(d => d.MaxConcurrentRequests ?? 0));
        Assert.Equal([true, false], cluster.Destinations.Select(d => d.IsFull));
        Assert.True(requests[3].IsWaiting);

        await requests[2].FinishAsync();

        Assert.Same(cluster.Destinations[1], await requests[3].DestinationAsync());
    }

    [Fact]
    public async Task A_request_that_nobody_could_take_does_not_wait()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(null, 1, 1));
        cluster.Arrive();

        Assert.Equal(ProxyError.NoAvailableDestinations, await cluster.Arrive(tried: cluster.Destinations).ErrorAsync());
        Assert.Equal(0, cluster.Limiter.QueueLength);
    }

    [Fact]
    public async Task A_full_queue_turns_away_and_one_that_is_not_allowed_turns_everybody_away()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(new() { QueueLimit = 1 }, 1));
        cluster.Arrive();
        var waiting = cluster.Arrive();

        Assert.Equal(ProxyError.QueueFull, await cluster.Arrive().ErrorAsync());
        Assert.True(waiting.IsWaiting);

        cluster.Apply(LimitedCluster.Config(new() { QueueLimit = 0 }, 1));
        Assert.Equal(ProxyError.QueueFull, await cluster.Arrive().ErrorAsync());
        Assert.True(waiting.IsWaiting); // it was let in
    }

    [Fact]
    public async Task A_request_waits_no_longer_than_it_may()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(new() { QueueTimeout = TimeSpan.FromSeconds(3) }, 1));
        cluster.Arrive();
        var waiting = cluster.Arrive();
        cluster.Apply(LimitedCluster.Config(new() { QueueTimeout = Timeout.InfiniteTimeSpan }, 1));
        var patient = cluster.Arrive();

        cluster.Time.Advance(TimeSpan.FromSeconds(2.9));
        Assert.Equal(2, cluster.Limiter.QueueLength);
        cluster.Time.Advance(TimeSpan.FromSeconds(0.1));

        Assert.Equal(ProxyError.QueueTimeout, await waiting.ErrorAsync());
        Assert.Equal(TimeSpan.FromSeconds(3), waiting.Proxy.QueueTime);
        cluster.Time.Advance(TimeSpan.FromDays(1));
        Assert.True(patient.IsWaiting);
    }

    [Fact]
    public async Task Who_leaves_makes_room_and_is_given_nothing()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(new() { QueueLimit = 2 }, 1));
        var active = cluster.Arrive();
        var leaving = cluster.Arrive();
        var staying = cluster.Arrive();

        leaving.Leave();
        await leaving.HasLeftAsync();
        Assert.Equal(1, cluster.Limiter.QueueLength);
        var late = cluster.Arrive();
        await active.FinishAsync();

        await staying.DestinationAsync();
        Assert.True(late.IsWaiting);
        Assert.Equal(1, cluster.Destinations[0].ActiveRequests);
    }

    [Fact]
    public async Task Raised_limits_let_in_in_order_and_lowered_ones_hold_back_until_enough_has_ended()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(new() { MaxConcurrentRequestsPerDestination = 1 }, [null]));
        var requests = Enumerable.Range(0, 5).Select(_ => cluster.Arrive()).ToArray();

        cluster.Apply(LimitedCluster.Config(new() { MaxConcurrentRequestsPerDestination = 3 }, [null]));

        await requests[1].DestinationAsync();
        await requests[2].DestinationAsync();
        Assert.True(requests[3].IsWaiting);

        cluster.Apply(LimitedCluster.Config(new() { MaxConcurrentRequestsPerDestination = 1 }, [null]));
        await requests[0].FinishAsync();
        await requests[1].FinishAsync();
        Assert.Equal((1, 2), (cluster.Destinations[0].ActiveRequests, cluster.Limiter.QueueLength));
        await requests[2].FinishAsync();
        await requests[3].DestinationAsync();
        Assert.True(requests[4].IsWaiting);
    }

    [Fact]
    public async Task When_the_limits_go_everybody_goes_and_when_they_come_back_they_count_who_is_there()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(new() { MaxConcurrentRequests = 1 }, [null]));
        var (before, waited) = (cluster.Arrive(), cluster.Arrive());

        cluster.Apply(LimitedCluster.Config(null, [null]));

        await waited.DestinationAsync();
        Assert.Null(cluster.Cluster.Limiter);
        var between = cluster.Arrive();

        cluster.Apply(LimitedCluster.Config(new() { MaxConcurrentRequests = 1 }, [null]));
        var after = cluster.Arrive();
        await before.FinishAsync();
        await waited.FinishAsync();
        Assert.True(after.IsWaiting);
        await between.FinishAsync(); // came without limits, counts all the same, and hands on its place
        await after.FinishAsync();
        Assert.Equal((0, 0), (cluster.Limiter.ActiveRequests, cluster.Destinations[0].ActiveRequests));
    }

    [Fact]
    public async Task A_destination_that_is_added_or_recovers_takes_who_waits()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(null, 1, 1));
        cluster.Destinations[1].ActiveHealth = DestinationHealth.Unhealthy;
        cluster.Arrive();
        var (first, second) = (cluster.Arrive(), cluster.Arrive());

        cluster.Destinations[1].ActiveHealth = DestinationHealth.Healthy;
        Assert.Same(cluster.Destinations[1], await first.DestinationAsync());

        cluster.Apply(LimitedCluster.Config(null, 1, 1, 1));
        Assert.Same(cluster.Destinations[2], await second.DestinationAsync());
        Assert.Same(cluster.Cluster.Model, second.Proxy.Model); // with the connections that the new configuration has
    }

    [Fact]
    public async Task Who_waits_for_a_destination_that_is_removed_or_falls_ill_goes_elsewhere_or_is_told()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(null, 1, 1));
        var (onFirst, onSecond) = (cluster.Arrive(), cluster.Arrive());
        var bound = cluster.Arrive(only: cluster.Destinations[1]);
        var any = cluster.Arrive();
        var (first, second) = (cluster.Destinations[0], cluster.Destinations[1]);

        cluster.Apply(LimitedCluster.Config(null, 1));
        Assert.Equal(ProxyError.NoAvailableDestinations, await bound.ErrorAsync());
        await onSecond.FinishAsync(); // nobody can go there any more
        Assert.Equal(1, cluster.Limiter.ActiveRequests);
        Assert.True(any.IsWaiting);
        Assert.Equal(0, second.ActiveRequests);

        first.ActiveHealth = DestinationHealth.Unhealthy;
        Assert.Equal(ProxyError.NoAvailableDestinations, await any.ErrorAsync());
        await onFirst.FinishAsync();
        Assert.Equal((0, 0), (cluster.Limiter.ActiveRequests, first.ActiveRequests));
    }

    [Fact]
    public async Task Requests_to_a_destination_that_is_removed_count_for_the_cluster_until_they_end()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(new() { MaxConcurrentRequests = 2 }, 1, null));
        var (first, second) = (cluster.Arrive(), cluster.Arrive());
        var waiting = cluster.Arrive();

        cluster.Apply(LimitedCluster.Config(new() { MaxConcurrentRequests = 2 }, 1));

        Assert.Equal((2, 1), (cluster.Limiter.ActiveRequests, cluster.Limiter.QueueLength));
        await first.FinishAsync();
        await waiting.DestinationAsync();
        await second.FinishAsync();
        Assert.Equal(1, cluster.Limiter.ActiveRequests);
    }

    [Fact]
    public async Task A_policy_that_fails_fails_the_request_that_it_picked_for()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(null, 1));
        var active = cluster.Arrive();
        var (failing, next) = (cluster.Arrive(), cluster.Arrive());
        failing.OnPick = () => throw new InvalidOperationException("policy");

        await active.FinishAsync();

        Assert.Equal("policy", (await Assert.ThrowsAsync<InvalidOperationException>(failing.DestinationAsync)).Message);
        await next.FinishAsync();
        Assert.Equal((0, 0), (cluster.Limiter.ActiveRequests, cluster.Limiter.QueueLength));
    }

    [Fact]
    public async Task A_policy_that_changes_the_cluster_while_it_picks_gives_nothing_twice()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(null, 1, 1));
        cluster.Destinations[1].ActiveHealth = DestinationHealth.Unhealthy;
        var active = cluster.Arrive();
        var (first, second, third) = (cluster.Arrive(), cluster.Arrive(), cluster.Arrive());
        first.OnPick = () => cluster.Destinations[1].ActiveHealth = DestinationHealth.Healthy;

        await active.FinishAsync();

        Assert.Same(cluster.Destinations[0], await first.DestinationAsync());
        Assert.Same(cluster.Destinations[1], await second.DestinationAsync());
        Assert.True(third.IsWaiting);
        Assert.Equal([1, 1], cluster.Destinations.Select(d => d.ActiveRequests));
    }

    [Fact]
    public async Task Who_waits_for_a_stuck_destination_costs_the_others_nothing()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(null, 1, 1));
        var stuck = cluster.Arrive();
        var bound = Enumerable.Range(0, 900).Select(_ => cluster.Arrive(only: cluster.Destinations[0])).ToArray();

        for (var i = 0; i < 100; i++)
            await cluster.Arrive().FinishAsync();
        var waiting = Enumerable.Range(0, 2).Select(_ => cluster.Arrive(tried: cluster.Destinations[0])).ToArray();
        await waiting[0].FinishAsync();
        await waiting[1].FinishAsync();

        Assert.All(bound, b => Assert.Equal(1, b.Picks)); // when it came
        await stuck.FinishAsync();
        Assert.Equal(2, bound[0].Picks);
        Assert.All(bound[1..], b => Assert.Equal(1, b.Picks));
    }

    [Fact]
    public void What_is_not_worth_waiting_for_takes_what_is_free_or_nothing()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(null, 1));
        var context = new Microsoft.AspNetCore.Http.DefaultHttpContext();
        var proxy = cluster.Arrive().Proxy;

        Assert.Null(ProxyKit.LoadBalancing.ConcurrencySlots.TryAcquire(context, proxy));
        cluster.Destinations[0].EndRequest();
        Assert.Same(cluster.Destinations[0], ProxyKit.LoadBalancing.ConcurrencySlots.TryAcquire(context, proxy));
        Assert.Equal((1, 0), (cluster.Limiter.ActiveRequests, cluster.Limiter.QueueLength));
    }
}
