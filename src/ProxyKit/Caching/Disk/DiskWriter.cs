using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;

namespace ProxyKit.Caching.Disk;

/// <summary>
/// A response on its way to the disk. The block that is being filled is in memory, those before it are in a file, which nothing leads to before the head is written: what a crash leaves of
/// it is removed at the next start. A short body never sees a file of its own.
/// </summary>
internal sealed class DiskWriter(DiskCacheStore store, DiskEntry entry, string key, CachedResponseHead head, int maxVariants, long? length, int generation) : CacheWriter
{
    private readonly Lock _lock = new();
    private byte[] _block = [];
    private int _used; // of the block
    private long _inFile;
    private FileStream? _file;
    private long _reserved;
    private bool _hasFailed;
    private bool _isCommitted;

    public DiskEntry Entry => entry;

    public string Key => key;

    public CachedResponseHead Head => head;

    public int MaxVariants => maxVariants;

    /// <summary>How often everything had been purged when it began.</summary>
    public int Generation => generation;

    public long Length => _inFile + _used;

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (_hasFailed)
            throw new IOException("The disk cache could not be written to before.");
        if (Length + bytes.Length > Math.Min(store.MaxLength, length ?? long.MaxValue))
            throw new IOException("The response is longer than what the disk cache takes of one.");
        if (_block.Length == 0)
            _block = ArrayPool<byte>.Shared.Rent(DiskBlocks.BlockLength);
        if (bytes.Length > DiskBlocks.Payload - _used)
            return WriteThroughAsync(bytes);
        Append(bytes.Span);
        return default;
    }

    public override async ValueTask CopyToAsync(PipeWriter target, long offset, long count, CancellationToken cancellationToken)
    {
        while (count > 0)
        {
            if (CopyBlock(target, offset, count, out var inFile) is > 0 and var copied)
            {
                offset += copied;
                count -= copied;
                DiskBlocks.ThrowIfEnded(await target.FlushAsync(cancellationToken), cancellationToken);
                continue;
            }
            var part = Math.Min(count, inFile - offset);
            Debug.Assert(part > 0, "not written yet");
            await DiskBlocks.CopyAsync(_file!.SafeFileHandle, entry.Id, inFile, target, offset, part, cancellationToken);
            offset += part;
            count -= part;
        }
    }

    public override async ValueTask<bool> CommitAsync(CancellationToken cancellationToken)
    {
        if (_hasFailed || _isCommitted)
            return false;
        var isInline = Length <= DiskHead.MaxInlineBody;
        try
        {
            if (!isInline)
            {
                if (!await TryWriteBlockAsync(_used + DiskBlocks.ChecksumLength))
                    return false;
                entry.BodyBlocks = DiskEntry.BlocksOf(DiskBlocks.FileLength(Length));
            }
            _isCommitted = store.Commit(this, _block.AsSpan(0, isInline ? _used : 0));
        }
        catch (Exception e) when (DiskCacheStore.IsOfDisk(e))
        {
            Failed(e);
        }
        if (_isCommitted)
            _reserved = 0; // it is the entry's now
        return _isCommitted;
    }

    public override ValueTask DisposeAsync()
    {
        if (_file is { } file)
        {
            _file = null;
            file.Dispose();
            if (!_isCommitted)
                store.RemoveBody(entry);
        }
        store.Index.Release(_reserved);
        _reserved = 0;
        if (_block.Length > 0)
            ArrayPool<byte>.Shared.Return(_block);
        _block = [];
        return default;
    }

    private async ValueTask WriteThroughAsync(ReadOnlyMemory<byte> bytes)
    {
        while (true)
        {
            var piece = bytes[..Math.Min(bytes.Length, DiskBlocks.Payload - _used)];
            Append(piece.Span);
            bytes = bytes[piece.Length..];
            if (bytes.IsEmpty)
                return;
            bool isWritten;
            try
            {
                isWritten = await TryWriteBlockAsync(DiskBlocks.BlockLength);
            }
            catch (Exception e) when (DiskCacheStore.IsOfDisk(e))
            {
                Failed(e);
                throw new IOException("The disk cache could not be written to.", e);
            }
            if (!isWritten)
            {
                _hasFailed = true;
                throw new IOException("What is being written takes all that the disk cache may.");
            }
            // From now on readers find it in the file.
            lock (_lock)
            {
                _inFile += DiskBlocks.Payload;
                _used = 0;
            }
        }
    }

    // False when there is no room.
    private async ValueTask<bool> TryWriteBlockAsync(int count)
    {
        var size = DiskEntry.DiskBlock * (long)DiskEntry.BlocksOf(count);
        if (!store.TryReserve(size))
            return false;
        _reserved += size;
        _file ??= store.CreateBody(entry);
        var number = _inFile / DiskBlocks.Payload;
        DiskBlocks.Seal(_block, count - DiskBlocks.ChecksumLength, entry.Id, number);
        await RandomAccess.WriteAsync(_file.SafeFileHandle, _block.AsMemory(0, count), number * DiskBlocks.BlockLength, CancellationToken.None);
        return true;
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_block.AsSpan(_used));
        lock (_lock)
            _used += bytes.Length;
    }

    // Of what is not in the file yet.
    private int CopyBlock(PipeWriter target, long offset, long count, out long inFile)
    {
        lock (_lock)
        {
            inFile = _inFile;
            if (offset < inFile)
                return 0;
            var start = (int)(offset - inFile);
            var length = (int)Math.Min(count, _used - start);
            target.Write(_block.AsSpan(start, length));
            return length;
        }
    }

    private void Failed(Exception exception)
    {
        _hasFailed = true;
        store.Log.WriteFailed(exception);
    }
}
