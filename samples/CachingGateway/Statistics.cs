using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace CachingGateway;

/// <summary>Listens to the cache's instruments, as an exporter of OpenTelemetry would.</summary>
internal sealed class Statistics : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, long> _requests = new();
    private readonly ConcurrentDictionary<string, long> _refusals = new();
    private readonly Backend _backend;
    private long _bytes;
    private long _memory;
    private long _entries;

    public Statistics(Backend backend)
    {
        _backend = backend;
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == "ProxyKit" && instrument.Name.StartsWith("proxykit.cache.", StringComparison.Ordinal))
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            switch (instrument.Name)
            {
                case "proxykit.cache.requests":
                    _requests.AddOrUpdate(Tag(tags, "proxykit.cache.result"), value, (_, sum) => sum + value);
                    break;
                case "proxykit.cache.not_stored":
                    _refusals.AddOrUpdate(Tag(tags, "reason"), value, (_, sum) => sum + value);
                    break;
                case "proxykit.cache.bytes":
                    Interlocked.Add(ref _bytes, value);
                    break;
                case "proxykit.cache.memory":
                    Volatile.Write(ref _memory, value);
                    break;
                case "proxykit.cache.memory.entries":
                    Volatile.Write(ref _entries, value);
                    break;
            }
        });
        _listener.Start();
    }

    /// <summary>What there is to say now.</summary>
    public Snapshot Read()
    {
        _listener.RecordObservableInstruments();
        var results = _requests.ToDictionary();
        long Count(params string[] names) => names.Sum(name => results.GetValueOrDefault(name));
        var all = results.Values.Sum();
        // None of these has sent the shop a request of its own that somebody waited for.
        var hits = Count("Hit", "Stale", "Collapsed");
        return new(all, all == 0 ? 0 : (double)hits / all, results, _refusals.ToDictionary(), _backend.Requests, _backend.Mood, Volatile.Read(ref _bytes), Volatile.Read(ref _memory), Volatile.Read(ref _entries));
    }

    public void Dispose() => _listener.Dispose();

    private static string Tag(ReadOnlySpan<KeyValuePair<string, object?>> tags, string name)
    {
        foreach (var (key, value) in tags)
        {
            if (key == name)
                return value?.ToString() ?? "";
        }
        return "";
    }
}

/// <param name="Requests">To the routes with a cache.</param>
/// <param name="HitRatio">The share of them that was answered without the shop, 0 to 1.</param>
/// <param name="Results">Them by <c>CacheResult</c>.</param>
/// <param name="NotStored">The shop's answers that were not stored, by <c>CacheRefusal</c>.</param>
/// <param name="ShopRequests">What has reached the shop.</param>
/// <param name="Shop">How it is.</param>
/// <param name="BytesServed">Bytes of bodies that came from the store.</param>
/// <param name="Memory">What the store takes, in bytes.</param>
/// <param name="Entries">The resources in it.</param>
internal sealed record Snapshot(
    long Requests, double HitRatio, Dictionary<string, long> Results, Dictionary<string, long> NotStored, int ShopRequests, Mood Shop, long BytesServed, long Memory, long Entries);
