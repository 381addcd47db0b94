using Microsoft.Extensions.Options;
using ProxyKit.Buffering;

namespace ProxyKit.Tests.Buffering;

public class BufferBudgetTests
{
    [Fact]
    public void No_more_is_given_than_there_is()
    {
        var budget = Create(memory: 100, disk: 0);

        Assert.True(budget.TryTakeMemory(60));
        Assert.False(budget.TryTakeMemory(41));
        Assert.True(budget.TryTakeMemory(40));
        Assert.Equal(100, budget.MemoryInUse);
        budget.ReturnMemory(41);
        Assert.True(budget.TryTakeMemory(41));
        Assert.False(budget.TryTakeDisk(1));
        Assert.False(budget.TryTakeDisk(long.MaxValue));
        Assert.Equal(0, budget.DiskInUse);
    }

    [Fact]
    public async Task Who_waits_for_room_never_misses_it()
    {
        var budget = Create(memory: 0, disk: 3);
        var most = 0;
        var now = 0;

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; i < 2000; i++)
            {
                while (true)
                {
                    var returned = budget.Returned;
                    if (budget.TryTakeDisk(1))
                        break;
                    await returned.WaitAsync(TimeSpan.FromSeconds(10));
                }
                var count = Interlocked.Increment(ref now);
                for (var seen = most; count > seen; seen = most)
                    Interlocked.CompareExchange(ref most, count, seen);
                Interlocked.Decrement(ref now);
                budget.ReturnDisk(1);
            }
        })));

        Assert.Equal(0, budget.DiskInUse);
        Assert.InRange(most, 1, 3);
    }

    internal static BufferBudget Create(long memory, long disk)
    {
        var options = new ReverseProxyOptions();
        options.Buffering.MaxMemory = memory;
        options.Buffering.MaxDisk = disk;
        return new(Options.Create(options));
    }
}
