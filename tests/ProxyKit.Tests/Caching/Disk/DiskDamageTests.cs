using System.IO.Pipelines;
using Microsoft.Extensions.Logging;
using static ProxyKit.Tests.Caching.Disk.Responses;

namespace ProxyKit.Tests.Caching.Disk;

/// <summary>What a disk, a power cut or somebody has changed is found out, and never sent.</summary>
public sealed class DiskDamageTests : IDisposable
{
    private const int Block = 64 * 1024;

    private readonly DiskCache _disk = new(16_000_000);

    public void Dispose() => _disk.Dispose();

    [Fact]
    public async Task Any_byte_of_a_short_response_that_is_another_makes_it_unknown()
    {
        await _disk.Store.StoreAsync("key", Body(50), Head("a", "tag"));
        var length = new FileInfo(Assert.Single(_disk.Files)).Length;
        for (var i = 0; i < length; i++)
        {
            Flip(_disk.Files[0], i);
            Assert.Empty(await _disk.Store.FindAsync("key", default));
            Assert.Equal(i + 1, _disk.Store.DamagedCount);
            Assert.Empty(_disk.Files);
            Assert.Equal(0, _disk.Store.Size);
            await _disk.Store.StoreAsync("key", Body(50), Head("a", "tag"));
        }
        var warning = Assert.Single(_disk.Logs, record => record.Level == LogLevel.Warning); // not for each
        Assert.Equal(146, warning.Id.Id);
        _disk.Time.Advance(TimeSpan.FromMinutes(1));
        Flip(_disk.Files[0], 0);
        Assert.Empty(await _disk.Store.FindAsync("key", default));
        Assert.Contains($"so were {length - 1} since", _disk.Logs.Last(record => record.Level == LogLevel.Warning).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(111)]
    [InlineData(200)]
    public async Task A_short_response_that_is_cut_off_is_unknown(int length)
    {
        await _disk.Store.StoreAsync("key", Body(50));
        using (var file = File.OpenWrite(_disk.Files[0]))
            file.SetLength(length);
        Assert.Empty(await _disk.Store.FindAsync("key", default));

        await _disk.Store.StoreAsync("key", Body(50));
        _disk.Restart(() =>
        {
            using var file = File.OpenWrite(_disk.Files[0]);
            file.SetLength(length);
        });
        Assert.Empty(await _disk.Store.FindAsync("key", default));
        await _disk.Store.Listing;
        Assert.Empty(_disk.Files);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(Block - 4)] // a checksum
    [InlineData(Block + 7)]
    [InlineData(2 * Block + 100)]
    [InlineData(-1)]
    public async Task A_damaged_block_of_a_body_is_not_sent_but_those_before_it_are(int position)
    {
        var body = Body(3 * Block);
        await _disk.Store.StoreAsync("key", body);
        Flip(BodyFile, position < 0 ? new FileInfo(BodyFile).Length - 1 : position);

        using var opened = (await (await _disk.Store.FirstAsync("key"))!.OpenAsync(default))!;
        var sent = new MemoryStream();
        var target = PipeWriter.Create(sent);
        await Assert.ThrowsAnyAsync<IOException>(async () => await opened.CopyToAsync(target, 10, body.Length - 10, default));
        await target.FlushAsync();

        var good = position < 0 ? 3 * (Block - 4) : position / Block * (Block - 4);
        Assert.Equal(body[Math.Min(10, good)..good], sent.ToArray());
        Assert.Empty(await _disk.Store.FindAsync("key", default));
        Assert.Empty(_disk.Files);
        Assert.Equal(1, _disk.Store.DamagedCount);
        Assert.Equal(0, _disk.Store.Size);
    }

    [Fact]
    public async Task A_part_is_sent_though_another_is_damaged()
    {
        var body = Body(3 * Block);
        await _disk.Store.StoreAsync("key", body);
        Flip(BodyFile, Block + 7);

        using var opened = (await (await _disk.Store.FirstAsync("key"))!.OpenAsync(default))!;
        Assert.Equal(body[..1000], await opened.ReadAsync(0, 1000));
        Assert.Equal(body[(2 * Block)..], await opened.ReadAsync(2 * Block, Block));
    }

    [Fact]
    public async Task Blocks_in_another_s_place_are_found_out()
    {
        await _disk.Store.StoreAsync("key", Body(3 * Block));
        var file = File.ReadAllBytes(BodyFile);
        var first = file[..Block];
        file.AsSpan(Block, Block).CopyTo(file);
        first.CopyTo(file.AsSpan(Block));
        File.WriteAllBytes(BodyFile, file);

        await Assert.ThrowsAnyAsync<IOException>(() => _disk.Store.BodyAsync("key"));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(null)]
    public async Task A_body_of_another_length_or_none_at_all_is_not_opened(int? more)
    {
        await _disk.Store.StoreAsync("key", Body(3 * Block));
        if (more is null)
        {
            File.Delete(BodyFile);
        }
        else
        {
            using var file = File.OpenWrite(BodyFile);
            file.SetLength(file.Length + more.Value);
        }

        var found = await _disk.Store.FirstAsync("key");
        Assert.Null(await found!.OpenAsync(default));
        Assert.Null(await _disk.Store.FirstAsync("key"));
        Assert.Empty(_disk.Files);
        Assert.Equal(0, _disk.Store.Size);
    }

    [Fact]
    public async Task A_head_in_another_s_place_is_found_out()
    {
        await _disk.Store.StoreAsync("one", Body(10));
        var one = _disk.Files[0];
        await _disk.Store.StoreAsync("two", Body(10));
        var two = _disk.Files.Single(file => file != one);
        File.Copy(one, two, overwrite: true);

        Assert.Empty(await _disk.Store.FindAsync("two", default));
        Assert.Equal(Body(10), await _disk.Store.BodyAsync("one"));
    }

    [Fact]
    public async Task Files_of_another_version_are_unknown()
    {
        await _disk.Store.StoreAsync("key", Body(10));
        _disk.Restart(() =>
        {
            var file = File.ReadAllBytes(_disk.Files[0]);
            file[3]++;
            File.WriteAllBytes(_disk.Files[0], file);
        });
        Assert.Equal(0, await _disk.Store.PurgeAsync(new(CachePurgeKind.Prefix, "", Soft: false), default));
        Assert.Empty(_disk.Files);
    }

    private string BodyFile => _disk.Files.Single(file => file.EndsWith(".body", StringComparison.Ordinal));

    private static void Flip(string path, long position)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = position;
        var value = file.ReadByte();
        file.Position = position;
        file.WriteByte((byte)(value ^ 0x10));
    }
}
