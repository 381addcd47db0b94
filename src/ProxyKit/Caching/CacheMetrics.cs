using System.Diagnostics.Metrics;
using ProxyKit.Diagnostics;

namespace ProxyKit.Caching;

/// <summary>The instruments of the cache, on the meter <c>ProxyKit</c>.</summary>
internal sealed class CacheMetrics
{
    private readonly Counter<long> _requests;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _refused;

    public CacheMetrics(IMeterFactory factory, IEnumerable<IProxyCacheStore> stores)
    {
        var meter = factory.Create(ProxyMetrics.MeterName);
        _requests = meter.CreateCounter<long>("proxykit.cache.requests", "{request}", "Requests to routes with a cache, by how the cache came by the answer.");
        _bytes = meter.CreateCounter<long>("proxykit.cache.bytes", "By", "Bytes of bodies that were served from the store.");
        _refused = meter.CreateCounter<long>("proxykit.cache.not_stored", "{response}", "Responses that were not stored, by why.");
        if (stores.OfType<MemoryCacheStore>().FirstOrDefault() is { } memory)
        {
            meter.CreateObservableUpDownCounter("proxykit.cache.memory", () => memory.Used, "By", "Memory that responses take which are stored, on their way, or still being read.");
            meter.CreateObservableUpDownCounter("proxykit.cache.memory.entries", () => (long)memory.Count, "{entry}", "Resources stored in memory.");
        }
    }

    public void Answered(string zone, CacheResult result)
    {
        if (_requests.Enabled)
            _requests.Add(1, new("proxykit.cache.zone", zone), new("proxykit.cache.result", result.ToString()));
    }

    public void Served(string zone, long bytes)
    {
        if (_bytes.Enabled)
            _bytes.Add(bytes, new KeyValuePair<string, object?>("proxykit.cache.zone", zone));
    }

    public void NotStored(string zone, CacheRefusal refusal)
    {
        if (_refused.Enabled)
            _refused.Add(1, new("proxykit.cache.zone", zone), new("reason", refusal.ToString()));
    }
}
