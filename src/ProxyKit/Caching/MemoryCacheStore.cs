using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ProxyKit.Caching;

/// <summary>
/// The store <c>Memory</c>: one entry of a <see cref="MemoryCache"/> for each key, with all its variants, and with the size that it really takes. The cache throws out what has not
/// been used for long.
/// </summary>
internal sealed class MemoryCacheStore : IProxyCacheStore, IDisposable
{
    private readonly MemoryCache _cache;
    private readonly TagIndex _tags = new();
    // One for some keys each: who changes what is under a key reads it first.
    private readonly Lock[] _locks = [.. Enumerable.Range(0, 64).Select(_ => new Lock())];
    private readonly PostEvictionCallbackRegistration _gone;
    private readonly long _limit;
    private int _compacting;

    public MemoryCacheStore(IOptions<ReverseProxyOptions> options, ILoggerFactory loggers)
    {
        _limit = Math.Max(0, options.Value.Cache.MaxMemory); // validation tells
        _cache = new(new MemoryCacheOptions { SizeLimit = _limit, TrackStatistics = true }, loggers);
        _gone = new() { EvictionCallback = (key, value, _, _) => Gone((string)key, (MemoryResource)value!) };
    }

    public string Name => CacheStores.Memory;

    /// <summary>What is stored now, in bytes.</summary>
    public long Size => _cache.GetCurrentStatistics()?.CurrentEstimatedSize ?? 0;

    /// <summary>How many keys there are.</summary>
    public int Count => _cache.Count;

    // What would take a good part of all that there is would throw out too much of the rest.
    public long MaxLength => _limit / 4;

    public ValueTask<IReadOnlyList<CachedResponse>> FindAsync(ReadOnlySpan<char> key, CancellationToken cancellationToken) =>
        new(_cache.TryGetValue(key, out MemoryResource? found) ? found!.Responses : []);

    public ValueTask<CacheWriter?> CreateAsync(string key, CachedResponseHead head, long? length, int maxVariants, CancellationToken cancellationToken) =>
        new(length > MaxLength ? null : new MemoryWriter(this, key, head, maxVariants, length));

    public ValueTask UpdateAsync(string key, CachedResponse response, CachedResponseHead head, CancellationToken cancellationToken)
    {
        Change(key, before => Array.IndexOf(before, response) < 0 ? before : [.. before.Select(r => r == response ? r.With(head) : r)]);
        return default;
    }

    public ValueTask RemoveAsync(string key, CachedResponse response, CancellationToken cancellationToken)
    {
        Change(key, before => [.. before.Where(r => r != response)]);
        return default;
    }

    public ValueTask<long> PurgeAsync(CachePurge purge, CancellationToken cancellationToken)
    {
        IEnumerable<string> keys = purge.Kind switch
        {
            CachePurgeKind.Key => [purge.Value],
            CachePurgeKind.Tag => _tags.Find(purge.Value),
            CachePurgeKind.Prefix => _cache.Keys.Cast<string>().Where(key => key.StartsWith(purge.Value, StringComparison.Ordinal)),
            _ => _cache.Keys.Cast<string>(),
        };
        long count = 0;
        foreach (var key in keys)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Change(key, before =>
            {
                bool IsMeant(MemoryResponse r) => purge.Kind != CachePurgeKind.Tag || r.Head.Tags.Contains(purge.Value);
                count += before.Count(IsMeant);
                return purge.Soft
                    ? [.. before.Select(r => IsMeant(r) ? r.With(r.Head with { IsInvalid = true }) : r)]
                    : [.. before.Where(r => !IsMeant(r))];
            });
        }
        return new(count);
    }

    public void Dispose() => _cache.Dispose();

    /// <summary>Puts a response in the place of those with its variant key; the oldest of the others make room for it.</summary>
    public bool Commit(string key, MemoryResponse response, int maxVariants) =>
        Change(key, before => [response, .. before.Where(r => r.Head.VariantKey != response.Head.VariantKey).Take(maxVariants - 1)]);

    /// <returns>Whether what <paramref name="change"/> came up with is what is stored now.</returns>
    private bool Change(string key, Func<MemoryResponse[], MemoryResponse[]> change)
    {
        lock (LockOf(key))
        {
            var before = _cache.TryGetValue(key, out MemoryResource? stored) ? stored!.Responses : [];
            var next = change(before);
            if (ReferenceEquals(before, next) || (before.Length == 0 && next.Length == 0))
                return true;
            if (next.Length == 0)
            {
                _cache.Remove(key);
                return true;
            }
            // Those that stay are held by the old resource until the cache says that it is gone, and by the new one from now on.
            if (MemoryResource.TryCreate(next) is not { } resource)
                return false;
            foreach (var response in next)
                _tags.Add(key, response.Head.Tags);
            return TrySet(key, resource) || (MakeRoom(resource.SizeWith(key)) && MemoryResource.TryCreate(next) is { } again && TrySet(key, again));
        }
    }

    private bool TrySet(string key, MemoryResource resource)
    {
        using (var entry = _cache.CreateEntry(key))
        {
            entry.Value = resource;
            entry.Size = resource.SizeWith(key);
            entry.PostEvictionCallbacks.Add(_gone);
        }
        // What there is no room for is not there, nor is what was there before.
        return _cache.TryGetValue(key, out MemoryResource? stored) && stored == resource;
    }

    // The cache makes room by itself as well, but no more than a twentieth, and later: a larger entry would never find any.
    private bool MakeRoom(long size)
    {
        if (Interlocked.Exchange(ref _compacting, 1) != 0)
            return false;
        _cache.Compact(Math.Min(1, 0.05 + ((double)size / _limit)));
        Volatile.Write(ref _compacting, 0);
        return true;
    }

    // Called on the thread pool, once for each resource that is no longer stored: thrown out, replaced, removed, or never taken.
    private void Gone(string key, MemoryResource resource)
    {
        lock (LockOf(key))
        {
            var now = _cache.TryGetValue(key, out MemoryResource? stored) ? stored!.Responses : [];
            foreach (var response in resource.Responses)
            {
                foreach (var tag in response.Head.Tags)
                {
                    if (!now.Any(r => r.Head.Tags.Contains(tag)))
                        _tags.Remove(key, tag);
                }
            }
        }
        resource.Release();
    }

    private Lock LockOf(string key) => _locks[(uint)string.GetHashCode(key) % 64];
}
