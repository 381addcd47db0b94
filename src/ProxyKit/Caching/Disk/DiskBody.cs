using System.IO.Pipelines;
using Microsoft.Win32.SafeHandles;

namespace ProxyKit.Caching.Disk;

/// <summary>A stored response as its file was when it was looked for.</summary>
internal sealed class DiskResponse(DiskCacheStore store, DiskEntry entry, CachedResponseHead head, long stamp, long length, byte[]? inline) : CachedResponse(head)
{
    public DiskEntry Entry => entry;

    /// <summary>Which head it is.</summary>
    public long Stamp => stamp;

    /// <summary>The body, if it is in the head's file.</summary>
    public byte[]? Inline => inline;

    public override long Length => length;

    public override ValueTask<CachedBody?> OpenAsync(CancellationToken cancellationToken) =>
        inline is not null ? new(new InlineBody(inline)) : new(store.OpenBody(this) is { } file ? new DiskBody(store, entry, file, length) : null);
}

/// <summary>A body in a file of its own. The file stays open, so that it can be read to its end when it has been removed.</summary>
internal sealed class DiskBody(DiskCacheStore store, DiskEntry entry, SafeFileHandle file, long length) : CachedBody
{
    public override async ValueTask CopyToAsync(PipeWriter target, long offset, long count, CancellationToken cancellationToken)
    {
        try
        {
            await DiskBlocks.CopyAsync(file, entry.Id, length, target, offset, count, cancellationToken);
        }
        catch (DiskDamageException e)
        {
            store.Damaged(entry, e);
            throw;
        }
    }

    protected override void Dispose(bool disposing) => file.Dispose();
}

/// <summary>A body that came with its head.</summary>
internal sealed class InlineBody(byte[] body) : CachedBody
{
    public override async ValueTask CopyToAsync(PipeWriter target, long offset, long count, CancellationToken cancellationToken) =>
        DiskBlocks.ThrowIfEnded(await target.WriteAsync(body.AsMemory((int)offset, (int)count), cancellationToken), cancellationToken);

    protected override void Dispose(bool disposing)
    {
    }
}
