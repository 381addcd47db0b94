using System.Globalization;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using ProxyKit.Caching;

namespace ProxyKit;

/// <summary>Fills the cache's memory store with what a site's pages leave in it, and tells what that really took.</summary>
internal static class StoredPages
{
    /// <summary>Stores pages of 200 to 1,000 bytes: as many variants (by one field) under each key as <paramref name="variants"/> says; with 0, one without <c>Vary</c>.</summary>
    /// <returns>What the store counts for them, and by how much the heap has grown.</returns>
    public static async Task<(long Counted, long Heap)> FillAsync(MemoryCacheStore store, int count, int variants)
    {
        var body = new byte[1000];
        // What the store and the pools need once is not the pages'.
        await AddAsync(store, body, -1, variants);
        var (counted, heap) = (store.Size, Heap());
        for (var i = 0; i < count; i++)
            await AddAsync(store, body, i, variants);
        return (store.Size - counted, Heap() - heap);
    }

    private static long Heap()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private static async Task AddAsync(MemoryCacheStore store, byte[] body, int number, int variants)
    {
        var length = 200 + (number * 37 & 0x7FFFFFFF) % 800;
        await using var writer = await store.CreateAsync($"GET https://www.example.com/articles-{variants}/{(variants == 0 ? number : number / variants)}/a-title-of-an-article?page=2", Head(number, length, variants), length, 32, CancellationToken.None);
        await writer!.WriteAsync(body.AsMemory(0, length), CancellationToken.None);
        if (!await writer.CommitAsync(CancellationToken.None))
            throw new InvalidOperationException($"Number {number} is not stored.");
    }

    private static CachedResponseHead Head(int number, int length, int variants)
    {
        var now = TimeProvider.System.GetUtcNow();
        List<KeyValuePair<string, StringValues>> headers =
        [
            Field(HeaderNames.Date, now.ToString("R", CultureInfo.InvariantCulture)),
            Field(HeaderNames.Server, "nginx/1.22.1"),
            Field(HeaderNames.ContentType, "text/html; charset=utf-8"),
            Field(HeaderNames.ContentLength, $"{length}"),
            Field(HeaderNames.CacheControl, "public, max-age=3600"),
            Field(HeaderNames.ETag, $"\"{number:x16}\""),
            Field(HeaderNames.LastModified, now.AddDays(-1).ToString("R", CultureInfo.InvariantCulture)),
        ];
        if (variants > 0)
            headers.Add(Field(HeaderNames.Vary, "Accept-Encoding"));
        return new()
        {
            StatusCode = 200,
            Headers = [.. headers],
            Vary = variants == 0 ? [] : [new(new string("accept-encoding"), $"gzip{number % variants}")],
            RequestTime = now,
            ResponseTime = now,
            Freshness = new() { Lifetime = TimeSpan.FromHours(1) },
        };
    }

    // As a server does it: names are its own strings, values new ones.
    private static KeyValuePair<string, StringValues> Field(string name, string value) => new(name, new string(value.AsSpan()));
}
