using System.Runtime.Versioning;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyKit.Caching.Disk;
using static ProxyKit.Tests.Caching.Disk.Responses;

namespace ProxyKit.Tests.Caching.Disk;

/// <summary>The folder of the disk cache: what is in it, what survives a restart, what a crash leaves.</summary>
public sealed class DiskCacheStoreTests : IDisposable
{
    private readonly DiskCache _disk = new(16_000_000);

    public void Dispose() => _disk.Dispose();

    [Fact]
    public void It_is_registered_and_touches_nothing_before_it_is_used()
    {
        using var services = new ServiceCollection().AddReverseProxy(options => options.Cache.Directory = _disk.Parent).Services.BuildServiceProvider();

        Assert.Contains(services.GetServices<IProxyCacheStore>(), store => store.Name == "Disk");
        Assert.Empty(Directory.GetFileSystemEntries(_disk.Parent));
    }

    [Fact]
    public async Task Responses_survive_a_restart()
    {
        await _disk.Store.StoreAsync("small", Body(100), Head("small"));
        await _disk.Store.StoreAsync("large", Body(300_000), Variant("de", "de"));
        await _disk.Store.StoreAsync("large", Body(200_000, 2), Variant("en", "en"));
        var (count, size) = (_disk.Store.Count, _disk.Store.Size);

        _disk.Restart();

        // At once: whatever the start has not come to yet is found as well.
        Assert.Equal(["en", "de"], await _disk.Store.NamesAsync("large"));
        Assert.Equal(Body(200_000, 2), await _disk.Store.BodyAsync("large"));
        Assert.Equal(Body(100), await _disk.Store.BodyAsync("small"));
        await _disk.Store.Listing;
        Assert.Equal((count, size), (_disk.Store.Count, _disk.Store.Size));
        Assert.Equal(_disk.SizeOnDisk, size);
        Assert.Equal(0, _disk.Store.DamagedCount);
    }

    [Theory]
    [InlineData(CachePurgeKind.All, false)]
    [InlineData(CachePurgeKind.All, true)]
    [InlineData(CachePurgeKind.Key, false)]
    [InlineData(CachePurgeKind.Key, true)]
    [InlineData(CachePurgeKind.Prefix, false)]
    [InlineData(CachePurgeKind.Prefix, true)]
    [InlineData(CachePurgeKind.Tag, false)]
    [InlineData(CachePurgeKind.Tag, true)]
    public async Task A_purge_finds_what_was_stored_before_a_restart_and_outlives_one(CachePurgeKind kind, bool soft)
    {
        await _disk.Store.StoreAsync("key", Body(100), Head("a", "key"));
        await _disk.Store.StoreAsync("other", Body(100), Head("b", "other"));
        _disk.Restart();

        Assert.Equal(kind == CachePurgeKind.All ? 2 : 1, await PurgeAsync());
        _disk.Restart();

        var found = await _disk.Store.FirstAsync("key");
        Assert.Equal(soft, found is not null);
        Assert.True(found?.Head.IsInvalid ?? true);
        var other = await _disk.Store.FirstAsync("other");
        Assert.Equal(soft || kind != CachePurgeKind.All, other is not null);
        Assert.Equal(soft && kind == CachePurgeKind.All, other?.Head.IsInvalid ?? false);

        async Task<long> PurgeAsync()
        {
            await _disk.Store.Listing; // else what is purged as a whole is not counted
            return await _disk.Store.PurgeAsync(new(kind, "key", soft), default);
        }
    }

    [Fact]
    public async Task What_a_crash_leaves_is_cleared_and_what_is_whole_stays()
    {
        await _disk.Store.StoreAsync("key", Body(100_000));
        var folder = Path.GetDirectoryName(_disk.Files[0])!;
        var head = _disk.Files[0];
        Assert.EndsWith(".body", _disk.Files[1], StringComparison.Ordinal);
        await _disk.Store.StoreAsync("short", Body(10));

        _disk.Restart(() =>
        {
            File.WriteAllBytes(head + ".1.tmp", File.ReadAllBytes(head)); // before its renaming
            File.WriteAllText(Path.Combine(folder, new string('0', 32) + "-0000000000000001-0000000000000001.body"), "begun");
            File.WriteAllText(Path.Combine(folder, "state"), "");
            Directory.CreateDirectory(Path.Combine(_disk.Folder, "trash-1", "entries"));
            File.WriteAllText(Path.Combine(_disk.Folder, "trash-1", "entries", "x"), "purged");
        });
        await _disk.Store.StoreAsync("new", Body(10));
        await _disk.Store.Listing;
        await _disk.Store.Clearing;

        Assert.Equal(4, _disk.Files.Length);
        Assert.Equal(["entries", "lock", "state"], Directory.GetFileSystemEntries(_disk.Folder).Select(Path.GetFileName).Order());
        Assert.Equal(Body(100_000), await _disk.Store.BodyAsync("key"));
        Assert.Equal(_disk.SizeOnDisk, _disk.Store.Size);
    }

    [Fact]
    public async Task A_crash_between_a_commit_and_the_removal_of_what_it_replaces_leaves_the_newer_one()
    {
        await _disk.Store.StoreAsync("key", Body(100_000, 1), Head("old"));
        var old = _disk.Files.ToDictionary(file => file, File.ReadAllBytes);
        await _disk.Store.StoreAsync("key", Body(100_000, 2), Head("new"));

        _disk.Restart(() =>
        {
            foreach (var (file, bytes) in old)
                File.WriteAllBytes(file, bytes);
        });
        await _disk.Store.Listing;

        Assert.Equal(["new"], await _disk.Store.NamesAsync("key"));
        Assert.Equal(Body(100_000, 2), await _disk.Store.BodyAsync("key"));
        Assert.Equal(2, _disk.Files.Length);
        Assert.Equal(_disk.SizeOnDisk, _disk.Store.Size);
    }

    [Fact]
    public async Task Everything_is_purged_at_once_and_what_was_on_its_way_is_not_stored()
    {
        await _disk.Store.StoreAsync("key", Body(100_000));
        await using var writer = (await _disk.Store.CreateAsync("key", Head(), null, 32, default))!;
        await writer.WriteAsync(Body(200_000), default);

        Assert.Equal(1, await _disk.Store.PurgeAsync(new(CachePurgeKind.All, "", Soft: false), default));
        await _disk.Store.Clearing;
        Assert.Empty(_disk.Files);

        Assert.False(await writer.CommitAsync(default));
        Assert.Equal(Body(200_000), await writer.ReadAsync(0, 200_000));
        await writer.DisposeAsync();
        Assert.Equal(0, _disk.Store.Size);
        await _disk.Store.StoreAsync("key", Body(100_000));
        Assert.Equal(Body(100_000), await _disk.Store.BodyAsync("key"));
        Assert.Equal(["entries", "lock", "state"], Directory.GetFileSystemEntries(_disk.Folder).Select(Path.GetFileName).Order());
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public async Task Folder_and_files_are_for_their_owner_only()
    {
        await _disk.Store.StoreAsync("key", Body(100_000));

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_disk.Folder));
        Assert.All(Directory.GetDirectories(_disk.Folder, "*", SearchOption.AllDirectories), d => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(d)));
        Assert.All(Directory.GetFiles(_disk.Folder, "*", SearchOption.AllDirectories), f => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(f)));
    }

    [Fact]
    public void A_folder_that_another_process_uses_or_that_cannot_be_made_is_an_error_that_says_so()
    {
        Assert.Equal(_disk.Folder, _disk.Store.Prepare());
        using var other = _disk.Create();
        Assert.Contains($"'{_disk.Folder}' is in use by another process", Assert.Throws<IOException>(other.Prepare).Message, StringComparison.Ordinal);

        _disk.Store.Dispose();
        Assert.Equal(_disk.Folder, other.Prepare());
    }

    [Fact]
    public async Task Without_a_folder_nothing_is_stored_and_it_is_said_once()
    {
        File.WriteAllText(_disk.Folder, "in the way");

        Assert.ThrowsAny<IOException>(_disk.Store.Prepare);
        for (var i = 0; i < 3; i++)
        {
            Assert.False(await _disk.Store.StoreAsync("key", Body(10)));
            Assert.Empty(await _disk.Store.FindAsync("key", default));
        }
        Assert.Single(_disk.Logs, record => record.Level == LogLevel.Warning);
    }

    [Fact]
    public async Task A_disk_that_cannot_be_written_to_costs_the_entry_only()
    {
        await _disk.Store.StoreAsync("key", Body(10));
        await using var writer = (await _disk.Store.CreateAsync("large", Head(), null, 32, default))!;
        await writer.WriteAsync(Body(50_000), default);
        Directory.Delete(_disk.Entries, recursive: true);
        File.WriteAllText(_disk.Entries, "in the way");

        await Assert.ThrowsAsync<IOException>(async () => await writer.WriteAsync(Body(50_000), default));
        await Assert.ThrowsAsync<IOException>(async () => await writer.WriteAsync(Body(10), default));
        Assert.Equal(Body(50_000), await writer.ReadAsync(0, 50_000));
        Assert.False(await writer.CommitAsync(default));
        Assert.False(await _disk.Store.StoreAsync("short", Body(10)));
        await writer.DisposeAsync();
        Assert.Equal(147, Assert.Single(_disk.Logs, record => record.Level == LogLevel.Warning).Id.Id);

        File.Delete(_disk.Entries);
        Assert.True(await _disk.Store.StoreAsync("large", Body(100_000)));
        Assert.Equal(Body(100_000), await _disk.Store.BodyAsync("large"));
        await _disk.Store.FindAsync("key", default); // gone with its folder
        Assert.Equal(_disk.SizeOnDisk, _disk.Store.Size);
    }

    [Fact]
    public async Task A_state_that_is_damaged_does_not_make_old_names_new_again()
    {
        await _disk.Store.StoreAsync("key", Body(10), Head("old"));
        _disk.Time.Advance(TimeSpan.FromSeconds(1));
        _disk.Restart(() => File.WriteAllText(Path.Combine(_disk.Folder, "state"), "rubbish"));
        await _disk.Store.StoreAsync("key", Body(10), Variant("de", "new"));

        Assert.Equal(["new", "old"], await _disk.Store.NamesAsync("key"));
    }
}
