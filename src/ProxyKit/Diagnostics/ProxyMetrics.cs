using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Diagnostics;

/// <summary>The meter <c>ProxyKit</c>. Attribute names are OpenTelemetry's; docs/observability.md lists the instruments.</summary>
internal sealed class ProxyMetrics
{
    public const string MeterName = "ProxyKit";

    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _timeToFirstByte;
    private readonly UpDownCounter<long> _active;
    private readonly Counter<long> _reloads;

    public ProxyMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(MeterName);
        double[] seconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
        var advice = new InstrumentAdvice<double> { HistogramBucketBoundaries = seconds };
        _duration = meter.CreateHistogram("proxykit.request.duration", "s", "Duration of proxied requests, to the last byte of the response.", null, advice);
        _timeToFirstByte = meter.CreateHistogram("proxykit.upstream.time_to_first_byte", "s", "Time until the response's headers were received from the destination.", null, advice);
        _active = meter.CreateUpDownCounter<long>("proxykit.active_requests", "{request}", "Requests being proxied.");
        _reloads = meter.CreateCounter<long>("proxykit.config.reloads", "{reload}", "Configuration reloads, by result.");
    }

    public bool Enabled => _duration.Enabled || _active.Enabled || _timeToFirstByte.Enabled;

    public void Started(ProxyContext proxy) => _active.Add(1, Route(proxy), Cluster(proxy));

    public void Stopped(HttpContext context, ProxyContext proxy, TimeSpan duration)
    {
        _active.Add(-1, Route(proxy), Cluster(proxy));
        if (_duration.Enabled)
        {
            var tags = new TagList
            {
                Route(proxy), Cluster(proxy),
                new("http.request.method", KnownMethod(context.Request.Method)),
                new("http.response.status_code", context.Response.StatusCode),
            };
            if (proxy.Error != ProxyError.None)
                tags.Add("error.type", proxy.Error.ToString());
            _duration.Record(duration.TotalSeconds, tags);
        }
        if (_timeToFirstByte.Enabled && proxy is { TimeToFirstByte: { } time, Destination: { } destination })
            _timeToFirstByte.Record(time.TotalSeconds, Cluster(proxy), new("proxykit.destination", destination.Name));
    }

    public void Reloaded(bool success)
    {
        if (_reloads.Enabled)
            _reloads.Add(1, new KeyValuePair<string, object?>("result", success ? "success" : "failure"));
    }

    private static KeyValuePair<string, object?> Route(ProxyContext proxy) => new("proxykit.route", proxy.Route.RouteId);

    private static KeyValuePair<string, object?> Cluster(ProxyContext proxy) => new("proxykit.cluster", proxy.Cluster.ClusterId);

    // OpenTelemetry: methods that strangers make up must not become time series.
    internal static string KnownMethod(string method) => method is "GET" or "POST" or "PUT" or "HEAD" or "DELETE" or "PATCH" or "OPTIONS" or "CONNECT" or "TRACE" ? method : "_OTHER";
}
