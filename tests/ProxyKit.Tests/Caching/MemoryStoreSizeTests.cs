using Microsoft.Extensions.Logging.Abstractions;
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
        using var store = new MemoryCacheStore(Options.Create(new ReverseProxyOptions { Cache = { MaxMemory = 1L << 40 } }), NullLoggerFactory.Instance);

        // All in one store: nothing becomes free in between.
        foreach (var variants in (int[])[0, 1, 8])
        {
            var (counted, heap) = await StoredPages.FillAsync(store, 40_000, variants);
            Assert.InRange(counted / (double)heap, 0.9, 1.1);
        }
        GC.KeepAlive(store);
    }
}
