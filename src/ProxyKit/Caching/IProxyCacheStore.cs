using System.IO.Pipelines;
using ProxyKit.Caching;

namespace ProxyKit;

/// <summary>
/// Where responses are kept. A route names its store (<see cref="CacheConfig.Store"/>); <c>Memory</c> and <c>Disk</c> are ProxyKit's own, others are registered with
/// <see cref="ReverseProxyBuilder.AddCacheStore{TStore}"/>. What may be stored, for how long, and which response answers a request is not the store's business. All
/// methods are called by many requests at once.
/// </summary>
public interface IProxyCacheStore
{
    /// <summary>The name by which routes ask for it. Compared without regard to case.</summary>
    string Name { get; }

    /// <summary>All responses stored under a key, the newest first; none if there are none. What cannot be read, or is damaged, is not there.</summary>
    /// <param name="key">Valid during the call only.</param>
    /// <param name="cancellationToken">The request has gone.</param>
    ValueTask<IReadOnlyList<CachedResponse>> FindAsync(ReadOnlySpan<char> key, CancellationToken cancellationToken);

    /// <summary>
    /// Begins to store a response. Nobody finds it before <see cref="CacheWriter.CommitAsync"/>, which puts it in the place of those with the same
    /// <see cref="CachedResponseHead.VariantKey"/> under the same key.
    /// </summary>
    /// <param name="key">What it will be found by.</param>
    /// <param name="head">All but the body.</param>
    /// <param name="length">The body's length in bytes, if it is known.</param>
    /// <param name="maxVariants">How many responses may be under this key; the oldest make room.</param>
    /// <param name="cancellationToken">The request has gone.</param>
    /// <returns>Null if the store has no room for it.</returns>
    ValueTask<CacheWriter?> CreateAsync(string key, CachedResponseHead head, long? length, int maxVariants, CancellationToken cancellationToken);

    /// <summary>Replaces all but the body of a stored response (RFC 9111 §3.2), or marks it as invalid. Nothing happens if it is no longer stored.</summary>
    ValueTask UpdateAsync(string key, CachedResponse response, CachedResponseHead head, CancellationToken cancellationToken);

    /// <summary>Removes a response. Who reads its body now may go on.</summary>
    ValueTask RemoveAsync(string key, CachedResponse response, CancellationToken cancellationToken);

    /// <summary>Removes responses, or marks them as invalid, by what they have in common.</summary>
    /// <returns>How many.</returns>
    ValueTask<long> PurgeAsync(CachePurge purge, CancellationToken cancellationToken);
}

/// <summary>A stored response: its head, and a way to its body. It does not change; a store replaces it.</summary>
public abstract class CachedResponse(CachedResponseHead head)
{
    /// <summary>All but the body.</summary>
    public CachedResponseHead Head { get; } = head;

    /// <summary>The stored body's length in bytes.</summary>
    public abstract long Length { get; }

    /// <summary>Takes hold of the body, for as long as the result is not disposed.</summary>
    /// <returns>Null if it is gone: the response is not stored any more.</returns>
    public abstract ValueTask<CachedBody?> OpenAsync(CancellationToken cancellationToken);
}

/// <summary>The body of a stored response while somebody reads it. Dispose it once.</summary>
public abstract class CachedBody : ICacheBodySource, IDisposable
{
    /// <summary>Writes a part of the body, and flushes as often as is good.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="offset">The first byte's, from the body's beginning.</param>
    /// <param name="count">How many bytes.</param>
    /// <param name="cancellationToken">The client has gone.</param>
    /// <exception cref="IOException">The body is damaged.</exception>
    /// <exception cref="OperationCanceledException">The client has gone, or a flush was cancelled.</exception>
    public abstract ValueTask CopyToAsync(PipeWriter target, long offset, long count, CancellationToken cancellationToken);

    /// <summary>Lets go of the body.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Lets go of the body.</summary>
    protected abstract void Dispose(bool disposing);
}

/// <summary>
/// A response on its way into the store. Its body is written once, in order, by one writer, while others may read what has been written so far. Without
/// <see cref="CommitAsync"/> nothing is stored. Disposed when neither the writer nor a reader needs it any more; what has been committed stays.
/// </summary>
public abstract class CacheWriter : IAsyncDisposable
{
    /// <summary>Appends to the body.</summary>
    /// <exception cref="IOException">There is no room any more. What was written before can still be read.</exception>
    public abstract ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Writes a part of what has been appended so far to a client, and flushes as often as is good; also after <see cref="CommitAsync"/>, and by several at once.</summary>
    public abstract ValueTask CopyToAsync(PipeWriter target, long offset, long count, CancellationToken cancellationToken);

    /// <summary>The body is whole: the response can be found from now on. Call it once.</summary>
    /// <returns>Whether it is stored.</returns>
    public abstract ValueTask<bool> CommitAsync(CancellationToken cancellationToken);

    /// <summary>Drops what was not committed, and lets go of the body.</summary>
    public abstract ValueTask DisposeAsync();
}

/// <summary>What is to be removed from a cache, or marked as invalid.</summary>
/// <param name="Kind">What <paramref name="Value"/> is.</param>
/// <param name="Value">A key, the beginning of keys, or a tag; not looked at with <see cref="CachePurgeKind.All"/>.</param>
/// <param name="Soft">Whether it stays, but is validated with the upstream before it is used again.</param>
public readonly record struct CachePurge(CachePurgeKind Kind, string Value, bool Soft);

/// <summary>What responses that are purged have in common.</summary>
public enum CachePurgeKind
{
    /// <summary>They are stored.</summary>
    All,

    /// <summary>Their key.</summary>
    Key,

    /// <summary>The beginning of their key.</summary>
    Prefix,

    /// <summary>One of their <see cref="CachedResponseHead.Tags"/>, case-sensitively.</summary>
    Tag,
}
