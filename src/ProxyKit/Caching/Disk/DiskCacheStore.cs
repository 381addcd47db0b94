using System.Buffers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ProxyKit.Caching.Disk;

/// <summary>
/// The store <c>Disk</c>. It touches no folder before it is used, or <see cref="Prepare"/>d. What is stored is found by name as soon as its folder has been listed, which whoever looks for
/// something there does himself if the start has not come to it yet. Each response's file is read when it is looked for, and checked then: a file that has been damaged is as good as none.
/// </summary>
/// <remarks>
/// Opening and reading files takes a thread in .NET on Unix, whether it is called asynchronous or not. So what is short is read by the thread that asks, without a detour.
/// </remarks>
internal sealed partial class DiskCacheStore : IProxyCacheStore, IDisposable
{
    private const uint UsePrecision = 3600; // in seconds: so exactly does the order of use survive a restart

    private readonly CacheLimits _limits;
    private readonly TimeProvider _time;
    private readonly Lock _opening = new();
    // One for some folders each: who changes what is under a key, or lists a folder. The index has a lock of its own, which is taken last.
    private readonly Lock[] _locks = [.. Enumerable.Range(0, 256).Select(_ => new Lock())];
    private readonly bool[] _isListed = new bool[KeyHash.Shards];
    private volatile DiskFolder? _folder;
    private Task _listing = Task.CompletedTask;
    private Task _clearing = Task.CompletedTask;
    private int _generation;
    private long _damaged;
    private volatile bool _isDisposed;

    public DiskCacheStore(IOptions<ReverseProxyOptions> options, ILoggerFactory loggers, TimeProvider time)
    {
        (_limits, _time) = (options.Value.Cache, time);
        Index = new(_limits.MaxDisk);
        Log = new(loggers, time);
    }

    public string Name => CacheStores.Disk;

    /// <summary>What is stored and what is being written takes so much of the disk, in bytes: files rounded up to blocks of 4 KB, folders not counted.</summary>
    public long Size => Index.Used;

    /// <summary>How many responses are stored.</summary>
    public int Count => Index.Count;

    /// <summary>How many responses were damaged.</summary>
    public long DamagedCount => Volatile.Read(ref _damaged);

    // What would take a good part of all that there is would throw out too much of the rest.
    public long MaxLength => _limits.MaxDisk / 4;

    public DiskIndex Index { get; }

    public DiskLog Log { get; }

    /// <summary>Ends when all folders have been listed.</summary>
    public Task Listing => _listing;

    /// <summary>Ends when what was purged is gone from the disk.</summary>
    public Task Clearing => _clearing;

    /// <summary>
    /// Takes the folder for this process, and begins to list what is stored there; returns the folder. Throws <see cref="IOException"/>, <see cref="UnauthorizedAccessException"/>,
    /// <see cref="ArgumentException"/> or <see cref="NotSupportedException"/>, with a message for operators.
    /// </summary>
    public string Prepare() => (_folder ?? Open()).Root;

    public ValueTask<IReadOnlyList<CachedResponse>> FindAsync(ReadOnlySpan<char> key, CancellationToken cancellationToken)
    {
        if (TryOpen() is null)
            return new([]);
        var hash = KeyHash.Of(key);
        EnsureListed(hash.Shard);
        for (var tries = 0; ; tries++)
        {
            var entries = Index.Use(hash);
            if (entries.Length == 0)
                return new([]);
            var found = new List<CachedResponse>(entries.Length);
            var isOutdated = false;
            foreach (var entry in entries)
            {
                if (Read(entry, key, out _) is { } response)
                    found.Add(response);
                else
                    isOutdated |= !entry.IsStored;
            }
            // What was replaced between the two may have gone, and its successor not have been looked for.
            if (!isOutdated || tries == 3)
                return new(found);
        }
    }

    public ValueTask<CacheWriter?> CreateAsync(string key, CachedResponseHead head, long? length, int maxVariants, CancellationToken cancellationToken)
    {
        if (length > MaxLength || TryOpen() is not { } folder)
            return new((CacheWriter?)null);
        var hash = KeyHash.Of(key);
        EnsureListed(hash.Shard);
        var entry = new DiskEntry(hash, folder.NextId(), KeyHash.Of(head.VariantKey).High);
        return new(new DiskWriter(this, entry, key, head, maxVariants, length, Volatile.Read(ref _generation)));
    }

    public ValueTask UpdateAsync(string key, CachedResponse response, CachedResponseHead head, CancellationToken cancellationToken)
    {
        if (response is DiskResponse stored && _folder is not null)
        {
            try
            {
                lock (LockOf(stored.Entry.Hash.Shard))
                    Update(key, stored, head);
            }
            catch (Exception e) when (IsOfDisk(e))
            {
                Log.WriteFailed(e);
            }
        }
        return default;
    }

    public ValueTask RemoveAsync(string key, CachedResponse response, CancellationToken cancellationToken)
    {
        if (response is DiskResponse stored && _folder is not null)
        {
            lock (LockOf(stored.Entry.Hash.Shard))
            {
                if (IsCurrent(stored))
                    Remove(stored.Entry);
            }
        }
        return default;
    }

    public void Dispose()
    {
        lock (_opening)
            _isDisposed = true;
        // It removes what belongs to nobody; by then the folder may belong to somebody else.
        _listing.Wait();
        _folder?.Dispose();
    }

    /// <summary>Puts a response that has been written into the place of those with its variant, and makes room for it.</summary>
    public bool Commit(DiskWriter writer, ReadOnlySpan<byte> body)
    {
        var folder = _folder!;
        var entry = writer.Entry;
        entry.Stamp = folder.NextId();
        if (DiskHead.Write(writer.Key, writer.Head, entry.Id, entry.Stamp, writer.Length, entry.BodyBlocks == 0, body, out var length) is not { } file)
            return false;
        entry.HeadBlocks = DiskEntry.BlocksOf(length);
        entry.LastUse = Now;
        var size = DiskEntry.DiskBlock * (long)entry.HeadBlocks;
        var isStored = false;
        try
        {
            if (!TryReserve(size))
                return false;
            var temp = folder.WriteTemp(entry, file.AsSpan(0, length));
            List<DiskEntry> removed = [];
            lock (LockOf(entry.Hash.Shard))
            {
                // What was begun before everything was purged is not stored: its body has been purged, and it may be what was to go.
                if (writer.Generation != _generation || _isDisposed)
                {
                    DiskFolder.TryDelete(temp);
                    return false;
                }
                Place(temp, folder.HeadPath(entry));
                Index.Add(entry, writer.Head.Tags, writer.MaxVariants, removed);
                isStored = true;
                foreach (var other in removed)
                    Delete(other);
            }
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(file);
            if (!isStored)
                Index.Release(size);
        }
    }

    /// <summary>Takes room on disk for what is about to be written.</summary>
    public bool TryReserve(long bytes)
    {
        List<DiskEntry> evicted = [];
        var isReserved = Index.TryReserve(bytes, evicted);
        foreach (var entry in evicted)
            Delete(entry);
        return isReserved;
    }

    public FileStream CreateBody(DiskEntry entry) => DiskFolder.Create(_folder!.BodyPath(entry));

    public void RemoveBody(DiskEntry entry) => DiskFolder.TryDelete(_folder!.BodyPath(entry));

    /// <summary>What can go wrong with files, and is not our fault.</summary>
    public static bool IsOfDisk(Exception e) => e is IOException or UnauthorizedAccessException;

    private uint Now => (uint)_time.GetUtcNow().ToUnixTimeSeconds();

    private Lock LockOf(int shard) => _locks[shard % 256];

    // Under the lock.
    private bool Update(string key, DiskResponse stored, CachedResponseHead head)
    {
        var folder = _folder!;
        var entry = stored.Entry;
        if (!IsCurrent(stored))
            return false;
        var stamp = folder.NextId();
        if (DiskHead.Write(key, head, entry.Id, stamp, stored.Length, stored.Inline is not null, stored.Inline, out var length) is not { } file)
        {
            Remove(entry);
            return false;
        }
        var blocks = DiskEntry.BlocksOf(length);
        var size = DiskEntry.DiskBlock * (long)blocks;
        var isUpdated = false;
        try
        {
            if (!TryReserve(size))
                return false;
            var (temp, path) = (folder.WriteTemp(entry, file.AsSpan(0, length)), folder.HeadPath(entry));
            try
            {
                // Removed first: ext4 writes a file to the disk at once when it is renamed over another, which takes longer. After a crash here there is none.
                DiskFolder.TryDelete(path);
                Place(temp, path);
            }
            catch
            {
                Remove(entry);
                throw;
            }
            isUpdated = Index.Update(entry, blocks, stamp, head.Tags);
            if (!isUpdated)
                DeleteFiles(entry); // it had to make room for itself, or for another
            return isUpdated;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(file);
            if (!isUpdated)
                Index.Release(size);
        }
    }

    // Under the lock. What was read before somebody else wrote another head is not stored any more.
    private bool IsCurrent(DiskResponse stored) =>
        stored.Entry.IsStored && (stored.Entry.Stamp == 0 || stored.Entry.Stamp == stored.Stamp) && (stored.Head.IsInvalid || stored.Stamp >= _folder!.InvalidBefore);

    // Under the lock.
    private bool Remove(DiskEntry entry)
    {
        if (!Index.Remove(entry))
            return false;
        Delete(entry);
        return true;
    }

    // What is in no index any more.
    private void Delete(DiskEntry entry)
    {
        if (!DeleteFiles(entry))
            Index.NotRemoved(entry);
    }

    // The head first: a body without one is removed at the next start.
    private bool DeleteFiles(DiskEntry entry) =>
        DiskFolder.TryDelete(_folder!.HeadPath(entry)) & (entry.BodyBlocks == 0 || DiskFolder.TryDelete(_folder!.BodyPath(entry)));

    private static void Place(string temp, string path)
    {
        try
        {
            File.Move(temp, path, overwrite: true);
        }
        catch
        {
            DiskFolder.TryDelete(temp);
            throw;
        }
    }
}
