using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Forwarding;

/// <summary>What the client and the app learn when something goes wrong.</summary>
public class ErrorTests
{
    private readonly TestDestinations _destinations = new();
    private readonly TestDestination _upstream;
    private HttpContent _body = new StringContent("0123456789");

    public ErrorTests() => _upstream = _destinations.Map(ProxyApp.Upstream, _ => new(HttpStatusCode.OK) { Content = _body });

    public static TheoryData<string, Action<TestDestination>, int, ProxyError, FailureClass, string> Faults => new()
    {
        { "refused", u => u.Refuse(), 502, ProxyError.Connect, FailureClass.NothingSent, "connection_refused" },
        { "reset", u => u.Reset(), 502, ProxyError.Request, FailureClass.Unanswered, "connection_terminated" },
        { "first byte", u => u.Stall(), 504, ProxyError.FirstByteTimeout, FailureClass.Unanswered, "http_response_timeout" },
        { "reset before the first byte of the body", u => u.ResetAfter(0), 502, ProxyError.ResponseBodyDestination, FailureClass.Answered, "http_response_incomplete" },
    };

    [Theory(DisableDiscoveryEnumeration = true)]
    [MemberData(nameof(Faults))]
    public async Task A_failure_before_the_response_has_started_becomes_a_status(string fault, Action<TestDestination> fail, int status, ProxyError error, FailureClass failureClass, string proxyStatus)
    {
        await using var app = await StartAsync(route => route.WithProxyStatus());
        fail(_upstream);

        var request = app.Client.GetAsync("/secret-path");
        await ProxyApp.ReachedAsync(_upstream);
        var response = status == 504 ? await app.AdvanceUntilAsync(request, TimeSpan.FromSeconds(20)) : await request;

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal($"edge; error={proxyStatus}", response.Headers.GetValues("Proxy-Status").Single());
        await AssertRevealsNothingAsync(response, fault);
        var outcome = await app.OutcomeAsync();
        Assert.Equal((error, failureClass, 1), (outcome.Error, outcome.FailureClass, outcome.Attempts));
        Assert.NotNull(outcome.Exception);
        Assert.Equal(ProxyApp.Upstream, outcome.Destination!.Name);
        Assert.Equal(0, outcome.Destination.ActiveRequests);
        var line = Assert.Single(ProxyLines(app));
        Assert.Equal((2, "RequestFailed", LogLevel.Warning), (line.Id.Id, line.Id.Name, line.Level));
    }

    [Theory]
    [InlineData(HttpRequestError.NameResolutionError, ProxyError.NameResolution, FailureClass.NothingSent, "dns_error")]
    [InlineData(HttpRequestError.SecureConnectionError, ProxyError.Tls, FailureClass.NothingSent, "tls_protocol_error")]
    [InlineData(HttpRequestError.InvalidResponse, ProxyError.InvalidResponse, FailureClass.Answered, "http_protocol_error")]
    [InlineData(HttpRequestError.ConfigurationLimitExceeded, ProxyError.InvalidResponse, FailureClass.Answered, "http_protocol_error")]
    [InlineData(HttpRequestError.Unknown, ProxyError.Request, FailureClass.Unanswered, "connection_terminated")]
    public async Task An_exchange_that_fails_is_502_with_its_class(HttpRequestError cause, ProxyError error, FailureClass failureClass, string proxyStatus)
    {
        _destinations.Map(ProxyApp.Upstream, _ => throw new HttpRequestException(cause, "upstream.test said so"));
        await using var app = await StartAsync(route => route.WithProxyStatus());

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal($"edge; error={proxyStatus}", response.Headers.GetValues("Proxy-Status").Single());
        await AssertRevealsNothingAsync(response, "exchange");
        var outcome = await app.OutcomeAsync();
        Assert.Equal((error, failureClass), (outcome.Error, outcome.FailureClass));
    }

    [Fact]
    public async Task A_connection_that_takes_too_long_is_504()
    {
        _destinations.Map(ProxyApp.Upstream, _ => throw new TaskCanceledException("", new TimeoutException()));
        await using var app = await StartAsync();

        Assert.Equal(HttpStatusCode.GatewayTimeout, (await app.Client.GetAsync("/")).StatusCode);
        Assert.Equal(ProxyError.ConnectTimeout, (await app.OutcomeAsync()).Error);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_total_timeout_counts_from_the_start_to_the_last_byte(bool ofRoute)
    {
        await using var app = await StartAsync(route =>
        {
            if (ofRoute)
                route.WithTimeout(TimeSpan.FromSeconds(3)).WithTimeouts(t => t.Total = TimeSpan.FromHours(1));
            else
                route.WithTimeouts(t => t.Total = TimeSpan.FromSeconds(3));
        });
        _upstream.Stall();
        var start = app.Time.GetUtcNow();

        var request = app.Client.GetAsync("/");
        await ProxyApp.ReachedAsync(_upstream);
        var response = await app.AdvanceUntilAsync(request, TimeSpan.FromMilliseconds(100));

        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Equal(ProxyError.TotalTimeout, (await app.OutcomeAsync()).Error);
        Assert.True(app.Time.GetUtcNow() - start >= TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task The_time_that_a_request_delegate_takes_is_not_the_upstreams()
    {
        ProxyApp? app = null;
        await using var running = app = await StartAsync(route => route.WithTransforms(t => t.OnRequest(_ =>
        {
            app!.Time.Advance(TimeSpan.FromSeconds(60));
            return default;
        })));
        _upstream.Stall();
        var request = app.Client.GetAsync("/");
        await ProxyApp.ReachedAsync(_upstream);

        app.Time.Advance(TimeSpan.FromSeconds(60));
        Assert.False(request.IsCompleted);
        app.Time.Advance(TimeSpan.FromSeconds(60));

        Assert.Equal(HttpStatusCode.GatewayTimeout, (await request).StatusCode);
        Assert.Equal(ProxyError.FirstByteTimeout, (await app.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task A_limit_that_is_switched_off_does_not_count()
    {
        await using var app = await StartAsync(route => route.WithTimeouts(t => (t.FirstByte, t.Connect) = (Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan)));
        using var leaving = new CancellationTokenSource();
        _upstream.Stall();
        var request = app.Client.GetAsync("/", leaving.Token);
        await ProxyApp.ReachedAsync(_upstream);

        app.Time.Advance(TimeSpan.FromDays(20));

        Assert.False(request.IsCompleted);
        await leaving.CancelAsync();
        Assert.Equal(ProxyError.ClientAborted, (await app.OutcomeAsync()).Error);
    }

    public static TheoryData<string, bool, Action<TestDestination>, ProxyError> Breaks => new()
    {
        { "reset, known length", true, u => u.ResetAfter(4), ProxyError.ResponseBodyDestination },
        { "reset, unknown length", false, u => u.ResetAfter(4), ProxyError.ResponseBodyDestination },
        { "stall, known length", true, u => u.StallAfter(4), ProxyError.IdleTimeout },
        { "stall, unknown length", false, u => u.StallAfter(4), ProxyError.IdleTimeout },
    };

    [Theory(DisableDiscoveryEnumeration = true)]
    [MemberData(nameof(Breaks))]
    public async Task A_response_that_breaks_off_is_never_taken_for_a_whole_one(string how, bool known, Action<TestDestination> fail, ProxyError error)
    {
        Assert.NotEmpty(how);
        if (!known)
            _body = new UnknownLength("0123456789");
        await using var app = await StartAsync();
        fail(_upstream);

        if (error == ProxyError.IdleTimeout)
        {
            var body = await app.Client.GetStreamAsync("/");
            await body.ReadExactlyAsync(new byte[4]);
            await app.AdvanceUntilAsync(Assert.ThrowsAnyAsync<Exception>(async () => await body.ReadAtLeastAsync(new byte[1], 1)), TimeSpan.FromSeconds(20));
        }
        else
            await Assert.ThrowsAnyAsync<Exception>(() => app.Client.GetStringAsync("/"));

        var outcome = await app.OutcomeAsync();
        Assert.Equal((error, FailureClass.ResponseStarted, 4), (outcome.Error, outcome.FailureClass, outcome.ResponseBodyBytes));
        Assert.Equal("ResponseAborted", Assert.Single(ProxyLines(app)).Id.Name);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_leaves_is_499_in_one_line_at_debug(bool afterStart)
    {
        await using var app = await StartAsync();
        if (afterStart)
            _upstream.StallAfter(4);
        else
            _upstream.Stall();
        using var leaving = new CancellationTokenSource();
        var request = app.Client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead, leaving.Token);
        Stream? body = null;
        if (afterStart)
            await (body = await (await request).Content.ReadAsStreamAsync(leaving.Token)).ReadExactlyAsync(new byte[4], leaving.Token);
        else
            await ProxyApp.ReachedAsync(_upstream);

        await leaving.CancelAsync();
        if (body is not null)
            await body.DisposeAsync();

        var outcome = await app.OutcomeAsync();
        Assert.Equal(ProxyError.ClientAborted, outcome.Error);
        var line = Assert.Single(ProxyLines(app));
        Assert.Equal((4, "ClientAborted", LogLevel.Debug), (line.Id.Id, line.Id.Name, line.Level));
        Assert.Equal(0, outcome.Destination!.ActiveRequests);
    }

    [Fact]
    public async Task A_cluster_without_available_destinations_is_503()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy().AddCluster("empty", c => c.WithDestination("http://a.test", d => d.Weight = 0)),
            app => app.MapProxy("/{**path}", "empty").WithProxyStatus());

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.EndsWith("; error=destination_unavailable", response.Headers.GetValues("Proxy-Status").Single(), StringComparison.Ordinal);
        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.NoAvailableDestinations, FailureClass.NothingSent, 0), (outcome.Error, outcome.FailureClass, outcome.Attempts));
    }

    [Fact]
    public async Task A_good_answer_is_told_in_Proxy_Status_too()
    {
        await using var app = await StartAsync(route => route.WithProxyStatus());
        _upstream.Respond(HttpStatusCode.NotFound);

        Assert.Equal("edge; received-status=404", (await app.Client.GetAsync("/")).Headers.GetValues("Proxy-Status").Single());
    }

    [Fact]
    public async Task Proxy_Status_is_silent_by_default()
    {
        await using var app = await StartAsync();
        _upstream.Refuse();

        Assert.False((await app.Client.GetAsync("/")).Headers.Contains("Proxy-Status"));
    }

    [Fact]
    public async Task A_request_that_goes_well_tells_its_bytes_and_times()
    {
        await using var app = await StartAsync();

        await app.Client.PostAsync("/", new StringContent("abc"));

        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.None, FailureClass.None, 1, 3, 10), (outcome.Error, outcome.FailureClass, outcome.Attempts, outcome.RequestBodyBytes, outcome.ResponseBodyBytes));
        Assert.NotNull(outcome.TimeToFirstByte);
        Assert.Null(outcome.Exception);
        Assert.Equal("/{**path}", outcome.Route.RouteId);
        Assert.Single(outcome.AvailableDestinations);
        Assert.Empty(ProxyLines(app));
    }

    [Theory]
    [InlineData("TRACE", 405, "a method that is not forwarded")]
    [InlineData("CONNECT", 405, "a method that is not forwarded")]
    [InlineData("get", 501, "a method in the wrong case")]
    public async Task A_method_that_is_not_for_a_gateway_is_refused(string method, int status, string reason)
    {
        await using var app = await StartAsync();

        var context = await app.GetRawAsync("/", c => c.Request.Method = method);

        Assert.Equal(status, context.Response.StatusCode);
        Assert.Equal(status == 405, context.Response.Headers.ContainsKey("Allow"));
        Assert.Equal(0, _upstream.Requests);
        var line = Assert.Single(ProxyLines(app));
        Assert.Equal((1, "RequestRejected"), (line.Id.Id, line.Id.Name));
        Assert.Contains(reason, line.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OPTIONS_with_no_forwards_left_is_answered_here()
    {
        var recorder = new Recorder();
        await using var app = await ProxyApp.StartAsync(recorder);

        var last = await app.GetRawAsync("/", c => (c.Request.Method, c.Request.Headers["Max-Forwards"]) = ("OPTIONS", "0"));
        Assert.Equal(200, last.Response.StatusCode);
        Assert.Contains("GET", last.Response.Headers.Allow.ToString(), StringComparison.Ordinal);
        Assert.Empty(recorder.Requests);

        await app.GetRawAsync("/", c => (c.Request.Method, c.Request.Headers["Max-Forwards"]) = ("OPTIONS", "3"));
        Assert.Equal("2", recorder.Last["Max-Forwards"]);
    }

    private Task<ProxyApp> StartAsync(Action<ProxyRouteBuilder>? route = null) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy(o => o.Pseudonym = "edge");
            services.AddProxyTestDestinations(_destinations);
        },
        app =>
        {
            var builder = app.MapProxy("/{**path}", ProxyApp.Upstream);
            route?.Invoke(builder);
        });

    [Fact]
    public async Task A_body_that_a_middleware_gives_up_is_400_and_not_the_clients_departure()
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                var destinations = new TestDestinations();
                destinations.Map(ProxyApp.Upstream, new Recorder().Handle);
                services.AddProxyTestDestinations(destinations);
            },
            app =>
            {
                app.Use(next => context =>
                {
                    context.Request.Body = new CancelledBody();
                    return next(context);
                });
                app.MapProxy("/{**path}", ProxyApp.Upstream);
            });

        Assert.Equal(HttpStatusCode.BadRequest, (await app.Client.PostAsync("/", new StringContent("abc"))).StatusCode);
        Assert.Equal(ProxyError.RequestBodyClient, (await app.OutcomeAsync()).Error);
    }

    private sealed class CancelledBody : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => throw new OperationCanceledException();
    }

    [Fact]
    public async Task Requests_without_a_destination_are_logged_once_in_ten_seconds_with_their_number()
    {
        await using var app = await ProxyApp.StartAsync(new Recorder());
        var cluster = app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters[0].ClusterId;
        app.Services.GetRequiredService<IProxyControl>().SetMode(cluster, ProxyApp.Upstream, DestinationMode.Maintenance);

        for (var i = 0; i < 5; i++)
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await app.Client.GetAsync("/")).StatusCode);
        Assert.Single(app.Logs.GetSnapshot(), r => r.Id.Name == "RequestFailed");
        app.Time.Advance(TimeSpan.FromSeconds(11));
        await app.Client.GetAsync("/");

        Assert.Contains("(5 requests since the last such line)", app.Logs.GetSnapshot().Last(r => r.Id.Name == "RequestFailed").Message, StringComparison.Ordinal);
    }

    private static IEnumerable<Microsoft.Extensions.Logging.Testing.FakeLogRecord> ProxyLines(ProxyApp app) =>
        app.Logs.GetSnapshot().Where(line => line.Category == "ProxyKit" && line.Id.Name != "ConfigurationLoaded");

    private static async Task AssertRevealsNothingAsync(HttpResponseMessage response, string fault)
    {
        var all = $"{response.Headers}{response.Content.Headers}{await response.Content.ReadAsStringAsync()}";
        foreach (var secret in new[] { "upstream", "secret", "Exception", "(test)", "said so" })
            Assert.False(all.Contains(secret, StringComparison.OrdinalIgnoreCase), $"{fault}: {all}");
    }
}
