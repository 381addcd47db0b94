using System.Diagnostics;
using System.Diagnostics.Metrics;
using ProxyKit.Diagnostics;

namespace ProxyKit.Mirroring;

/// <summary>The instruments of mirrors, on the meter <c>ProxyKit</c>.</summary>
internal sealed class MirrorMetrics
{
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _dropped;

    public MirrorMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(ProxyMetrics.MeterName);
        double[] seconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
        _duration = meter.CreateHistogram("proxykit.mirror.duration", "s", "Duration of mirrored requests, to the last byte of the shadow's response.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = seconds });
        _dropped = meter.CreateCounter<long>("proxykit.mirror.dropped", "{request}", "Requests that were to be mirrored and were not, by reason.");
    }

    public void Ended(string routeId, string clusterId, int status, ProxyError error, TimeSpan duration)
    {
        if (!_duration.Enabled)
            return;
        var tags = new TagList { new("proxykit.route", routeId), new("proxykit.cluster", clusterId) };
        if (status != 0)
            tags.Add("http.response.status_code", status);
        if (error != ProxyError.None)
            tags.Add("error.type", error.ToString());
        _duration.Record(duration.TotalSeconds, tags);
    }

    public void Dropped(string routeId, string clusterId, MirrorDrop reason)
    {
        if (_dropped.Enabled)
            _dropped.Add(1, new("proxykit.route", routeId), new("proxykit.cluster", clusterId), new("reason", reason.ToString()));
    }
}

/// <summary>Why a request was not mirrored.</summary>
internal enum MirrorDrop
{
    /// <summary>As many copies as allowed are under way.</summary>
    TooMany,

    /// <summary>The body is larger than allowed.</summary>
    BodyTooLarge,

    /// <summary>The body was not read to its end.</summary>
    BodyIncomplete,

    /// <summary>A stream of gRPC messages.</summary>
    Stream,

    /// <summary>The shadow cluster has no destination that can be used.</summary>
    NoAvailableDestinations,
}
