using System.Diagnostics.CodeAnalysis;

namespace ProxyKit.Caching.Disk;

/// <summary>
/// What is on disk: by key, by tag, in the order of use; and how much of the disk it takes together with what is being written. It knows nothing of files: whoever takes something out of it
/// removes them then.
/// </summary>
internal sealed partial class DiskIndex(long limit)
{
    private readonly Lock _lock = new();
    // The newest response of each key; the others hang on it.
    private readonly HashSet<DiskEntry> _keys = new(ByHash.Instance);
    private readonly Dictionary<string, DiskTag> _tags = new(StringComparer.Ordinal);
    private DiskEntry? _oldest, _newest;
    private int _count;
    private long _stored; // of _used, what can be evicted
    private long _used;

    /// <summary>What is stored and what is being written takes so much of the disk, in bytes.</summary>
    public long Used => Volatile.Read(ref _used);

    /// <summary>How many responses are stored.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>The responses under a key, the newest first. They count as used.</summary>
    public DiskEntry[] Use(KeyHash hash)
    {
        lock (_lock)
        {
            var found = Find(hash);
            foreach (var entry in found)
            {
                entry.IsFromBefore = false;
                if (entry == _newest)
                    continue;
                Unlink(entry);
                LinkNewest(entry);
            }
            return found;
        }
    }

    public DiskEntry[] Peek(KeyHash hash)
    {
        lock (_lock)
            return Find(hash);
    }

    public DiskEntry[] All()
    {
        lock (_lock)
        {
            var all = new DiskEntry[_count];
            var i = 0;
            for (var entry = _oldest; entry is not null; entry = entry.Newer)
                all[i++] = entry;
            return all;
        }
    }

    /// <summary>Takes room on disk for what is about to be written, if need be from what has not been used for the longest time.</summary>
    /// <param name="bytes">How much.</param>
    /// <param name="evicted">Is given what has to be removed from the disk before anything is written.</param>
    /// <returns>False when what others are writing takes all.</returns>
    public bool TryReserve(long bytes, List<DiskEntry> evicted)
    {
        lock (_lock)
        {
            if (_used - _stored + bytes > limit)
                return false;
            _used += bytes;
            Evict(evicted);
            return true;
        }
    }

    /// <summary>Evicts what is above the limit.</summary>
    public void Trim(List<DiskEntry> evicted)
    {
        lock (_lock)
            Evict(evicted);
    }

    /// <summary>Gives back what was reserved.</summary>
    public void Release(long bytes)
    {
        lock (_lock)
            _used -= bytes;
    }

    /// <summary>What should have been removed from the disk is still there.</summary>
    public void NotRemoved(DiskEntry entry)
    {
        lock (_lock)
            _used += entry.Size;
    }

    /// <summary>A response that has been written, and for which room was reserved. It takes the place of those with its variant; what else is too many, the oldest, goes too.</summary>
    public void Add(DiskEntry entry, ValueList<string> tags, int maxVariants, List<DiskEntry> removed)
    {
        lock (_lock)
        {
            var count = 1;
            foreach (var other in Find(entry.Hash))
            {
                if (other.Variant != entry.Variant && ++count <= maxVariants)
                    continue;
                RemoveStored(other);
                removed.Add(other);
            }
            Insert(entry);
            LinkNewest(entry);
            SetTagsOf(entry, tags);
        }
    }

    /// <summary>A response that was there before the process started.</summary>
    public void AddFromBefore(DiskEntry entry)
    {
        lock (_lock)
        {
            entry.IsFromBefore = true;
            Insert(entry);
            _used += entry.Size;
            (entry.Newer, _oldest) = (_oldest, entry);
            if (entry.Newer is { } newer)
                newer.Older = entry;
            else
                _newest = entry;
        }
    }

    /// <summary>Another head has been written for a response; room was reserved for it.</summary>
    /// <returns>False when it has been removed meanwhile: then its files must not stay.</returns>
    public bool Update(DiskEntry entry, uint headBlocks, long stamp, ValueList<string> tags)
    {
        lock (_lock)
        {
            if (!entry.IsStored)
                return false;
            _used -= DiskEntry.DiskBlock * (long)entry.HeadBlocks;
            _stored += DiskEntry.DiskBlock * ((long)headBlocks - entry.HeadBlocks);
            (entry.HeadBlocks, entry.Stamp) = (headBlocks, stamp);
            SetTagsOf(entry, tags);
            return true;
        }
    }

    /// <returns>False if it was not stored any more.</returns>
    public bool Remove(DiskEntry entry)
    {
        lock (_lock)
        {
            if (!entry.IsStored)
                return false;
            RemoveStored(entry);
            return true;
        }
    }

    /// <returns>How many there were.</returns>
    public int Clear()
    {
        lock (_lock)
        {
            for (var entry = _oldest; entry is not null; entry = entry.Newer)
                entry.IsStored = false;
            var count = _count;
            _keys.Clear();
            _keys.TrimExcess();
            _tags.Clear();
            (_oldest, _newest, _count) = (null, null, 0);
            _used -= _stored;
            _stored = 0;
            return count;
        }
    }

    private DiskEntry[] Find(KeyHash hash)
    {
        if (!_keys.GetAlternateLookup<KeyHash>().TryGetValue(hash, out var newest))
            return [];
        if (newest.Sibling is null)
            return [newest];
        var all = new List<DiskEntry>();
        for (var entry = newest; entry is not null; entry = entry.Sibling)
            all.Add(entry);
        return [.. all];
    }

    // Among those of its key, in the order of their ids; that is but for two that were written side by side the order in which they were stored.
    private void Insert(DiskEntry entry)
    {
        entry.IsStored = true;
        _count++;
        _stored += entry.Size;
        if (!_keys.TryGetValue(entry, out var newest))
        {
            _keys.Add(entry);
            return;
        }
        if (entry.Id > newest.Id)
        {
            _keys.Remove(newest);
            entry.Sibling = newest;
            _keys.Add(entry);
            return;
        }
        while (newest.Sibling is { } next && next.Id > entry.Id)
            newest = next;
        (entry.Sibling, newest.Sibling) = (newest.Sibling, entry);
    }

    private void RemoveStored(DiskEntry entry)
    {
        entry.IsStored = false;
        _count--;
        _stored -= entry.Size;
        _used -= entry.Size;
        _keys.TryGetValue(entry, out var newest);
        if (newest == entry)
        {
            _keys.Remove(entry);
            if (entry.Sibling is { } next)
                _keys.Add(next);
        }
        else
        {
            while (newest!.Sibling != entry)
                newest = newest.Sibling!;
            newest.Sibling = entry.Sibling;
        }
        entry.Sibling = null;
        Unlink(entry);
        ClearTags(entry);
    }

    private sealed class ByHash : IEqualityComparer<DiskEntry>, IAlternateEqualityComparer<KeyHash, DiskEntry>
    {
        public static readonly ByHash Instance = new();

        public bool Equals(DiskEntry? x, DiskEntry? y) => x!.Hash == y!.Hash;

        public int GetHashCode([DisallowNull] DiskEntry entry) => (int)entry.Hash.Low;

        public bool Equals(KeyHash alternate, DiskEntry other) => alternate == other.Hash;

        public int GetHashCode(KeyHash alternate) => (int)alternate.Low;

        public DiskEntry Create(KeyHash alternate) => throw new NotSupportedException();
    }
}
