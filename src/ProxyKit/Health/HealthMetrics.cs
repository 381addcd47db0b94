using System.Diagnostics;
using System.Diagnostics.Metrics;
using ProxyKit.Diagnostics;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>What health checks tell the meter.</summary>
internal sealed class HealthMetrics
{
    private readonly ClusterDirectory _clusters;
    private readonly Histogram<double> _probes;

    public HealthMetrics(IMeterFactory factory, ClusterDirectory clusters)
    {
        _clusters = clusters;
        var meter = factory.Create(ProxyMetrics.MeterName);
        double[] seconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
        _probes = meter.CreateHistogram("proxykit.destination.probe.duration", "s", "Duration of health probes.", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = seconds });
        meter.CreateObservableGauge("proxykit.destination.health", Health, null, "1 for a destination that is healthy or unknown, 0 for one that is unhealthy.");
        meter.CreateObservableGauge("proxykit.cluster.panic", Panic, null, "1 for a cluster that does not look at health because too few destinations are healthy, else 0.");
    }

    public void Probed(Destination destination, ProbeResult result, TimeSpan duration)
    {
        if (!_probes.Enabled)
            return;
        var tags = new TagList { new("proxykit.cluster", destination.ClusterId), new("proxykit.destination", destination.Name) };
        if (result.ErrorType is { } error)
            tags.Add("error.type", error);
        _probes.Record(duration.TotalSeconds, tags);
    }

    private IEnumerable<Measurement<int>> Health() =>
        from cluster in _clusters.All
        from destination in cluster.Model!.Destinations
        select new Measurement<int>(destination.Health == DestinationHealth.Unhealthy ? 0 : 1,
            new KeyValuePair<string, object?>("proxykit.cluster", cluster.ClusterId), new KeyValuePair<string, object?>("proxykit.destination", destination.Name));

    private IEnumerable<Measurement<int>> Panic() =>
        from cluster in _clusters.All
        select new Measurement<int>(cluster.Balancer.IsPanic ? 1 : 0, new KeyValuePair<string, object?>("proxykit.cluster", cluster.ClusterId));
}
