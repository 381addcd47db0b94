using ProxyKit.Caching.Disk;

namespace ProxyKit.Tests.Caching.Disk;

/// <summary>The heap of the whole process is measured: no other test may run.</summary>
[Collection("alone")]
public class DiskIndexSizeTests
{
    [Fact]
    public void What_is_stored_costs_little_memory()
    {
        const int count = 100_000;
        // What tests before this one have left behind goes when it likes: one undisturbed run says it.
        for (var tries = 1; ; tries++)
        {
            var index = new DiskIndex(long.MaxValue);
            var before = GC.GetTotalMemory(forceFullCollection: true);
            for (var i = 0; i < count; i++)
                index.Add(new(KeyHash.Of($"{i}"), i, 0) { HeadBlocks = 1 }, [], 32, []);
            var each = (GC.GetTotalMemory(forceFullCollection: true) - before) / (double)count;

            Assert.Equal(count, index.Count);
            if (tries == 4 || each is > 50 and < 150)
            {
                Assert.InRange(each, 50, 150);
                return;
            }
        }
    }
}
