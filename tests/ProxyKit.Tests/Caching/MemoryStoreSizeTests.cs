using Microsoft.Extensions.Options;
using ProxyKit.Caching;

namespace ProxyKit.Tests.Caching;

[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneCollection;

/// <summary>The heap of the whole process is measured: no other test may run. `cache-memory` of the benchmarks does the same with a million.</summary>
[Collection("alone")]
public class MemoryStoreSizeTests
{
    [Fact]
    public async Task Small_responses_take_what_the_store_counts_for_them()
    {
        // What tests before this one have left behind (pooled arrays, logs) goes when it likes, and makes the heap grow less: one undisturbed run says it.
        for (var tries = 1; ; tries++)
        {
            var store = new MemoryCacheStore(Options.Create(new ReverseProxyOptions { Cache = { MaxMemory = 1L << 40 } }));
            var ratios = new List<double>();
            // All in one store: nothing becomes free in between.
            foreach (var variants in (int[])[0, 1, 8])
            {
                var (counted, heap) = await StoredPages.FillAsync(store, 40_000, variants);
                ratios.Add(counted / (double)heap);
            }
            GC.KeepAlive(store);
            if (tries == 4 || ratios.TrueForAll(ratio => ratio is > 0.9 and < 1.1))
            {
                Assert.All(ratios, ratio => Assert.InRange(ratio, 0.9, 1.1));
                return;
            }
        }
    }
}
