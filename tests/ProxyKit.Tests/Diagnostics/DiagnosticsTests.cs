using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Diagnostics;

public class MetricsTests
{
    [Fact]
    public async Task A_request_is_measured_by_route_cluster_method_and_status()
    {
        await using var app = await ProxyApp.StartAsync(new Recorder());
        using var duration = Collect<double>(app, "proxykit.request.duration");
        using var firstByte = Collect<double>(app, "proxykit.upstream.time_to_first_byte");

        await app.Client.GetAsync("/");
        await app.OutcomeAsync();

        var measured = Assert.Single(duration.GetMeasurementSnapshot());
        Assert.Equal("s", duration.Instrument!.Unit);
        Assert.Equal(
            new Dictionary<string, object?> { ["proxykit.route"] = "/{**path}", ["proxykit.cluster"] = "/{**path}", ["http.request.method"] = "GET", ["http.response.status_code"] = 200 },
            measured.Tags);
        Assert.Equal(ProxyApp.Upstream, Assert.Single(firstByte.GetMeasurementSnapshot()).Tags["proxykit.destination"]);
    }

    [Fact]
    public async Task A_failure_is_measured_with_its_type_and_an_odd_method_without_its_name()
    {
        await using var app = await ProxyApp.StartAsync(_ => throw new HttpRequestException("down"));
        using var duration = Collect<double>(app, "proxykit.request.duration");

        await app.Client.SendAsync(new(new HttpMethod("MADEUP"), "/"));
        await app.OutcomeAsync();

        var tags = Assert.Single(duration.GetMeasurementSnapshot()).Tags;
        Assert.Equal("Request", tags["error.type"]);
        Assert.Equal("_OTHER", tags["http.request.method"]);
        Assert.Equal(502, tags["http.response.status_code"]);
    }

    [Fact]
    public async Task Requests_under_way_are_counted()
    {
        var seen = 0L;
        MetricCollector<long>? active = null;
        await using var app = await ProxyApp.StartAsync(_ =>
        {
            seen = active!.GetMeasurementSnapshot().EvaluateAsCounter();
            return new(HttpStatusCode.OK);
        });
        active = Collect<long>(app, "proxykit.active_requests");

        await app.Client.GetAsync("/");
        await app.OutcomeAsync();

        Assert.Equal(1, seen);
        Assert.Equal(0, active.GetMeasurementSnapshot().EvaluateAsCounter());
        active.Dispose();
    }

    private static MetricCollector<T> Collect<T>(ProxyApp app, string instrument)
        where T : struct => new(app.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", instrument);
}

public class TracingTests
{
    private const string Parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Fact]
    public async Task The_upstream_is_told_the_trace_and_a_span_of_the_proxys()
    {
        var upstream = new Recorder();
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "ProxyKit",
            Sample = (ref ActivityCreationOptions<ActivityContext> options) =>
                options.TraceId.ToHexString() == Parent[3..35] ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.None,
            ActivityStopped = activity =>
            {
                lock (spans)
                    spans.Add(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);
        await using var app = await ProxyApp.StartAsync(upstream);

        await SendAsync(app, "/x?secret=1");
        await app.OutcomeAsync();

        var span = Assert.Single(spans);
        Assert.Equal(ActivityKind.Client, span.Kind);
        Assert.Equal("GET", span.DisplayName);
        Assert.Equal($"00-{span.TraceId}-{span.SpanId}-01", upstream.Last["traceparent"]);
        Assert.Equal("v=1", upstream.Last["tracestate"]);
        foreach (var (name, value) in new (string, object)[]
        {
            ("http.request.method", "GET"), ("url.scheme", "http"), ("url.path", "/x"), ("server.address", "upstream.test"), ("server.port", 80),
            ("proxykit.route", "/{**path}"), ("proxykit.cluster", "/{**path}"), ("proxykit.destination", ProxyApp.Upstream), ("http.response.status_code", 200),
        })
            Assert.Equal(value, span.GetTagItem(name));
        Assert.Equal(ActivityStatusCode.Unset, span.Status);
    }

    [Fact]
    public async Task A_failed_exchange_marks_its_span()
    {
        const string Trace = "1af7651916cd43dd8448eb211c80319c";
        Activity? span = null;
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "ProxyKit",
            Sample = (ref ActivityCreationOptions<ActivityContext> options) => options.TraceId.ToHexString() == Trace ? ActivitySamplingResult.AllData : ActivitySamplingResult.None,
            ActivityStopped = activity => span = activity,
        };
        ActivitySource.AddActivityListener(listener);
        await using var app = await ProxyApp.StartAsync(_ => throw new HttpRequestException("down"));

        await SendAsync(app, "/", $"00-{Trace}-b7ad6b7169203331-01");
        await app.OutcomeAsync();

        Assert.Equal(ActivityStatusCode.Error, span!.Status);
        Assert.Equal("Request", span.GetTagItem("error.type"));
        Assert.Null(span.GetTagItem("http.response.status_code")); // the destination gave none
    }

    [Fact]
    public async Task The_clients_trace_goes_on_when_nobody_listens()
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream);

        await SendAsync(app, "/", "00-2af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

        Assert.StartsWith("00-2af7651916cd43dd8448eb211c80319c-", upstream.Last["traceparent"], StringComparison.Ordinal);
    }

    private static Task<HttpResponseMessage> SendAsync(ProxyApp app, string path, string parent = Parent)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("traceparent", parent);
        request.Headers.Add("tracestate", "v=1");
        return app.Client.SendAsync(request);
    }
}

public class AccessLogTests
{
    [Fact]
    public async Task One_line_tells_of_one_request()
    {
        await using var app = await ProxyApp.StartAsync(_ => new(HttpStatusCode.OK) { Content = new StringContent("hello") }, route => route.WithAccessLog());

        await app.GetRawAsync("/a%20b?token=secret", c => (c.Connection.RemoteIpAddress, c.Request.Method) = (IPAddress.Parse("10.1.2.3"), "GET"));
        await app.OutcomeAsync();

        var line = Assert.Single(app.Logs.GetSnapshot(), line => line.Category == "ProxyKit.AccessLog");
        Assert.Equal((20, "AccessLog", LogLevel.Information), (line.Id.Id, line.Id.Name, line.Level));
        var fields = line.StructuredState!.ToDictionary(p => p.Key, p => p.Value);
        foreach (var (name, value) in new[]
        {
            ("Client", "10.1.2.3"), ("Method", "GET"), ("Scheme", "http"), ("Host", "localhost"), ("Path", "/a%20b"), ("StatusCode", "200"), ("RequestBytes", "0"), ("ResponseBytes", "5"),
            ("RouteId", "/{**path}"), ("ClusterId", "/{**path}"), ("Destination", ProxyApp.Upstream), ("Attempts", "1"), ("Outcome", "None"),
        })
            Assert.Equal(value, fields[name]);
        Assert.NotNull(fields["Seconds"]);
        Assert.NotNull(fields["FirstByteSeconds"]);
        Assert.DoesNotContain("secret", line.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/a%0a10.0.0.1 GET forged")]
    [InlineData("/a%0d%0aforged")]
    [InlineData("/a%1b[31m")]
    [InlineData("/a%c2%85%e2%80%a8")]
    public async Task No_client_writes_lines_of_its_own(string path)
    {
        await using var app = await ProxyApp.StartAsync(new Recorder(), route => route.WithAccessLog());

        await app.GetRawAsync(path);
        await app.OutcomeAsync();

        var line = Assert.Single(app.Logs.GetSnapshot(), line => line.Category == "ProxyKit.AccessLog");
        Assert.DoesNotContain(line.Message, c => char.IsControl(c) || c is '\u2028');
    }

    [Fact]
    public async Task It_is_silent_by_default()
    {
        await using var app = await ProxyApp.StartAsync(new Recorder());

        await app.Client.GetAsync("/");
        await app.OutcomeAsync();

        Assert.DoesNotContain(app.Logs.GetSnapshot(), line => line.Category == "ProxyKit.AccessLog");
    }

    [Fact]
    public async Task A_client_that_left_is_499()
    {
        var destinations = new TestDestinations();
        var upstream = destinations.Map(ProxyApp.Upstream, _ => new(HttpStatusCode.OK)).Stall();
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapProxy("/", ProxyApp.Upstream).WithAccessLog());
        using var leaving = new CancellationTokenSource();
        _ = app.Client.GetAsync("/", leaving.Token);
        await ProxyApp.ReachedAsync(upstream);

        await leaving.CancelAsync();
        await app.OutcomeAsync();

        var fields = Assert.Single(app.Logs.GetSnapshot(), line => line.Category == "ProxyKit.AccessLog").StructuredState!.ToDictionary(p => p.Key, p => p.Value);
        Assert.Equal(("499", "ClientAborted"), (fields["StatusCode"], fields["Outcome"]));
    }
}
