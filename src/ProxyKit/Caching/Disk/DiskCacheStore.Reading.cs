using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace ProxyKit.Caching.Disk;

/// <content>Reading files, and finding out that they are not as they were written.</content>
internal sealed partial class DiskCacheStore
{
    /// <summary>Null when it is gone, or is not what its head says.</summary>
    public SafeFileHandle? OpenBody(DiskResponse response)
    {
        SafeFileHandle? file = null;
        try
        {
            file = DiskFolder.OpenRead(_folder!.BodyPath(response.Entry), FileOptions.Asynchronous);
            if (RandomAccess.GetLength(file) == DiskBlocks.FileLength(response.Length))
                return file;
            file.Dispose();
            Damaged(response.Entry, null);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            if (response.Entry.IsStored)
                Damaged(response.Entry, e);
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            file?.Dispose();
            Log.ReadFailed(e);
        }
        return null;
    }

    /// <summary>Removes what is not as it was written.</summary>
    public void Damaged(DiskEntry entry, Exception? exception)
    {
        lock (LockOf(entry.Hash.Shard))
        {
            if (!Remove(entry))
                return; // another has found it out, or it has been removed while it was read
        }
        Interlocked.Increment(ref _damaged);
        Log.Damaged(_folder!.HeadPath(entry), exception);
    }

    // Null when it is gone, or damaged, or cannot be read. With an empty key, the one in the file is told, and it does not count as used.
    private DiskResponse? Read(DiskEntry entry, ReadOnlySpan<char> key, out string? foundKey, bool isUnderLock = false)
    {
        foundKey = null;
        byte[]? buffer = null;
        try
        {
            using var file = DiskFolder.OpenRead(_folder!.HeadPath(entry), FileOptions.None);
            var length = (int)Math.Min(RandomAccess.GetLength(file), DiskHead.MaxLength + DiskHead.MaxInlineBody + 1);
            buffer = ArrayPool<byte>.Shared.Rent(length);
            var read = 0;
            while (read < length && RandomAccess.Read(file, buffer.AsSpan(read, length - read), read) is > 0 and var more)
                read += more;
            if (!DiskHead.TryRead(buffer.AsSpan(0, read), entry.Id, key, out foundKey, out var found) || (found.BodyStart == 0 && entry.BodyBlocks == 0))
            {
                Damaged(entry, null);
                return null;
            }
            if (entry.Tags is null)
                Index.SetTags(entry, found.Head.Tags);
            if (foundKey is null)
                Touch(entry, file);
            var inline = found.BodyStart == 0 ? null : buffer.AsSpan(found.BodyStart, (int)found.BodyLength).ToArray();
            var head = found.Stamp < _folder.InvalidBefore && !found.Head.IsInvalid ? found.Head with { IsInvalid = true } : found.Head;
            return new(this, entry, head, found.Stamp, found.BodyLength, inline);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            if (!entry.IsStored)
                return null;
            if (isUnderLock)
                Damaged(entry, e);
            else
                return ReadUnderLock(entry, key, out foundKey); // it is being updated
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            Log.ReadFailed(e);
        }
        finally
        {
            if (buffer is not null)
                ArrayPool<byte>.Shared.Return(buffer);
        }
        return null;
    }

    private DiskResponse? ReadUnderLock(DiskEntry entry, ReadOnlySpan<char> key, out string? foundKey)
    {
        lock (LockOf(entry.Hash.Shard))
            return Read(entry, key, out foundKey, isUnderLock: true);
    }

    // So that what is used much goes last also after the next start.
    private void Touch(DiskEntry entry, SafeFileHandle file)
    {
        var now = Now;
        if (now - entry.LastUse < UsePrecision || OperatingSystem.IsWindows())
            return;
        entry.LastUse = now;
        try
        {
            File.SetLastWriteTimeUtc(file, _time.GetUtcNow().UtcDateTime);
        }
        catch (Exception e) when (IsOfDisk(e))
        {
        }
    }
}
