namespace ProxyKit.Tests.LoadBalancing;

/// <summary>Many threads at once: no limit is exceeded, nobody is forgotten, nothing is left over.</summary>
public class LimitsStressTests
{
    private const int Workers = 32, RequestsEach = 500;

    [Fact]
    public async Task Limits_are_never_exceeded()
    {
        using var cluster = new LimitedCluster(LimitedCluster.Config(new() { MaxConcurrentRequests = 7, QueueTimeout = Timeout.InfiniteTimeSpan }, 2, 3, 4));
        var inside = new int[3];
        var most = new int[4];
        var all = 0;

        await RunAsync(async (_, random) =>
        {
            using var request = cluster.Arrive(random.Next(4) == 0 ? cluster.Destinations[random.Next(3)] : null);
            var i = Array.IndexOf(cluster.Destinations, await request.DestinationAsync());
            Max(ref most[i], Interlocked.Increment(ref inside[i]));
            Max(ref most[3], Interlocked.Increment(ref all));
            await Task.Yield();
            Interlocked.Decrement(ref all);
            Interlocked.Decrement(ref inside[i]);
            await request.FinishAsync();
        });

        Assert.All(most.Zip([2, 3, 4, 7]), m => Assert.InRange(m.First, 1, m.Second));
        AssertNothingLeft(cluster);
    }

    [Fact]
    public async Task Nobody_is_forgotten_while_clients_leave_and_limits_and_health_change()
    {
        ClusterConfig[] configs =
        [
            LimitedCluster.Config(new() { MaxConcurrentRequests = 4, QueueTimeout = Timeout.InfiniteTimeSpan }, 1, 2, 1),
            LimitedCluster.Config(new() { MaxConcurrentRequestsPerDestination = 1, QueueTimeout = Timeout.InfiniteTimeSpan }, null, null, null),
            LimitedCluster.Config(null, null, null, null),
            LimitedCluster.Config(new() { MaxConcurrentRequests = 1, QueueTimeout = Timeout.InfiniteTimeSpan }, null, null),
        ];
        using var cluster = new LimitedCluster(configs[0]);
        int admitted = 0, left = 0;
        using var done = new CancellationTokenSource();
        var changes = Task.Run(async () =>
        {
            var random = new Random(1);
            while (!done.IsCancellationRequested)
            {
                cluster.Apply(configs[random.Next(configs.Length)]);
                cluster.Destinations[1].ActiveHealth = random.Next(2) == 0 ? DestinationHealth.Healthy : DestinationHealth.Unhealthy;
                await Task.Yield();
            }
        });

        await RunAsync(async (_, random) =>
        {
            using var request = cluster.Arrive();
            if (random.Next(3) == 0)
                request.Leave();
            try
            {
                await request.DestinationAsync();
            }
            catch (OperationCanceledException)
            {
                Interlocked.Increment(ref left);
                return;
            }
            Interlocked.Increment(ref admitted);
            await Task.Yield();
            await request.FinishAsync();
        });
        await done.CancelAsync();
        await changes;

        Assert.Equal(Workers * RequestsEach, admitted + left);
        Assert.True(left > 0);
        cluster.Apply(configs[0]);
        AssertNothingLeft(cluster);
    }

    private static Task RunAsync(Func<int, Random, Task> request) =>
        Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(async () =>
        {
            var random = new Random(worker);
            for (var i = 0; i < RequestsEach; i++)
                await request(i, random);
        })));

    private static void AssertNothingLeft(LimitedCluster cluster)
    {
        Assert.Equal((0, 0), (cluster.Limiter.ActiveRequests, cluster.Limiter.QueueLength));
        Assert.All(cluster.Destinations, d => Assert.Equal(0, d.ActiveRequests));
    }

    private static void Max(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); value > seen; seen = Volatile.Read(ref most))
            Interlocked.CompareExchange(ref most, value, seen);
    }
}
