using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using ProxyKit.Caching;

namespace ProxyKit.Tests.Caching;

/// <summary>The heap of the whole process is measured: no other test may run. `cache-memory` of the benchmarks does the same with a million.</summary>
[Collection("alone")]
public class MemoryStoreSizeTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8)]
    public async Task Small_responses_take_what_the_store_counts_for_them(int variants)
    {
        using var store = new MemoryCacheStore(Options.Create(new ReverseProxyOptions { Cache = { MaxMemory = 1L << 40 } }), NullLoggerFactory.Instance);

        var heap = await StoredPages.FillAsync(store, 100_000, variants);

        Assert.InRange(store.Size / (double)heap, 0.9, 1.1);
    }
}
