using System.Collections.Concurrent;
using Microsoft.Extensions.Options;

namespace ProxyKit.Caching;

/// <summary>
/// The store <c>Memory</c>. One limit holds for everything: stored responses, responses on their way, and the bodies of removed ones that are still being read. What has not been used for long is evicted
/// when something needs room; where that does not help, a response is not stored.
/// </summary>
/// <remarks>A lock of a key's stripe may be held when <see cref="_orderLock"/> is taken, never the other way round. Readers take none.</remarks>
internal sealed class MemoryCacheStore : IProxyCacheStore
{
    // Of so many candidates the least recently used one is evicted; so many are examined for one that is not being read.
    private const int Candidates = 8, MaxExamined = 4096;
    // How many keys are purged before others' work goes on.
    private const int PurgeBatch = 256;

    private readonly ConcurrentDictionary<string, MemoryResource> _resources = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, MemoryResource>.AlternateLookup<ReadOnlySpan<char>> _byText;
    private readonly TagIndex _tags = new();
    // One for some keys each: a change of what is under a key reads it first.
    private readonly Lock[] _locks = [.. Enumerable.Range(0, 64).Select(_ => new Lock())];
    // From the one that was added or examined the longest ago on.
    private readonly LinkedList<MemoryResource> _order = [];
    private readonly Lock _orderLock = new();
    private long _used;
    private long _size;
    private long _clock;

    public MemoryCacheStore(IOptions<ReverseProxyOptions> options)
    {
        Limit = Math.Max(0, options.Value.Cache.MaxMemory); // validation tells
        _byText = _resources.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public string Name => CacheStores.Memory;

    /// <summary>How much memory the cache may use, in bytes.</summary>
    public long Limit { get; }

    /// <summary>How much memory the cache uses for stored responses, those on their way and those that are still being read, in bytes.</summary>
    public long Used => Volatile.Read(ref _used);

    /// <summary>What is stored now, in bytes.</summary>
    public long Size => Volatile.Read(ref _size);

    /// <summary>How many keys there are.</summary>
    public int Count => _resources.Count;

    // What would take a good part of all that there is would evict too much of the rest.
    public long MaxLength => Limit / 4;

    public ValueTask<IReadOnlyList<CachedResponse>> FindAsync(ReadOnlySpan<char> key, CancellationToken cancellationToken) =>
        new(_byText.TryGetValue(key, out var found) ? found.Use(Volatile.Read(ref _clock)) : []);

    public ValueTask<CacheWriter?> CreateAsync(string key, CachedResponseHead head, long? length, int maxVariants, CancellationToken cancellationToken) =>
        new(length > MaxLength || !TryTake(length ?? 0) ? null : new MemoryWriter(this, key, head, maxVariants, length));

    public ValueTask UpdateAsync(string key, CachedResponse response, CachedResponseHead head, CancellationToken cancellationToken)
    {
        Change(key, before => Array.IndexOf(before, response) < 0 ? before : [.. before.Select(r => r == response ? r.With(head) : r)]);
        return default;
    }

    public ValueTask RemoveAsync(string key, CachedResponse response, CancellationToken cancellationToken)
    {
        Change(key, before => Array.IndexOf(before, response) < 0 ? before : [.. before.Where(r => r != response)]);
        return default;
    }

    public async ValueTask<long> PurgeAsync(CachePurge purge, CancellationToken cancellationToken)
    {
        // Enumerating a concurrent dictionary takes no lock.
        IEnumerable<string> keys = purge.Kind switch
        {
            CachePurgeKind.Key => [purge.Value],
            CachePurgeKind.Tag => _tags.Find(purge.Value),
            _ => _resources.Select(resource => resource.Key),
        };
        var (count, seen) = (0L, 0);
        foreach (var key in keys)
        {
            if (++seen % PurgeBatch == 0)
                await Task.Yield(); // requests that wait for a thread go on
            cancellationToken.ThrowIfCancellationRequested();
            if (purge.Kind != CachePurgeKind.Prefix || key.StartsWith(purge.Value, StringComparison.Ordinal))
                count += Purge(key, purge);
        }
        return count;
    }

    /// <summary>Puts a response in the place of those with its variant key; the oldest of the others make room for it.</summary>
    public bool Commit(string key, MemoryResponse response, int maxVariants) =>
        MakeRoom(MemoryResource.SizeOf(key) + response.HeadSize)
        && Change(key, before => [response, .. before.Where(r => r.Head.VariantKey != response.Head.VariantKey).Take(maxVariants - 1)]);

    /// <summary>Counts memory, if the limit allows it; evicts what is not being read.</summary>
    public bool TryTake(long bytes)
    {
        while (true)
        {
            var used = Volatile.Read(ref _used);
            if (used + bytes <= Limit)
            {
                if (Interlocked.CompareExchange(ref _used, used + bytes, used) == used)
                    return true;
            }
            else if (!MakeRoom(bytes))
            {
                return false;
            }
        }
    }

    /// <summary>Counts memory, whatever the limit is.</summary>
    public void Take(long bytes) => Interlocked.Add(ref _used, bytes);

    public void Return(long bytes) => Interlocked.Add(ref _used, -bytes);

    private long Purge(string key, CachePurge purge)
    {
        var count = 0;
        bool IsMeant(MemoryResponse response) => purge.Kind != CachePurgeKind.Tag || response.Head.Tags.Contains(purge.Value);
        Change(key, before =>
        {
            count = before.Count(IsMeant);
            if (count == 0)
                return before;
            return purge.Soft ? [.. before.Select(r => IsMeant(r) ? r.With(r.Head with { IsInvalid = true }) : r)] : [.. before.Where(r => !IsMeant(r))];
        });
        return count;
    }

    /// <param name="key">The key.</param>
    /// <param name="change">What is there from now on; the same array for no change.</param>
    /// <returns>Whether something has changed.</returns>
    private bool Change(string key, Func<MemoryResponse[], MemoryResponse[]> change)
    {
        lock (LockOf(key))
        {
            _resources.TryGetValue(key, out var resource);
            var before = resource?.Responses ?? [];
            var next = change(before);
            if (ReferenceEquals(before, next) || (before.Length == 0 && next.Length == 0) || !TryHold(next))
                return false;
            var size = next.Length == 0 ? 0 : MemoryResource.SizeOf(key) + next.Sum(r => r.Size);
            // The bodies count themselves.
            Take(HeadsOf(key, next) - HeadsOf(key, before));
            if (next.Length == 0)
            {
                _resources.TryRemove(key, out _);
                Unlink(resource!);
            }
            else if (resource is null)
            {
                resource = new(key, next) { LastUsed = Interlocked.Increment(ref _clock) };
                _resources[key] = resource;
                Link(resource);
            }
            else
            {
                resource.Responses = next;
            }
            Interlocked.Add(ref _size, size - resource!.Size);
            resource.Size = size;
            foreach (var response in next)
                _tags.Add(key, response.Head.Tags);
            foreach (var response in before)
            {
                foreach (var tag in response.Head.Tags)
                {
                    if (!next.Any(r => r.Head.Tags.Contains(tag)))
                        _tags.Remove(key, tag);
                }
                response.Body.Release();
            }
            return true;
        }
    }

    private static long HeadsOf(string key, MemoryResponse[] responses) => responses.Length == 0 ? 0 : MemoryResource.SizeOf(key) + responses.Sum(r => r.HeadSize);

    // All of them, or none: a body may be gone already.
    private static bool TryHold(MemoryResponse[] responses)
    {
        for (var i = 0; i < responses.Length; i++)
        {
            if (responses[i].Body.TryHold())
                continue;
            while (--i >= 0)
                responses[i].Body.Release();
            return false;
        }
        return true;
    }

    // Not while a key's lock is held. Evicts until there is room for so many bytes more.
    private bool MakeRoom(long bytes)
    {
        if (bytes > Limit)
            return false;
        while (Used + bytes > Limit)
        {
            if (FindVictim() is not { } victim)
                return false;
            Change(victim.Key, before => before == victim.Responses ? [] : before);
        }
        return true;
    }

    // A body that is being read stays: to evict it frees nothing.
    private MemoryResource? FindVictim()
    {
        MemoryResource? victim = null;
        lock (_orderLock)
        {
            var candidates = 0;
            for (var examined = 0; examined < Math.Min(MaxExamined, _order.Count) && candidates < Candidates; examined++)
            {
                var first = _order.First!;
                _order.RemoveFirst();
                _order.AddLast(first);
                if (first.Value.IsBeingRead)
                    continue;
                candidates++;
                if (victim is null || first.Value.LastUsed < victim.LastUsed)
                    victim = first.Value;
            }
        }
        return victim;
    }

    private void Link(MemoryResource resource)
    {
        lock (_orderLock)
            _order.AddLast(resource.Node);
    }

    private void Unlink(MemoryResource resource)
    {
        lock (_orderLock)
            _order.Remove(resource.Node);
    }

    private Lock LockOf(string key) => _locks[(uint)string.GetHashCode(key) % 64];
}
