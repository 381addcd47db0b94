using System.Runtime.CompilerServices;
using ProxyKit.Caching.Disk;

namespace ProxyKit.Tests.Caching.Disk;

/// <summary>The heap of the whole process is measured: no other test may run.</summary>
[Collection("alone")]
public class DiskIndexSizeTests
{
    private const int Count = 100_000;

    [Fact]
    public void What_is_stored_costs_little_memory()
    {
        // What tests before this one have left behind goes when it likes: one undisturbed run says it.
        var each = BytesEach();
        for (var tries = 1; tries < 4 && each is (< 50 or > 150); tries++)
            each = BytesEach();

        Assert.InRange(each, 50, 150);
    }

    // A frame of its own: nothing of one run is held in the next.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static double BytesEach()
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var index = new DiskIndex(long.MaxValue);
        for (var i = 0; i < Count; i++)
            index.Add(new(KeyHash.Of($"{i}"), i, 0) { HeadBlocks = 1 }, [], 32, []);
        var after = GC.GetTotalMemory(forceFullCollection: true);
        Assert.Equal(Count, index.Count);
        return (after - before) / (double)Count;
    }
}
