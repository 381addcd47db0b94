using System.Collections.Concurrent;
using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using ProxyKit.Buffering;

namespace ProxyKit.Caching;

/// <summary>What all caches of an app share.</summary>
internal sealed class CacheServices(
    IEnumerable<IProxyCacheStore> stores, TimeProvider time, CacheMetrics metrics, CacheLog log, BufferingServices buffering, IHttpContextAccessor? accessor = null)
{
    private const int MaxAlone = 256;

    private readonly FrozenDictionary<string, IProxyCacheStore> _stores = stores
        .GroupBy(s => s.Name, StringComparer.OrdinalIgnoreCase).ToFrozenDictionary(g => g.Key, g => g.Last(), StringComparer.OrdinalIgnoreCase);

    private readonly ConcurrentDictionary<string, CacheFlight> _flights = new(StringComparer.Ordinal);
    private readonly KeyMemory _uncacheable = Remember(time, stores);
    private readonly KeyMemory _uses = Remember(time, stores);
    // What was purged a moment ago: answers that are on their way are from before.
    private readonly KeyMemory _purged = Remember(time, stores);
    private long _purgedMany;
    private int _alone;

    public TimeProvider Time { get; } = time;

    public CacheMetrics Metrics { get; } = metrics;

    public CacheLog Log { get; } = log;

    /// <summary>Where bodies wait for readers that fall behind.</summary>
    public BufferingServices Buffering { get; } = buffering;

    public IEnumerable<IProxyCacheStore> Stores => _stores.Values;

    public NoVarySearchTable NoVarySearch { get; } = new();

    /// <summary>The routes and endpoints that have a cache.</summary>
    public CacheZones Zones { get; } = new();

    /// <summary>The store of that name; validation has seen that there is one.</summary>
    public IProxyCacheStore Store(string name) => _stores[name];

    /// <summary>The flight for this key that others can join.</summary>
    public CacheFlight? FindFlight(string key) => _flights.GetValueOrDefault(key);

    public bool TryAdd(CacheFlight flight) => _flights.TryAdd(flight.FlightKey!, flight);

    /// <summary>Nobody joins it any more.</summary>
    public void Forget(CacheFlight flight)
    {
        if (flight.FlightKey is { } key)
            _flights.TryRemove(new(key, flight));
    }

    /// <summary>Whether a flight may go on when its clients have left. Not all may: strangers could have it fetch more than anybody reads.</summary>
    public bool TryGoOnAlone()
    {
        if (Interlocked.Increment(ref _alone) <= MaxAlone)
            return true;
        EndedAlone();
        return false;
    }

    public void EndedAlone() => Interlocked.Decrement(ref _alone);

    public bool TryGetUncacheable(ReadOnlySpan<char> key, out CacheRefusal refusal)
    {
        var isKnown = _uncacheable.TryGet(key, out var value);
        refusal = (CacheRefusal)value;
        return isKnown;
    }

    public void RememberUncacheable(string key, CacheRefusal refusal, TimeSpan time)
    {
        if (time > TimeSpan.Zero)
            _uncacheable.Set(key, (long)refusal, time);
    }

    /// <summary>Counts that this key is asked for, and says how often it has been in the last hour.</summary>
    public int CountUse(string key)
    {
        var count = (_uses.TryGet(key, out var before) ? before : 0) + 1;
        _uses.Set(key, count, TimeSpan.FromHours(1));
        return (int)count;
    }

    /// <summary>Stands for a URL where its key says more than the URL.</summary>
    public static string UrlTag(string url) => "\n" + url;

    public bool IsPurgedSince(string key, DateTimeOffset time) =>
        Volatile.Read(ref _purgedMany) >= time.UtcTicks || (_purged.TryGet(CacheInvalidation.UrlOf(key), out var purged) && purged >= time.UtcTicks);

    /// <summary>Purges what is stored of a URL in a zone; <paramref name="url"/>: how its keys begin.</summary>
    public async ValueTask<long> PurgeAsync(IProxyCacheStore store, string url, bool soft)
    {
        // A purge that is forgotten too early counts for all URLs.
        if (_purged.Set(url, Time.GetUtcNow().UtcTicks, TimeSpan.FromMinutes(10)) is { } lost)
            PurgedMany(lost);
        _uncacheable.Remove(url);
        return await store.PurgeAsync(new(CachePurgeKind.Key, url, soft), CancellationToken.None)
            + await store.PurgeAsync(new(CachePurgeKind.Tag, UrlTag(url), soft), CancellationToken.None);
    }

    /// <summary>Purges a URL in all zones.</summary>
    public async ValueTask<long> PurgeUrlAsync(Uri url, bool soft)
    {
        long count = 0;
        foreach (var zone in Zones.All)
        {
            foreach (var key in zone.UrlKeys(url))
                count += await PurgeAsync(zone.Store, key, soft);
        }
        return count;
    }

    public ValueTask<long> PurgeTagAsync(string tag, bool soft) => PurgeManyAsync(new(CachePurgeKind.Tag, tag, soft));

    /// <summary>Purges in all stores.</summary>
    public async ValueTask<long> PurgeManyAsync(CachePurge purge)
    {
        long count = 0;
        foreach (var store in Zones.All.Select(zone => zone.Store).Distinct())
            count += await PurgeManyAsync(store, purge);
        return count;
    }

    /// <summary>Purges more than a URL. Which of the answers on their way are meant is not looked at: none is stored.</summary>
    public ValueTask<long> PurgeManyAsync(IProxyCacheStore store, CachePurge purge)
    {
        PurgedMany(Time.GetUtcNow().UtcTicks);
        return store.PurgeAsync(purge, CancellationToken.None);
    }

    /// <summary>Has <see cref="IHttpContextAccessor"/> know the cache's own request.</summary>
    public void SetCurrent(HttpContext context)
    {
        if (accessor is not null)
            accessor.HttpContext = context;
    }

    private void PurgedMany(long ticks)
    {
        var before = Volatile.Read(ref _purgedMany);
        while (before < ticks && Interlocked.CompareExchange(ref _purgedMany, ticks, before) is var seen && seen != before)
            before = seen;
    }

    // A hundredth of the memory store's limit, which it counts for.
    private static KeyMemory Remember(TimeProvider time, IEnumerable<IProxyCacheStore> stores)
    {
        var memory = stores.OfType<MemoryCacheStore>().FirstOrDefault();
        return new(time, (int)Math.Clamp((memory?.Limit ?? 0) / 100 / KeyMemory.SlotSize, 1024, 32 * 1024) & ~3, bytes => memory?.Take(bytes));
    }
}

/// <summary>The zones in force: each route and endpoint with a cache has keys of its own.</summary>
internal sealed class CacheZones
{
    private readonly ConcurrentDictionary<string, CacheStage> _zones = new(StringComparer.Ordinal);

    public ICollection<CacheStage> All => _zones.Values;

    public void Set(string zone, CacheStage stage) => _zones[zone] = stage;

    /// <summary>A route is no longer configured.</summary>
    public void Remove(string zone) => _zones.TryRemove(zone, out _);
}
