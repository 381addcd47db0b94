namespace ProxyKit.Caching.Disk;

internal sealed partial class DiskCacheStore
{
    /// <remarks>
    /// All of them are one renamed folder, or one number in a file. A key is found by its hash. For a prefix every head is read, since keys are not kept in memory; for a tag those that
    /// nobody has asked for since the start, once.
    /// </remarks>
    public async ValueTask<long> PurgeAsync(CachePurge purge, CancellationToken cancellationToken)
    {
        if (TryOpen() is not { } folder)
            return 0;
        if (purge.Kind == CachePurgeKind.Key)
        {
            var hash = KeyHash.Of(purge.Value);
            EnsureListed(hash.Shard);
            return PurgeEach(Index.Peek(hash), purge, cancellationToken);
        }
        // It takes its time, and the thread's.
        return await Task.Run(async () =>
        {
            if (purge is { Kind: CachePurgeKind.All, Soft: false })
            {
                if (TryRemoveAll(folder) is { } all)
                    return all;
            }
            await Listing.WaitAsync(cancellationToken);
            if (purge is { Kind: CachePurgeKind.All, Soft: true })
            {
                folder.InvalidateAll();
                return Count;
            }
            if (purge.Kind != CachePurgeKind.Tag)
                return PurgeEach(Index.All(), purge, cancellationToken);
            foreach (var entry in Index.All())
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (entry.Tags is null)
                    Read(entry, default, out _);
            }
            return PurgeEach(Index.FindTag(purge.Value), purge, cancellationToken);
        }, cancellationToken);
    }

    private long PurgeEach(DiskEntry[] entries, CachePurge purge, CancellationToken cancellationToken)
    {
        long count = 0;
        foreach (var entry in entries)
        {
            cancellationToken.ThrowIfCancellationRequested();
            lock (LockOf(entry.Hash.Shard))
            {
                if (!entry.IsStored)
                    continue;
                // A file has to be read for its key, and for all else that stays in it.
                string? key = null;
                var stored = purge.Soft || purge.Kind == CachePurgeKind.Prefix ? Read(entry, default, out key) : null;
                if (purge.Kind == CachePurgeKind.Prefix && key?.StartsWith(purge.Value, StringComparison.Ordinal) != true)
                    continue;
                if (purge.Soft ? stored is not null && Invalidate(key!, stored) : Remove(entry))
                    count++;
            }
        }
        return count;
    }

    // Under the lock.
    private bool Invalidate(string key, DiskResponse stored)
    {
        try
        {
            // Where it cannot be written it cannot stay either.
            return Update(key, stored, stored.Head with { IsInvalid = true }) || Remove(stored.Entry);
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            Log.WriteFailed(e);
            return Remove(stored.Entry);
        }
    }

    // Null where a folder with open files in it cannot be renamed: Windows.
    private long? TryRemoveAll(DiskFolder folder)
    {
        long count;
        var taken = 0;
        try
        {
            foreach (var one in _locks)
            {
                one.Enter();
                taken++;
            }
            folder.TakeAllAway();
            count = Index.Clear();
            _generation++;
            Array.Fill(_isListed, true);
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            return null;
        }
        finally
        {
            while (taken > 0)
                _locks[--taken].Exit();
        }
        _clearing = Task.Run(() => EmptyTrash(folder));
        return count;
    }

    private void EmptyTrash(DiskFolder folder)
    {
        try
        {
            folder.EmptyTrash();
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            Log.WriteFailed(e);
        }
    }
}
