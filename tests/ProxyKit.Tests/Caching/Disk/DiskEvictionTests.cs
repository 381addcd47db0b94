using ProxyKit.Caching.Disk;
using static ProxyKit.Tests.Caching.Disk.Responses;

namespace ProxyKit.Tests.Caching.Disk;

/// <summary>The limit of the disk cache, and who goes first.</summary>
public sealed class DiskEvictionTests : IDisposable
{
    private readonly DiskCache _disk = new(1_000_000);

    public void Dispose() => _disk.Dispose();

    [Fact]
    public async Task It_knows_what_it_takes_of_the_disk_and_never_takes_more_than_it_may()
    {
        var random = new Random(1);
        for (var i = 0; i < 300; i++)
        {
            var length = random.Next(0, random.Next(2) == 0 ? 5_000 : 240_000);
            Assert.True(await _disk.Store.StoreAsync($"key {i % 70}", Body(length, i), Head(tags: [$"tag {i % 7}"])));
            if (i % 10 == 0 && await _disk.Store.FirstAsync($"key {random.Next(70)}") is { } found)
                await _disk.Store.UpdateAsync($"key {i % 70}", found, found.Head with { Headers = [new("X-Long", new string('x', random.Next(10_000)))] }, default);

            Assert.InRange(_disk.Store.Size, 0, _disk.Limit);
            Assert.Equal(_disk.SizeOnDisk, _disk.Store.Size);
        }
        Assert.InRange(_disk.Store.Size, _disk.Limit - 250_000, _disk.Limit);
    }

    [Fact]
    public async Task What_has_not_been_used_for_the_longest_time_goes_first()
    {
        for (var i = 0; i < 9; i++)
            await _disk.Store.StoreAsync($"{i}", Body(95_000));
        await _disk.Store.FindAsync("0", default);
        await _disk.Store.FindAsync("2", default);

        for (var i = 9; i < 12; i++)
            await _disk.Store.StoreAsync($"{i}", Body(95_000));

        Assert.Equal("0 2 5 6 7 8 9 10 11", await StoredAsync(12));
    }

    [Fact]
    public async Task The_order_of_use_survives_a_restart()
    {
        for (var i = 0; i < 9; i++)
            await _disk.Store.StoreAsync($"{i}", Body(95_000));
        var old = Now.AddDays(-10).UtcDateTime;
        foreach (var file in _disk.Files)
            File.SetLastWriteTimeUtc(file, old.AddHours(1));
        File.SetLastWriteTimeUtc(_disk.Files.First(f => f.Contains(KeyHash.Of("4").ToString(), StringComparison.Ordinal)), old);
        _disk.Restart();
        await _disk.Store.Listing;
        for (var i = 0; i < 4; i++)
            await _disk.Store.FindAsync($"{i}", default); // used ten days later
        _disk.Restart();
        await _disk.Store.Listing;

        await _disk.Store.StoreAsync("9", Body(95_000));
        Assert.Equal("0 1 2 3 5 6 7 8 9", await StoredAsync(10, find: false));
        for (var i = 10; i < 14; i++)
            await _disk.Store.StoreAsync($"{i}", Body(95_000));
        Assert.Equal("0 1 2 3 9 10 11 12 13", await StoredAsync(14));
    }

    [Fact]
    public async Task What_is_being_written_counts_and_is_not_evicted()
    {
        await _disk.Store.StoreAsync("old", Body(200_000));
        List<CacheWriter> writers = [];
        for (var i = 0; i < 5; i++)
        {
            writers.Add((await _disk.Store.CreateAsync($"{i}", Head(), null, 32, default))!);
            await writers[i].WriteAsync(Body(240_000, i), default);
            Assert.Equal(_disk.SizeOnDisk, _disk.Store.Size);
        }
        Assert.Null(await _disk.Store.FirstAsync("old"));
        await using (var more = (await _disk.Store.CreateAsync("more", Head(), null, 32, default))!)
        {
            await more.WriteAsync(Body(60_000), default); // in memory
            await Assert.ThrowsAsync<IOException>(async () => await more.WriteAsync(Body(60_000), default));
            Assert.Equal(Body(60_000), await more.ReadAsync(0, 60_000));
        }

        // The first finds no room for its last block, and so makes some for the others.
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(i > 0, await writers[i].CommitAsync(default));
            await writers[i].DisposeAsync();
        }
        Assert.Equal("1 2 3 4", await StoredAsync(5));
        Assert.DoesNotContain(_disk.Logs, record => record.Level >= Microsoft.Extensions.Logging.LogLevel.Warning); // it is no fault
        Assert.Equal(_disk.SizeOnDisk, _disk.Store.Size);
    }

    [Fact]
    public async Task What_takes_more_than_a_quarter_is_refused()
    {
        Assert.Null(await _disk.Store.CreateAsync("key", Head(), 250_001, 32, default));
        Assert.NotNull(await _disk.Store.CreateAsync("key", Head(), 250_000, 32, default));
        await using var writer = (await _disk.Store.CreateAsync("key", Head(), null, 32, default))!;
        await writer.WriteAsync(Body(250_000), default);
        await Assert.ThrowsAsync<IOException>(async () => await writer.WriteAsync(Body(1), default));
    }

    [Fact]
    public async Task A_limit_that_has_been_lowered_holds_after_the_start()
    {
        for (var i = 0; i < 9; i++)
            await _disk.Store.StoreAsync($"{i}", Body(95_000));
        _disk.Limit = 500_000;
        _disk.Restart();
        await _disk.Store.Listing;

        Assert.Equal(4, _disk.Store.Count);
        Assert.Equal(_disk.SizeOnDisk, _disk.Store.Size);
        Assert.InRange(_disk.Store.Size, 400_000, 500_000);
    }

    // Without using them, which would change the order.
    private async Task<string> StoredAsync(int count, bool find = true)
    {
        List<int> stored = [];
        for (var i = 0; i < count; i++)
        {
            var found = find ? await _disk.Store.FirstAsync($"{i}") is not null : _disk.Store.Index.Peek(KeyHash.Of($"{i}")).Length > 0;
            if (found)
                stored.Add(i);
        }
        return string.Join(' ', stored);
    }
}
