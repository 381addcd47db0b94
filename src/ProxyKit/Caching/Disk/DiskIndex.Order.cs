namespace ProxyKit.Caching.Disk;

/// <content>The order of use, and what goes first by it.</content>
internal sealed partial class DiskIndex
{
    /// <summary>Puts what was there before the process started, and has not been used since, in the order in which it was used then.</summary>
    public void SortThoseFromBefore()
    {
        var sorted = Array.FindAll(All(), entry => entry.IsFromBefore);
        Array.Sort(sorted, static (a, b) => b.LastUse.CompareTo(a.LastUse));
        lock (_lock)
        {
            foreach (var entry in sorted)
            {
                if (!entry.IsStored || !entry.IsFromBefore || entry == _oldest)
                    continue;
                Unlink(entry);
                (entry.Newer, entry.Older) = (_oldest, null);
                if (_oldest is { } oldest)
                    oldest.Older = entry;
                else
                    _newest = entry;
                _oldest = entry;
            }
        }
    }

    private void Evict(List<DiskEntry> evicted)
    {
        while (_used > limit && _oldest is { } oldest)
        {
            RemoveStored(oldest);
            evicted.Add(oldest);
        }
    }

    private void LinkNewest(DiskEntry entry)
    {
        (entry.Older, entry.Newer) = (_newest, null);
        if (_newest is { } newest)
            newest.Newer = entry;
        else
            _oldest = entry;
        _newest = entry;
    }

    private void Unlink(DiskEntry entry)
    {
        if (entry.Older is { } older)
            older.Newer = entry.Newer;
        else
            _oldest = entry.Newer;
        if (entry.Newer is { } newer)
            newer.Older = entry.Older;
        else
            _newest = entry.Older;
        (entry.Older, entry.Newer) = (null, null);
    }
}
