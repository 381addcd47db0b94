using ProxyKit.Pipeline;

namespace ProxyKit.Tests.LoadBalancing;

public class LeastTimeTests : IDisposable
{
    private readonly BalancedCluster _cluster = new(LoadBalancingPolicies.LeastTime, 1, 1);

    public LeastTimeTests()
    {
        Answer("a", 10);
        Answer("b", 20);
    }

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public void The_faster_one_is_taken() => Assert.Equal([200, 0], _cluster.Counts(200));

    [Fact]
    public void Requests_under_way_make_it_slower()
    {
        _cluster.Occupy("a", 2); // 30 ms

        Assert.Equal([0, 200], _cluster.Counts(200));
    }

    [Fact]
    public void Weight_makes_it_faster()
    {
        _cluster.Configure(c => c with { Destinations = [c.Destinations[0], c.Destinations[1] with { Weight = 3 }] }); // 6.7 ms

        Assert.Equal([0, 200], _cluster.Counts(200));
    }

    [Fact]
    public void A_slow_answer_counts_at_once_and_is_forgotten_with_time()
    {
        Answer("a", 500);
        Assert.Equal(500, _cluster["a"].AverageTimeToFirstByte!.Value.TotalMilliseconds, 0.001);
        Assert.Equal([0, 200], _cluster.Counts(200));

        // 500 ms go down to less than 20 in 33 s.
        for (var i = 0; i < 31; i++)
            Second();
        Assert.Equal([0, 200], _cluster.Counts(200));
        for (var i = 0; i < 4; i++)
            Second();
        Assert.Equal([200, 0], _cluster.Counts(200));

        void Second()
        {
            _cluster.Time.Advance(TimeSpan.FromSeconds(1));
            Answer("b", 20);
        }
    }

    [Fact]
    public void A_fast_answer_counts_by_and_by()
    {
        Answer("a", 500);
        _cluster.Time.Advance(TimeSpan.FromSeconds(10));
        Answer("a", 10);

        // e^-1 of what it was
        Assert.Equal((500 / Math.E) + (10 * (1 - (1 / Math.E))), _cluster["a"].AverageTimeToFirstByte!.Value.TotalMilliseconds, 0.001);
    }

    [Theory]
    [InlineData(0, ProxyError.Connect, FailureClass.NothingSent)]
    [InlineData(0, ProxyError.Request, FailureClass.Unanswered)]
    [InlineData(503, ProxyError.None, FailureClass.None)]
    public void Failing_at_once_is_not_being_fast(int status, ProxyError error, FailureClass failure)
    {
        Outcome("a", 0.1, status, error, failure);

        Assert.Equal(1000, _cluster["a"].AverageTimeToFirstByte!.Value.TotalMilliseconds, 0.001);
        Assert.Equal([0, 200], _cluster.Counts(200));
    }

    [Fact]
    public void What_the_apps_own_transform_does_is_not_the_destinations_doing()
    {
        Outcome("b", 5000, 0, ProxyError.RequestCreation, FailureClass.NothingSent);

        Assert.Equal(20, _cluster["b"].AverageTimeToFirstByte!.Value.TotalMilliseconds, 0.001);
    }

    [Fact]
    public void A_response_that_breaks_off_is_a_failure()
    {
        _cluster.Observers.Single().BrokeOff(_cluster["a"], ProxyError.ResponseBodyDestination);

        Assert.Equal([0, 200], _cluster.Counts(200));
    }

    [Fact]
    public void A_client_that_leaves_soon_says_nothing_and_one_that_waited_in_vain_does()
    {
        Outcome("b", 0.1, 0, ProxyError.ClientAborted, FailureClass.Client);
        Assert.Equal(20, _cluster["b"].AverageTimeToFirstByte!.Value.TotalMilliseconds, 0.001);

        Outcome("a", 5000, 0, ProxyError.ClientAborted, FailureClass.Client);
        Assert.Equal([0, 200], _cluster.Counts(200));
    }

    [Fact]
    public void One_that_nothing_is_known_of_gets_one_request_until_it_has_answered()
    {
        _cluster.Configure(c => c with { Destinations = [.. c.Destinations, BalancedCluster.Destination("c")] });
        Assert.Null(_cluster["c"].AverageTimeToFirstByte);
        var counts = _cluster.Counts(600);
        Assert.Equal(0, counts[1]); // of a and b, or of it and c, never the best
        Assert.InRange(counts[2], 300, 500); // whenever it is drawn: two times of three

        _cluster.Occupy("c", 1);
        Assert.Equal(0, _cluster.Counts(600)[2]);

        _cluster["c"].EndRequest();
        Answer("c", 1);
        Assert.InRange(_cluster.Counts(600)[2], 300, 500);
    }

    [Fact]
    public void What_is_known_survives_a_reload()
    {
        _cluster.Configure(c => c with { Destinations = [.. c.Destinations.Reverse()], Metadata = new([new("a", "b")]) });

        Assert.Equal([0, 200], _cluster.Counts(200));
        Assert.Equal(TimeSpan.FromMilliseconds(10), _cluster["a"].AverageTimeToFirstByte);
    }

    [Fact]
    public void Where_all_are_new_the_draw_is_by_weight_and_load()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.LeastTime, 1, 2, 7);
        ChiSquare.AssertFits(cluster.Counts(300_000), 1, 2, 7);

        for (var i = 0; i < 10_000; i++)
            cluster.Pick()!.BeginRequest();
        Assert.All(cluster.Destinations, d => Assert.InRange(d.ActiveRequests, (1000 * d.Config.Weight) - 100, (1000 * d.Config.Weight) + 100));
    }

    [Fact]
    public void Other_policies_do_not_measure()
    {
        using var cluster = new BalancedCluster(LoadBalancingPolicies.PowerOfTwoChoices, 1);

        Assert.Empty(cluster.Observers);
    }

    private void Answer(string name, double milliseconds) => Outcome(name, milliseconds, 200, ProxyError.None, FailureClass.None);

    private void Outcome(string name, double milliseconds, int status, ProxyError error, FailureClass failure) =>
        _cluster.Observers.Single().Answered(_cluster[name], new AttemptOutcome(status, error, failure, TimeSpan.FromMilliseconds(milliseconds)));
}
