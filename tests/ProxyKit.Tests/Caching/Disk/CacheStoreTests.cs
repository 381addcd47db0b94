using Microsoft.Extensions.Options;
using ProxyKit.Caching;
using ProxyKit.Caching.Disk;
using static ProxyKit.Tests.Caching.Disk.Responses;

namespace ProxyKit.Tests.Caching.Disk;

/// <summary>What every store does, as <see cref="IProxyCacheStore"/> says.</summary>
public abstract class CacheStoreTests : IDisposable
{
    private protected abstract IProxyCacheStore Store { get; }

    public abstract void Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16 * 1024)]
    [InlineData(16 * 1024 + 1)]
    [InlineData(65_532)]
    [InlineData(65_533)]
    [InlineData(65_536)]
    [InlineData(131_064)]
    [InlineData(1_000_000)]
    public async Task A_response_comes_back_as_it_was_stored(int length)
    {
        var head = new CachedResponseHead
        {
            StatusCode = 206,
            Headers = [new("Content-Type", "text/html"), new("x-odd-CASE", "\u00e9\u00ff"), new("Set-Cookie", new(["a=1", "b=2"])), new("X-Empty", ""), new("x-odd-CASE", "wide \u4f60\ud83d\ude00\ud800")],
            Vary = [new("accept-encoding", null), new("accept-language", "de, en")],
            RequestTime = Now,
            ResponseTime = Now.AddTicks(1),
            Freshness = new()
            {
                Lifetime = TimeSpan.FromSeconds(1), InitialAge = TimeSpan.FromSeconds(2), StaleIfError = TimeSpan.FromSeconds(3), StaleWhileRevalidate = TimeSpan.FromSeconds(4), MustRevalidate = true, NoCache = true,
            },
            Tags = ["one", "two"],
            RangeStart = 0,
            CompleteLength = 5_000_000_000,
            IsInvalid = true,
        };
        var body = Body(length);
        Assert.True(await Store.StoreAsync("https://example.com/\u00fc?\u4f60", body, head));

        var found = await Store.FirstAsync("https://example.com/\u00fc?\u4f60");

        Assert.Equal(head.VariantKey, found!.Head.VariantKey);
        Assert.Equal(head, found.Head);
        Assert.Equal(length, found.Length);
        Assert.Equal(body, await found.BodyAsync());
    }

    [Fact]
    public async Task Any_part_of_a_body_can_be_read()
    {
        var body = Body(300_000);
        await Store.StoreAsync("key", body);
        using var opened = await (await Store.FirstAsync("key"))!.OpenAsync(default);

        foreach (var (offset, count) in new[] { (0, 1), (0, 65_532), (65_531, 2), (65_532, 65_532), (100_000, 150_000), (299_999, 1), (5, 0) })
            Assert.Equal(body[offset..(offset + count)], await opened!.ReadAsync(offset, count));
    }

    [Fact]
    public async Task Nothing_is_found_before_it_is_committed_nor_when_it_is_dropped()
    {
        var writer = await Store.CreateAsync("key", Head(), null, 32, default);
        await writer!.WriteAsync(Body(200_000), default);
        Assert.Empty(await Store.FindAsync("key", default));
        await writer.DisposeAsync();

        Assert.Empty(await Store.FindAsync("key", default));
        Assert.Empty(await Store.FindAsync("ke", default));
    }

    [Theory]
    [InlineData(3_000)]
    [InlineData(500_000)]
    public async Task Many_read_what_has_been_written_so_far(int length)
    {
        var body = Body(length);
        await using var writer = (await Store.CreateAsync("key", Head(), null, 32, default))!;
        for (var i = 0; i < length;)
        {
            var piece = Math.Min(Random.Shared.Next(1, 90_000), length - i);
            await writer.WriteAsync(body.AsMemory(i, piece), default);
            i += piece;
            var from = Random.Shared.Next(i);
            Assert.All(await Task.WhenAll(writer.ReadAsync(0, i), writer.ReadAsync(0, i)), part => Assert.Equal(body[..i], part));
            Assert.Equal(body[from..i], await writer.ReadAsync(from, i - from));
        }
        Assert.True(await writer.CommitAsync(default));

        await Store.PurgeAsync(new(CachePurgeKind.All, "", Soft: false), default);
        Assert.Equal(body, await writer.ReadAsync(0, length));
    }

    [Fact]
    public async Task A_response_takes_the_place_of_its_variant_only_and_the_newest_comes_first()
    {
        await Store.StoreAsync("key", Body(10), Variant("de", "de"));
        await Store.StoreAsync("key", Body(10), Variant("en", "en"));
        await Store.StoreAsync("key", Body(10), Variant("fr", "fr"));
        Assert.Equal(["fr", "en", "de"], await Store.NamesAsync("key"));

        await Store.StoreAsync("key", Body(20, 2), Variant("en", "en 2"));
        Assert.Equal(["en 2", "fr", "de"], await Store.NamesAsync("key"));
        Assert.Equal(Body(20, 2), await Store.BodyAsync("key"));

        await Store.StoreAsync("key", Body(10), Variant("it", "it"), maxVariants: 2);
        Assert.Equal(["it", "en 2"], await Store.NamesAsync("key"));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(100_000)]
    public async Task Another_head_is_put_in_the_place_of_one_and_the_body_stays(int length)
    {
        await Store.StoreAsync("key", Body(10), Variant("de", "de"));
        await Store.StoreAsync("key", Body(length), Variant("en", "en"));
        var before = (await Store.FirstAsync("key"))!;

        await Store.UpdateAsync("key", before, before.Head with { StatusCode = 203, Headers = [new("X-Name", "validated")] }, default);

        var found = await Store.FindAsync("key", default);
        Assert.Equal(["validated", "de"], found.Select(r => NameOf(r.Head)));
        Assert.Equal(203, found[0].Head.StatusCode);
        Assert.Equal(Body(length), await found[0].BodyAsync());
        Assert.Equal(Body(length), await before.BodyAsync());
    }

    [Fact]
    public async Task What_has_been_changed_or_removed_meanwhile_is_not_updated_or_removed()
    {
        await Store.StoreAsync("key", Body(10));
        var read = (await Store.FirstAsync("key"))!;
        await Store.UpdateAsync("key", read, Head("first"), default);

        await Store.UpdateAsync("key", read, Head("second"), default);
        await Store.RemoveAsync("key", read, default);
        Assert.Equal(["first"], await Store.NamesAsync("key"));

        var now = (await Store.FirstAsync("key"))!;
        await Store.RemoveAsync("key", now, default);
        await Store.UpdateAsync("key", now, Head("third"), default);
        Assert.Empty(await Store.FindAsync("key", default));
    }

    [Theory]
    [InlineData(100)]
    [InlineData(300_000)]
    public async Task A_body_that_is_being_read_outlives_its_removal_and_replacement(int length)
    {
        await Store.StoreAsync("key", Body(length));
        var found = (await Store.FirstAsync("key"))!;
        using var body = (await found.OpenAsync(default))!;
        var begin = await body.ReadAsync(0, 50);

        await Store.StoreAsync("key", Body(length, 2));
        await Store.RemoveAsync("key", (await Store.FirstAsync("key"))!, default);
        await Store.PurgeAsync(new(CachePurgeKind.All, "", Soft: false), default);

        Assert.Equal(Body(length), begin.Concat(await body.ReadAsync(50, length - 50)));
        Assert.Empty(await Store.FindAsync("key", default));
    }

    [Theory]
    [InlineData(CachePurgeKind.All, "", "a/1 a/2 b/1")]
    [InlineData(CachePurgeKind.Key, "a/1", "a/1")]
    [InlineData(CachePurgeKind.Prefix, "a/", "a/1 a/2")]
    [InlineData(CachePurgeKind.Tag, "red", "a/2 b/1")]
    [InlineData(CachePurgeKind.Tag, "Red", "")]
    public async Task A_purge_removes_or_invalidates_what_is_meant(CachePurgeKind kind, string value, string meant)
    {
        async Task FillAsync()
        {
            await Store.StoreAsync("a/1", Body(10), Head("a/1", "blue"));
            await Store.StoreAsync("a/2", Body(30_000), Head("a/2", "red", "blue"));
            await Store.StoreAsync("b/1", Body(10), Head("b/1", "red"));
        }
        string[] keys = ["a/1", "a/2", "b/1"];
        var meantKeys = meant.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        await FillAsync();

        Assert.Equal(meantKeys.Length, await Store.PurgeAsync(new(kind, value, Soft: true), default));
        foreach (var key in keys)
            Assert.Equal(meantKeys.Contains(key), (await Store.FirstAsync(key))!.Head.IsInvalid);
        Assert.Equal(Body(30_000), await Store.BodyAsync("a/2"));

        Assert.Equal(meantKeys.Length, await Store.PurgeAsync(new(kind, value, Soft: false), default));
        foreach (var key in keys)
            Assert.Equal(meantKeys.Contains(key), await Store.FirstAsync(key) is null);

        await FillAsync(); // over what is left, too
        foreach (var key in keys)
            Assert.False((await Store.FirstAsync(key))!.Head.IsInvalid);
    }

    [Theory]
    [InlineData(CachePurgeKind.All)]
    [InlineData(CachePurgeKind.Key)]
    public async Task What_is_validated_after_it_was_invalidated_is_valid_and_what_was_read_before_is_not_written_back(CachePurgeKind kind)
    {
        await Store.StoreAsync("key", Body(10));
        var before = (await Store.FirstAsync("key"))!;
        await Store.PurgeAsync(new(kind, "key", Soft: true), default);

        await Store.UpdateAsync("key", before, before.Head, default);
        var after = (await Store.FirstAsync("key"))!;
        Assert.True(after.Head.IsInvalid);

        await Store.UpdateAsync("key", after, after.Head with { IsInvalid = false }, default);
        Assert.False((await Store.FirstAsync("key"))!.Head.IsInvalid);
    }

    [Fact]
    public async Task Tags_go_with_the_head_they_are_on()
    {
        await Store.StoreAsync("key", Body(10), Head("a", "old"));
        var found = (await Store.FirstAsync("key"))!;
        await Store.UpdateAsync("key", found, Head("b", "new"), default);

        Assert.Equal(0, await Store.PurgeAsync(new(CachePurgeKind.Tag, "old", Soft: false), default));
        Assert.Equal(1, await Store.PurgeAsync(new(CachePurgeKind.Tag, "new", Soft: false), default));
        Assert.Empty(await Store.FindAsync("key", default));
    }

    [Fact]
    public async Task What_is_longer_than_it_may_be_is_refused_and_what_was_written_can_still_be_read()
    {
        Assert.Null(await Store.CreateAsync("key", Head(), 5_000_000, 32, default));

        await using var writer = (await Store.CreateAsync("key", Head(), 200_000, 32, default))!;
        await writer.WriteAsync(Body(200_000), default);
        await Assert.ThrowsAsync<IOException>(async () => await writer.WriteAsync(Body(1), default));
        Assert.Equal(Body(200_000), await writer.ReadAsync(0, 200_000));
    }

    [Fact]
    public async Task A_reader_whose_client_has_gone_is_told()
    {
        await Store.StoreAsync("key", Body(300_000));
        using var body = (await (await Store.FirstAsync("key"))!.OpenAsync(default))!;
        var pipe = new System.IO.Pipelines.Pipe();
        await pipe.Reader.CompleteAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(async () => await body.CopyToAsync(pipe.Writer, 0, 300_000, default));
    }
}

/// <summary>The store in memory.</summary>
public sealed class MemoryCacheStoreContractTests : CacheStoreTests
{
    private readonly MemoryCacheStore _store;

    public MemoryCacheStoreContractTests()
    {
        var options = new ReverseProxyOptions();
        options.Cache.MaxMemory = 16_000_000;
        _store = new(Options.Create(options));
    }

    private protected override IProxyCacheStore Store => _store;

    public override void Dispose()
    {
    }
}

/// <summary>The store on disk.</summary>
public sealed class DiskCacheStoreContractTests : CacheStoreTests
{
    private readonly DiskCache _disk = new(16_000_000);

    private protected override IProxyCacheStore Store => _disk.Store;

    public override void Dispose() => _disk.Dispose();
}
