using System.Diagnostics.Metrics;
using ProxyKit.Diagnostics;

namespace ProxyKit.Discovery;

/// <summary>How discovery fares, on the meter <c>ProxyKit</c>.</summary>
internal sealed class DiscoveryMetrics
{
    private readonly Counter<long> _resolutions;
    private readonly Gauge<int> _destinations;

    public DiscoveryMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(ProxyMetrics.MeterName);
        _resolutions = meter.CreateCounter<long>("proxykit.discovery.resolutions", "{resolution}", "Questions to destination sources, by result.");
        _destinations = meter.CreateGauge<int>("proxykit.discovery.destinations", "{destination}", "Destinations that a cluster with discovery has.");
    }

    public void Asked(DiscoveryQuery query, string result)
    {
        if (_resolutions.Enabled)
            _resolutions.Add(1, Cluster(query.ClusterId), new("proxykit.discovery.source", query.Discovery.Source), new("result", result));
    }

    public void Destinations(string clusterId, int count)
    {
        if (_destinations.Enabled)
            _destinations.Record(count, Cluster(clusterId));
    }

    private static KeyValuePair<string, object?> Cluster(string clusterId) => new("proxykit.cluster", clusterId);
}
