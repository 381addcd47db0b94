using System.Diagnostics.Metrics;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Hosting;
using ProxyKit.Pipeline;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Mirroring;

/// <summary>A shadow cluster gets a copy of the requests, and nobody notices.</summary>
public class MirrorTests
{
    // What would be mirrored is dropped, before the client has its answer.
    private static readonly Action<ClusterBuilder> s_unavailable = c => c.WithDestination("http://shadow.test", d => d.Weight = 0);

    private readonly TestDestinations _destinations = new();
    private readonly Recorder _main = new(), _shadow = new();
    private readonly TestDestination _mainServer, _shadowServer;

    public MirrorTests()
    {
        _main.Answer = _ => new(HttpStatusCode.OK) { Content = new StringContent("main") };
        _shadow.Answer = _ => new(HttpStatusCode.OK) { Content = new StringContent("shadow") };
        _mainServer = _destinations.Map("http://main.test", _main.Handle);
        _shadowServer = _destinations.Map("http://shadow.test", _shadow.Handle);
    }

    [Theory]
    [InlineData("GET", null)]
    [InlineData("DELETE", null)]
    [InlineData("POST", "")]
    [InlineData("POST", "name=Ada&x=%20")]
    [InlineData("PUT", "äöü")]
    public async Task The_shadow_gets_the_same_request_and_the_client_the_main_answer(string method, string? body)
    {
        await using var app = await StartAsync();
        using var request = new HttpRequestMessage(new(method), "/a%2Fb/c?x=1&y=%20") { Content = body is null ? null : new StringContent(body, Encoding.UTF8, "text/x-test") };
        request.Headers.Add("Cookie", "a=b");
        request.Headers.Add("X-Two", ["1", "2"]);

        var response = await app.Client.SendAsync(request);

        Assert.Equal("main", await response.Content.ReadAsStringAsync());
        await app.MirroredAsync(1);
        var (main, shadow) = (_main.Last, _shadow.Last);
        Assert.Equal(method, shadow.Method);
        Assert.Equal(main.Target, shadow.Target);
        Assert.Equal(body ?? "", shadow.Body);
        Assert.Equal(body ?? "", main.Body);
        foreach (var name in new[] { "Cookie", "X-Two", "Content-Type", "Content-Length", "Via", "X-Forwarded-Host", "X-Forwarded-Proto", "User-Agent" })
            Assert.Equal(main[name], shadow[name]);
        Assert.Equal("a=b", shadow["Cookie"]);
        Assert.Equal("http://shadow.test", shadow.Uri[..18]);
    }

    [Fact]
    public async Task The_route_s_transforms_hold_for_the_copy_and_a_header_marks_it_if_wanted()
    {
        await using var app = await StartAsync(
            m => m.Header = "X-Shadow",
            r => r.WithTransforms(t => t.AddPathPrefix("/base").SetRequestHeader("X-Gateway", "g").UseOriginalHost(true)));

        await app.Client.GetAsync("http://www.example.com/a");

        await app.MirroredAsync(1);
        Assert.Equal("/base/a", _shadow.Last.Target);
        Assert.Equal("g", _shadow.Last["X-Gateway"]);
        Assert.Equal("www.example.com", _shadow.Last.Host);
        Assert.Equal("1", _shadow.Last["X-Shadow"]);
        Assert.Null(_main.Last["X-Shadow"]);
    }

    [Fact]
    public async Task A_shadow_that_speaks_FastCGI_is_told_the_script()
    {
        using var site = new FastCgi.SiteFolder("x.php");
        var told = new TaskCompletionSource<HttpRequestMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        _destinations.Map("fastcgi://shadow.test", request =>
        {
            told.TrySetResult(request);
            return new(HttpStatusCode.OK);
        });
        await using var app = await StartAsync(route: r => r.WithFastCgi(site.Root), shadow: c => c.To("fastcgi://shadow.test"));

        await app.Client.GetAsync("/nope.php"); // the shadow's 404 is nobody's
        await app.Client.GetAsync("/x.php/info");

        var request = await told.Task.WaitAsync(TestContext.Current.CancellationToken);
        Assert.True(request.Options.TryGetValue(FastCgiHandler.Parameters, out var parameters));
        Assert.Contains(new("SCRIPT_FILENAME", site["x.php"]), parameters);
        Assert.Contains(new("PATH_INFO", "/info"), parameters);
        await app.MirroredAsync(1);
        Assert.Single(app.Mirrored);
    }

    [Fact]
    public async Task A_chunked_body_is_mirrored_whole()
    {
        await using var app = await StartAsync();

        await app.Client.PostAsync("/", new UnknownLength("one ", "two ", "three"));

        await app.MirroredAsync(1);
        Assert.Equal("one two three", _main.Last.Body);
        Assert.Equal("one two three", _shadow.Last.Body);
    }

    [Fact]
    public async Task A_body_of_many_segments_arrives_whole()
    {
        await using var app = await StartAsync(m => m.MaxBodySize = 1 << 20);
        var body = string.Concat(Enumerable.Range(0, 100_000).Select(i => $"{i},"));

        await app.Client.PostAsync("/", new StringContent(body));

        await app.MirroredAsync(1);
        Assert.Equal(body, _main.Last.Body);
        Assert.Equal(body, _shadow.Last.Body);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_that_is_too_large_is_not_mirrored(bool knownLength)
    {
        await using var app = await StartAsync(m => m.MaxBodySize = 10);

        await app.Client.PostAsync("/", Content("0123456789"));
        await app.MirroredAsync(1);
        await app.Client.PostAsync("/", Content("0123456789a"));

        Assert.Equal("0123456789a", _main.Last.Body);
        Assert.Equal(["BodyTooLarge"], app.Dropped);
        Assert.Equal("0123456789", Assert.Single(_shadow.Requests).Body);

        HttpContent Content(string text) => knownLength ? new StringContent(text) : new UnknownLength(text[..5], text[5..]);
    }

    [Fact]
    public async Task With_a_limit_of_nothing_requests_without_a_body_are_mirrored()
    {
        await using var app = await StartAsync(m => m.MaxBodySize = 0);

        await app.Client.PostAsync("/", new StringContent("x"));
        await app.Client.GetAsync("/get");

        await app.MirroredAsync(1);
        Assert.Equal("/get", Assert.Single(_shadow.Requests).Target);
    }

    [Fact]
    public async Task A_percentage_of_the_requests_is_mirrored()
    {
        await using var app = await StartAsync(m => m.Percentage = 25, shadow: s_unavailable);

        for (var i = 0; i < 4000; i++)
            await app.Client.GetAsync("/");

        // Five standard deviations. Each is dropped at once: there is nothing to wait for.
        Assert.InRange(app.Dropped.Length, 1000 - 5 * 27, 1000 + 5 * 27);
    }

    [Fact]
    public async Task A_percentage_of_zero_switches_the_mirror_off()
    {
        await using var app = await StartAsync(m => m.Percentage = 0, shadow: s_unavailable);

        await app.Client.GetAsync("/");

        Assert.Empty(app.Dropped);
    }

    [Fact]
    public async Task A_shadow_that_stalls_delays_nobody_and_is_given_up_in_time()
    {
        _shadowServer.Stall();
        await using var app = await StartAsync(m => m.Timeout = TimeSpan.FromSeconds(5));

        Assert.Equal("main", await app.Client.GetStringAsync("/"));
        Assert.Equal("main", await (await app.Client.PostAsync("/", new StringContent("x"))).Content.ReadAsStringAsync());

        await app.StartedAsync(2);
        app.Time.Advance(TimeSpan.FromSeconds(4));
        Assert.Empty(app.Mirrored);
        app.Time.Advance(TimeSpan.FromSeconds(1));
        await app.MirroredAsync(2);
        Assert.All(app.Mirrored, m => Assert.Equal("TotalTimeout", m.Tags["error.type"]));
    }

    [Theory]
    [InlineData("refuse", "Connect", null)]
    [InlineData("reset", "Request", null)]
    [InlineData("break", "ResponseBodyDestination", 200)]
    [InlineData("500", null, 500)]
    public async Task A_shadow_that_fails_fails_nobody(string fault, string? error, int? status)
    {
        _ = fault switch
        {
            "refuse" => _shadowServer.Refuse(),
            "reset" => _shadowServer.Reset(),
            "break" => _shadowServer.ResetAfter(3),
            _ => _shadowServer.Respond(HttpStatusCode.InternalServerError),
        };
        await using var app = await StartAsync();

        Assert.Equal("main", await app.Client.GetStringAsync("/"));

        await app.MirroredAsync(1);
        var measured = Assert.Single(app.Mirrored);
        Assert.Equal("shadow", measured.Tags["proxykit.cluster"]);
        Assert.Equal("/{**path}", measured.Tags["proxykit.route"]);
        Assert.Equal(error, measured.Tags.GetValueOrDefault("error.type"));
        Assert.Equal(status, measured.Tags.GetValueOrDefault("http.response.status_code"));
        Assert.Equal(error is null ? 0 : 1, app.Proxy.Logs.GetSnapshot().Count(line => line.Id is { Id: 112, Name: "MirrorFailed" }));
        Assert.Equal(ProxyError.None, (await app.Proxy.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task The_shadow_is_judged_by_its_copies_and_only_the_shadow()
    {
        await using var app = await StartAsync(shadow: c => c.WithDestination("http://shadow.test").WithLoadBalancing("Watching"));

        await app.Client.GetAsync("/");
        await app.MirroredAsync(1);
        _shadowServer.Refuse();
        await app.Client.GetAsync("/");
        await app.MirroredAsync(2);
        _shadowServer.ResetAfter(3);
        await app.Client.GetAsync("/");
        await app.MirroredAsync(3);

        var policy = app.Proxy.Services.GetServices<ILoadBalancingPolicy>().OfType<WatchingPolicy>().Single();
        Assert.Equal(["200 None", "0 Connect", "200 None", "broke off: ResponseBodyDestination"], policy.Seen);
    }

    [Fact]
    public async Task No_more_copies_are_under_way_than_allowed_and_what_is_too_much_is_dropped()
    {
        _shadowServer.Stall();
        await using var app = await StartAsync(m =>
        {
            m.MaxConcurrentRequests = 2;
            m.Timeout = TimeSpan.FromSeconds(5);
        });

        for (var i = 0; i < 5; i++)
            Assert.Equal("main", await app.Client.GetStringAsync("/"));
        await app.StartedAsync(2);
        Assert.Equal(["TooMany", "TooMany", "TooMany"], app.Dropped);
        Assert.Equal(111, app.Proxy.Logs.GetSnapshot().First(line => line.Id.Name == "MirrorDropped").Id.Id);

        _shadowServer.Recover();
        app.Time.Advance(TimeSpan.FromSeconds(5));
        await app.MirroredAsync(2);
        await app.Client.GetAsync("/again");
        await app.MirroredAsync(3);
        Assert.Equal("/again", Assert.Single(_shadow.Requests).Target);
    }

    [Fact]
    public async Task A_shadow_without_a_destination_gets_nothing()
    {
        await using var app = await StartAsync(shadow: s_unavailable);

        Assert.Equal("main", await app.Client.GetStringAsync("/"));

        Assert.Equal(["NoAvailableDestinations"], app.Dropped);
    }

    [Fact]
    public async Task A_shadow_s_destination_that_is_full_gets_nothing()
    {
        _shadowServer.Stall();
        await using var app = await StartAsync(shadow: c => c.WithDestination("http://shadow.test", d => d.MaxConcurrentRequests = 1));

        await app.Client.GetAsync("/");
        await app.Client.GetAsync("/");

        Assert.Equal(["NoAvailableDestinations"], app.Dropped);
    }

    [Fact]
    public async Task A_load_balancing_policy_that_throws_for_the_shadow_fails_nobody()
    {
        await using var app = await StartAsync(shadow: c => c.WithDestination("http://shadow.test").WithLoadBalancing("Broken"));

        Assert.Equal("main", await app.Client.GetStringAsync("/"));

        Assert.Equal(113, Assert.Single(app.Proxy.Logs.GetSnapshot(), line => line.Id.Name == "MirrorNotPrepared").Id.Id);
    }

    [Fact]
    public async Task A_request_without_a_body_is_mirrored_though_the_main_upstream_is_down()
    {
        _mainServer.Refuse();
        await using var app = await StartAsync();

        Assert.Equal(HttpStatusCode.BadGateway, (await app.Client.GetAsync("/")).StatusCode);

        await app.MirroredAsync(1);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("body")]
    public async Task A_request_that_is_retried_is_mirrored_once(string? body)
    {
        _mainServer.Reset().Times(1);
        await using var app = await StartAsync(route: r => r.WithDestination("http://main.test/other").WithRetries());

        var response = await app.Client.PutAsync("/", body is null ? null : new StringContent(body));

        Assert.Equal("main", await response.Content.ReadAsStringAsync());
        Assert.Equal(2, (await app.Proxy.OutcomeAsync()).Attempts);
        await app.MirroredAsync(1);
        Assert.Equal(body ?? "", Assert.Single(_shadow.Requests).Body);
        Assert.Empty(app.Dropped);
    }

    [Fact]
    public async Task A_body_that_nobody_reads_is_not_read_for_the_shadow()
    {
        _mainServer.Refuse();
        await using var app = await StartAsync();

        Assert.Equal(HttpStatusCode.BadGateway, (await app.Client.PostAsync("/", new StringContent("x"))).StatusCode);

        Assert.Equal(["BodyIncomplete"], app.Dropped);
        Assert.Equal(0, app.Sent);
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_of_its_body_is_not_mirrored()
    {
        await using var app = await StartAsync();
        using var leave = new CancellationTokenSource();
        var body = new EndlessContent();
        var request = app.Client.PostAsync("/", body, leave.Token);
        await body.Begun;

        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        await app.Proxy.OutcomeAsync();
        Assert.Equal(["BodyIncomplete"], app.Dropped);
        Assert.Equal(0, app.Sent);
    }

    [Fact]
    public async Task A_client_that_leaves_afterwards_does_not_take_the_copy_along()
    {
        _mainServer.Stall();
        var answer = new TaskCompletionSource<HttpResponseMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        var shadow = new HeldHandler(answer.Task);
        _destinations.Map("http://shadow.test", shadow);
        await using var app = await StartAsync();
        using var leave = new CancellationTokenSource();
        var request = app.Client.GetAsync("/", leave.Token);
        await shadow.Reached;
        await ProxyApp.ReachedAsync(_mainServer);

        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        await app.Proxy.OutcomeAsync();

        Assert.False(shadow.Token.IsCancellationRequested);
        answer.SetResult(new(HttpStatusCode.OK));
        await app.MirroredAsync(1);
        Assert.Equal(200, Assert.Single(app.Mirrored).Tags["http.response.status_code"]);
    }

    [Fact]
    public async Task Copies_end_with_the_app()
    {
        var shadow = new HeldHandler(new TaskCompletionSource<HttpResponseMessage>().Task);
        _destinations.Map("http://shadow.test", shadow);
        await using var app = await StartAsync();
        await app.Client.GetAsync("/");
        await shadow.Reached;
        Assert.False(shadow.Token.IsCancellationRequested);

        app.Proxy.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();

        Assert.True(shadow.Token.IsCancellationRequested);
    }

    [Fact]
    public async Task What_the_proxy_refuses_and_what_is_upgraded_is_not_mirrored()
    {
        await using var app = await StartAsync(shadow: s_unavailable);

        await app.Proxy.GetRawAsync("/refused", context => context.Request.Method = "TRACE");
        await app.Proxy.GetRawAsync("/socket", context =>
        {
            context.Request.Headers.Upgrade = "websocket";
            context.Request.Headers.Connection = "Upgrade";
            context.Features.Set<IHttpUpgradeFeature>(new Upgradable());
        });

        Assert.Empty(app.Dropped);
    }

    [Theory]
    [InlineData("00000000036162630000000000", true)] // wrong: bytes after the message
    [InlineData("0000000003616263", false)]
    [InlineData("00000000016100000000016200000000", true)]
    [InlineData("", true)]
    [InlineData("0000000000", false)]
    public async Task A_gRPC_call_with_one_message_is_mirrored_and_a_stream_is_not(string hex, bool isStream)
    {
        await using var app = await StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/package.Service/Call") { Version = HttpVersion.Version20, Content = new RawContent(Convert.FromHexString(hex)) };
        request.Content.Headers.ContentType = new("application/grpc");
        request.Headers.TE.ParseAdd("trailers");

        await app.Client.SendAsync(request);

        Assert.Equal(isStream ? ["Stream"] : [], app.Dropped);
        if (!isStream)
        {
            await app.MirroredAsync(1);
            Assert.Equal("trailers", _shadow.Last["TE"]);
            Assert.Equal(hex.Length / 2, _shadow.Last.Body.Length);
        }
    }

    [Fact]
    public async Task A_body_that_a_delegate_puts_in_the_place_of_the_client_s_is_the_upstream_s_and_not_mirrored()
    {
        await using var app = await StartAsync(route: r => r.WithTransforms(t => t.OnRequest(context =>
        {
            context.HttpContext.Request.Body = new MemoryStream("HELLO"u8.ToArray());
            return ValueTask.CompletedTask;
        })));

        await app.Client.PostAsync("/", new StringContent("hello"));

        Assert.Equal("HELLO", _main.Last.Body);
        Assert.Equal(["BodyIncomplete"], app.Dropped);
    }

    [Fact]
    public async Task Requests_that_a_split_gives_to_the_shadow_are_not_given_to_it_twice()
    {
        await using var app = await StartAsync(route: r => r.WithSplit(s =>
            s.Clusters.Add(new() { ClusterId = "shadow", Headers = [new() { Name = "X-Canary", Mode = HeaderMatchMode.Exists }] })));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/canary");
        request.Headers.Add("X-Canary", "1");

        Assert.Equal("shadow", await (await app.Client.SendAsync(request)).Content.ReadAsStringAsync());
        Assert.Equal("main", await app.Client.GetStringAsync("/other"));

        await app.MirroredAsync(1);
        Assert.Equal(["/canary", "/other"], _shadow.Requests.Select(r => r.Target));
    }

    [Fact]
    public async Task Code_and_json_make_the_same_records()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy()
                .AddCluster("c", c => c.To("http://c"))
                .AddCluster("d", c => c.To("http://d"))
                .LoadFromConfig(Misconfigured.Json(
                    """
                    {'Routes':{'r':{'ClusterId':'c','Match':{'Path':'/json'},'Mirror':{
                      'ClusterId':'d','Percentage':2.5,'MaxBodySize':1000,'Timeout':'00:00:02','MaxConcurrentRequests':7,'Header':'X-Shadow'}},
                     's':{'ClusterId':'c','Match':{'Path':'/json2'},'Mirror':{'ClusterId':'d'}}}}
                    """)),
            app =>
            {
                app.MapProxy("/code", "c").WithMirror("d").WithMirror(m =>
                {
                    m.Percentage = 2.5;
                    m.MaxBodySize = 1000;
                    m.Timeout = TimeSpan.FromSeconds(2);
                    m.MaxConcurrentRequests = 7;
                    m.Header = "X-Shadow";
                });
                app.MapProxy("/code2", "c").WithMirror("d");
                app.MapReverseProxy();
            });

        var routes = app.Services.GetRequiredService<ProxyConfigMonitor>().Routes;
        Assert.Equal(new() { ClusterId = "d", Percentage = 2.5, MaxBodySize = 1000, Timeout = TimeSpan.FromSeconds(2), MaxConcurrentRequests = 7, Header = "X-Shadow" }, routes[0].Mirror);
        Assert.Equal(routes[0].Mirror, routes[2].Mirror);
        Assert.Equal(new() { ClusterId = "d" }, routes[1].Mirror);
        Assert.Equal(routes[1].Mirror, routes[3].Mirror);
    }

    [Fact]
    public async Task What_is_wrong_is_said_at_start_up()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy().AddCluster("shop", c => c.To("http://shop")).AddCluster("shadow", c => c.To("http://shadow")),
            app =>
            {
                app.MapProxy("/a", "shop").WithMirror("shdow");
                app.MapProxy("/b", "shop").WithMirror("SHOP");
                app.MapProxy("/c", "shop").WithMirror(m => m.Percentage = 1);
                app.MapProxy("/d", "shop").WithMirror("shadow").WithMirror(m =>
                {
                    m.Percentage = 100.5;
                    m.MaxBodySize = -1;
                    m.Timeout = TimeSpan.Zero;
                    m.MaxConcurrentRequests = 0;
                    m.Header = "X Shadow";
                });
            });

        Assert.Equal(
            [
                "Route '/a': Mirror: there is no cluster 'shdow'. Did you mean 'shadow'?",
                "Route '/b': Mirror: 'SHOP' is the route's own cluster, which would get each request twice. Name another.",
                "Route '/c': Mirror names no cluster: ClusterId is required.",
                "Route '/d': Mirror: Percentage is 100.5; it must be 0 to 100.",
                "Route '/d': Mirror: MaxBodySize is -1; it must be 0 to 1073741824 bytes.",
                "Route '/d': Mirror: Timeout is 00:00:00; it must be positive and at most 24 days.",
                "Route '/d': Mirror: MaxConcurrentRequests is 0; it must be at least 1.",
                "Route '/d': Mirror: Header 'X Shadow' is not a header name.",
            ],
            errors);
    }

    private async Task<MirrorApp> StartAsync(Action<MirrorOptions>? mirror = null, Action<ProxyRouteBuilder>? route = null, Action<ClusterBuilder>? shadow = null)
    {
        var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddCluster("shadow", shadow ?? (c => c.To("http://shadow.test"))).AddLoadBalancingPolicy<BrokenPolicy>().AddLoadBalancingPolicy<WatchingPolicy>();
                services.AddProxyTestDestinations(_destinations);
            },
            app =>
            {
                var builder = app.MapProxy("/{**path}", "http://main.test").WithMirror("shadow");
                if (mirror is not null)
                    builder.WithMirror(mirror);
                route?.Invoke(builder);
            });
        return new(app, _shadowServer);
    }

    /// <summary>The app, and what its mirror has done.</summary>
    private sealed class MirrorApp : IAsyncDisposable
    {
        private readonly TestDestination _shadow;
        private readonly MetricCollector<double> _duration;
        private readonly MetricCollector<long> _dropped;

        public MirrorApp(ProxyApp proxy, TestDestination shadow)
        {
            Proxy = proxy;
            _shadow = shadow;
            var meters = proxy.Services.GetRequiredService<IMeterFactory>();
            _duration = new(meters, "ProxyKit", "proxykit.mirror.duration");
            _dropped = new(meters, "ProxyKit", "proxykit.mirror.dropped");
        }

        public ProxyApp Proxy { get; }

        public HttpClient Client => Proxy.Client;

        public Microsoft.Extensions.Time.Testing.FakeTimeProvider Time => Proxy.Time;

        /// <summary>Copies that have ended.</summary>
        public IReadOnlyList<CollectedMeasurement<double>> Mirrored => _duration.GetMeasurementSnapshot();

        public string[] Dropped => [.. _dropped.GetMeasurementSnapshot().Select(m => (string)m.Tags["reason"]!)];

        /// <summary>Copies under way or ended.</summary>
        public int Sent => Math.Max(_shadow.Requests, Mirrored.Count);

        public Task MirroredAsync(int count) => _duration.WaitForMeasurementsAsync(count, TestContext.Current.CancellationToken);

        public async Task StartedAsync(int count)
        {
            while (_shadow.Requests < count)
                await Task.Yield();
        }

        public ValueTask DisposeAsync()
        {
            _duration.Dispose();
            _dropped.Dispose();
            return Proxy.DisposeAsync();
        }
    }

    private sealed class BrokenPolicy : ILoadBalancingPolicy
    {
        public string Name => "Broken";

        public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker();

        private sealed class Picker : DestinationPicker
        {
            public override Destination? Pick(in PickContext context) => throw new InvalidOperationException("broken");
        }
    }

    private sealed class WatchingPolicy : ILoadBalancingPolicy, IAttemptObserver
    {
        public string Name => "Watching";

        public List<string> Seen { get; } = [];

        public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker(destinations.Available[0]);

        public void Answered(Destination destination, in AttemptOutcome outcome) => Seen.Add($"{outcome.StatusCode} {outcome.Error}");

        public void BrokeOff(Destination destination, ProxyError error) => Seen.Add($"broke off: {error}");

        private sealed class Picker(Destination destination) : DestinationPicker
        {
            public override Destination? Pick(in PickContext context) => destination;
        }
    }

    private sealed class HeldHandler(Task<HttpResponseMessage> answer) : HttpMessageHandler
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Reached => _reached.Task;

        public CancellationToken Token { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Token = cancellationToken;
            _reached.TrySetResult();
            return answer.WaitAsync(cancellationToken);
        }
    }

    private sealed class EndlessContent : HttpContent
    {
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Begun => _begun.Task;

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, default);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await stream.WriteAsync(new byte[100], cancellationToken);
            await stream.FlushAsync(cancellationToken);
            _begun.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    /// <summary>Bytes of unknown length, so that even none of them are a body.</summary>
    private sealed class RawContent(byte[] bytes) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(bytes).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    private sealed class Upgradable : IHttpUpgradeFeature
    {
        public bool IsUpgradableRequest => true;

        public Task<Stream> UpgradeAsync() => throw new InvalidOperationException("not in this test");
    }
}
