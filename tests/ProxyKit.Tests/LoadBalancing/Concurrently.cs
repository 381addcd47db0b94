namespace ProxyKit.Tests.LoadBalancing;

/// <summary>Races, round after round: between two rounds nothing runs, and what must hold then is looked at.</summary>
internal static class Concurrently
{
    private const int Workers = 3;

    public static void Run(int rounds, Action<Random> work, Action check)
    {
        using var barrier = new Barrier(Workers, _ => check());
        var workers = Enumerable.Range(0, Workers).Select(worker => Task.Factory.StartNew(
            () =>
            {
                var random = new Random(worker);
                for (var round = 0; round < rounds; round++)
                {
                    work(random);
                    barrier.SignalAndWait();
                }
            },
            TaskCreationOptions.LongRunning)).ToArray();
        Task.WaitAll(workers);
    }
}
