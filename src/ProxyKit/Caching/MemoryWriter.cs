using System.IO.Pipelines;

namespace ProxyKit.Caching;

/// <summary>A response on its way into memory.</summary>
internal sealed class MemoryWriter(MemoryCacheStore store, string key, CachedResponseHead head, int maxVariants, long? length) : CacheWriter
{
    private readonly MemoryBody _body = new(store, length);
    private int _disposed;

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (_body.Length + bytes.Length > Math.Min(store.MaxLength, length ?? long.MaxValue))
            throw new IOException("The response is longer than what the memory cache takes of one.");
        if (!_body.TryWrite(bytes.Span))
            throw new IOException("The memory cache has no room for more of the response: what it holds is on its way, or being read.");
        return default;
    }

    public override ValueTask CopyToAsync(PipeWriter target, long offset, long count, CancellationToken cancellationToken) =>
        _body.CopyToAsync(target, offset, count, cancellationToken);

    public override ValueTask<bool> CommitAsync(CancellationToken cancellationToken)
    {
        _body.Complete();
        return new(store.Commit(key, new(head, _body), maxVariants));
    }

    public override ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            _body.Release();
        return default;
    }
}
