using System.Globalization;
using Microsoft.Extensions.Logging;
using static ProxyKit.Tests.Caching.Disk.Responses;

namespace ProxyKit.Tests.Caching.Disk;

/// <summary>All at once.</summary>
public sealed class DiskStressTests : IDisposable
{
    private const int Keys = 40;

    private readonly DiskCache _disk = new(3_000_000);
    private readonly byte[] _bytes = Body(400_000);

    public void Dispose() => _disk.Dispose();

    [Fact]
    public async Task Whatever_happens_side_by_side_each_response_is_whole()
    {
        long found = 0, stored = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(async () =>
        {
            var random = new Random(worker);
            for (var i = 0; i < 400; i++)
            {
                var key = $"/{random.Next(4)}/{random.Next(Keys / 4)}";
                switch (random.Next(20))
                {
                    case < 6:
                        if (await StoreAsync(key, random))
                            Interlocked.Increment(ref stored);
                        break;
                    case < 16:
                        foreach (var response in await _disk.Store.FindAsync(key, default))
                        {
                            if (await CheckAsync(response))
                                Interlocked.Increment(ref found);
                        }
                        break;
                    case 16:
                        foreach (var response in await _disk.Store.FindAsync(key, default))
                            await _disk.Store.UpdateAsync(key, response, response.Head with { StatusCode = 203, IsInvalid = false }, default);
                        break;
                    case 17:
                        if (await _disk.Store.FirstAsync(key) is { } first)
                            await _disk.Store.RemoveAsync(key, first, default);
                        break;
                    case 18:
                        await _disk.Store.PurgeAsync(new((CachePurgeKind)random.Next(1, 4), random.Next(3) == 0 ? $"/{random.Next(4)}/" : key, random.Next(2) == 0), default);
                        break;
                    default:
                        if (random.Next(10) == 0)
                            await _disk.Store.PurgeAsync(new(CachePurgeKind.All, "", random.Next(2) == 0), default);
                        break;
                }
            }
        })));
        await _disk.Store.Listing;
        await _disk.Store.Clearing;

        Assert.Equal(0, _disk.Store.DamagedCount);
        Assert.True(found > 100 && stored > 100, $"{found} found, {stored} stored");
        Assert.All(_disk.Logs, record => Assert.True(record.Level < LogLevel.Warning, $"{record.Message}\n{record.Exception}"));
        Assert.Equal(_disk.SizeOnDisk, _disk.Store.Size);
        Assert.DoesNotContain(_disk.Files, file => file.EndsWith(".tmp", StringComparison.Ordinal));

        var (count, size) = (_disk.Store.Count, _disk.Store.Size);
        _disk.Restart();
        await _disk.Store.Listing;
        Assert.Equal((count, size), (_disk.Store.Count, _disk.Store.Size));
        for (var i = 0; i < Keys; i++)
        {
            foreach (var response in await _disk.Store.FindAsync($"/{i % 4}/{i / 4}", default))
                Assert.True(await CheckAsync(response));
        }
    }

    private async Task<bool> StoreAsync(string key, Random random)
    {
        var length = random.Next(random.Next(2) == 0 ? 1000 : 300_000);
        var start = random.Next(_bytes.Length - length);
        var head = Variant($"{random.Next(3)}", string.Create(CultureInfo.InvariantCulture, $"{start},{length}")) with { Tags = [key] };
        await using var writer = (await _disk.Store.CreateAsync(key, head, random.Next(2) == 0 ? length : null, 2, default))!;
        try
        {
            for (var i = 0; i < length;)
            {
                var piece = Math.Min(random.Next(1, 50_000), length - i);
                await writer.WriteAsync(_bytes.AsMemory(start + i, piece), default);
                i += piece;
            }
            Assert.Equal(_bytes[start..(start + length)], await writer.ReadAsync(0, length));
            return random.Next(10) != 0 && await writer.CommitAsync(default);
        }
        catch (IOException)
        {
            return false; // the others take all the room
        }
    }

    private async Task<bool> CheckAsync(CachedResponse response)
    {
        var parts = NameOf(response.Head).Split(',');
        var (start, length) = (int.Parse(parts[0]), int.Parse(parts[1]));
        Assert.Equal(length, response.Length);
        if (await response.BodyAsync() is not { } body)
            return false;
        Assert.Equal(_bytes[start..(start + length)], body);
        return true;
    }
}
