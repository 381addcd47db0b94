namespace ProxyKit.Caching.Disk;

/// <content>Taking the folder, and listing what is stored there.</content>
internal sealed partial class DiskCacheStore
{
    private DiskFolder? TryOpen()
    {
        try
        {
            return _folder ?? Open();
        }
        catch (Exception e) when (IsOfDisk(e) || e is ArgumentException or NotSupportedException or ObjectDisposedException)
        {
            Log.ReadFailed(e);
            return null;
        }
    }

    private DiskFolder Open()
    {
        lock (_opening)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_folder is { } opened)
                return opened;
            if (string.IsNullOrEmpty(_limits.Directory))
                throw new ArgumentException("No folder is given.");
            var folder = DiskFolder.Open(_limits.Directory, _time);
            var listing = new Task(() => ListAll(folder), TaskCreationOptions.LongRunning);
            (_listing, _folder) = (listing, folder);
            listing.Start(TaskScheduler.Default);
            return folder;
        }
    }

    private void ListAll(DiskFolder folder)
    {
        for (var shard = 0; shard < KeyHash.Shards && !_isDisposed; shard++)
            EnsureListed(shard);
        Index.SortThoseFromBefore();
        TryReserve(0);
        Log.DiskCacheRead(folder.Root, Count, Size);
        _clearing = Task.Run(() => EmptyTrash(folder));
    }

    private void EnsureListed(int shard)
    {
        if (Volatile.Read(ref _isListed[shard]))
            return;
        lock (LockOf(shard))
        {
            if (_isListed[shard])
                return;
            try
            {
                foreach (var entry in _folder!.ReadShard(shard))
                    Index.AddFromBefore(entry);
            }
            catch (Exception e) when (IsOfDisk(e))
            {
                Log.ReadFailed(e);
            }
            Volatile.Write(ref _isListed[shard], true);
        }
    }
}
