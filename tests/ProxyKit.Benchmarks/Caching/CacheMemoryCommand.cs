using System.Globalization;
using Microsoft.Extensions.Options;
using ProxyKit.Caching;

namespace ProxyKit.Benchmarks.Caching;

/// <summary><c>cache-memory [COUNT]</c>: what the memory store says that a million small responses take, beside what the heap says.</summary>
internal static class CacheMemoryCommand
{
    public static async Task<int> RunAsync(string[] args)
    {
        var count = args is [var text] ? int.Parse(text, NumberStyles.AllowThousands, CultureInfo.InvariantCulture) : 1_000_000;
        var store = new MemoryCacheStore(Options.Create(new ReverseProxyOptions { Cache = { MaxMemory = long.MaxValue / 2 } }));
        foreach (var variants in (int[])[0, 1, 8])
        {
            var (counted, heap) = await StoredPages.FillAsync(store, count, variants);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{count:N0} pages, {(variants == 0 ? "without Vary" : $"{variants} under each key")}: the store counts {counted:N0} B ({counted / (double)count:N1} each), the heap has grown by {heap:N0} B ({heap / (double)count:N1} each): {counted / (double)heap:P1}"));
        }
        return 0;
    }
}
