using System.IO.Pipelines;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Tests.Caching.Disk;

/// <summary>Heads and bodies that can be told apart, and the few steps of storing and reading them.</summary>
internal static class Responses
{
    public static readonly DateTimeOffset Now = new(2026, 5, 4, 3, 2, 1, TimeSpan.Zero);

    public static CachedResponseHead Head(string name = "a", params string[] tags) => new()
    {
        StatusCode = 200,
        Headers = [new("Content-Type", "text/plain"), new("X-Name", name), new("X-Many", new StringValues(["one", "two"]))],
        RequestTime = Now,
        ResponseTime = Now.AddSeconds(1),
        Freshness = new() { Lifetime = TimeSpan.FromMinutes(1), StaleIfError = TimeSpan.FromDays(1) },
        Tags = tags.ToValueList(),
    };

    public static CachedResponseHead Variant(string language, string name = "a") => Head(name) with { Vary = [new("accept-language", language)] };

    public static string NameOf(CachedResponseHead head) => head.Headers.First(h => h.Key == "X-Name").Value.ToString();

    /// <summary>Bytes that differ from one seed to another, and from one place to another.</summary>
    public static byte[] Body(int length, int seed = 1)
    {
        var body = new byte[length];
        new Random(seed).NextBytes(body);
        return body;
    }

    public static async Task<bool> StoreAsync(this IProxyCacheStore store, string key, byte[] body, CachedResponseHead? head = null, int maxVariants = 32, int piece = 10_000, long? length = null)
    {
        await using var writer = await store.CreateAsync(key, head ?? Head(), length, maxVariants, default);
        if (writer is null)
            return false;
        for (var i = 0; i < body.Length; i += piece)
            await writer.WriteAsync(body.AsMemory(i, Math.Min(piece, body.Length - i)), default);
        return await writer.CommitAsync(default);
    }

    public static async Task<CachedResponse?> FirstAsync(this IProxyCacheStore store, string key) => (await store.FindAsync(key, default)).FirstOrDefault();

    public static async Task<string[]> NamesAsync(this IProxyCacheStore store, string key) => [.. (await store.FindAsync(key, default)).Select(r => NameOf(r.Head))];

    public static async Task<byte[]?> BodyAsync(this IProxyCacheStore store, string key) => await store.FirstAsync(key) is { } found ? await found.BodyAsync() : null;

    public static async Task<byte[]?> BodyAsync(this CachedResponse response)
    {
        using var body = await response.OpenAsync(default);
        return body is null ? null : await body.ReadAsync(0, response.Length);
    }

    public static Task<byte[]> ReadAsync(this CachedBody body, long offset, long count) => CopyAsync(target => body.CopyToAsync(target, offset, count, default));

    public static Task<byte[]> ReadAsync(this CacheWriter writer, long offset, long count) => CopyAsync(target => writer.CopyToAsync(target, offset, count, default));

    private static async Task<byte[]> CopyAsync(Func<PipeWriter, ValueTask> copy)
    {
        using var stream = new MemoryStream();
        var target = PipeWriter.Create(stream, new(leaveOpen: true));
        await copy(target);
        await target.CompleteAsync();
        return stream.ToArray();
    }
}
