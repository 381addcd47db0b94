using System.Diagnostics.Metrics;
using ProxyKit.Diagnostics;

namespace ProxyKit.LoadBalancing;

/// <summary>The instruments of the queue, on the meter <c>ProxyKit</c>.</summary>
internal sealed class ConcurrencyMetrics
{
    private readonly UpDownCounter<long> _length;
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _rejected;

    public ConcurrencyMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(ProxyMetrics.MeterName);
        _length = meter.CreateUpDownCounter<long>("proxykit.queue.length", "{request}", "Requests that wait for a destination.");
        _duration = meter.CreateHistogram("proxykit.queue.duration", "s", "How long requests waited for a destination, by how that ended.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] });
        _rejected = meter.CreateCounter<long>("proxykit.queue.rejected", "{request}", "Requests that were turned away, by reason.");
    }

    public void Queued(string clusterId)
    {
        if (_length.Enabled)
            _length.Add(1, Cluster(clusterId));
    }

    public void Dequeued(string clusterId, TimeSpan waited, ProxyError outcome)
    {
        if (_length.Enabled)
            _length.Add(-1, Cluster(clusterId));
        if (_duration.Enabled)
        {
            _duration.Record(waited.TotalSeconds, Cluster(clusterId), new("outcome", outcome switch
            {
                ProxyError.None => "admitted",
                ProxyError.QueueTimeout => "timeout",
                ProxyError.NoAvailableDestinations => "unavailable",
                _ => "cancelled",
            }));
        }
    }

    public void Rejected(string clusterId, ProxyError error)
    {
        if (_rejected.Enabled)
            _rejected.Add(1, Cluster(clusterId), new("reason", error == ProxyError.QueueTimeout ? "timeout" : "full"));
    }

    private static KeyValuePair<string, object?> Cluster(string clusterId) => new("proxykit.cluster", clusterId);
}
