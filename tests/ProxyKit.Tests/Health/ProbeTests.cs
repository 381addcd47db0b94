using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Logging;
using ProxyKit.Health;
using static ProxyKit.Tests.Health.ProbedApp;

namespace ProxyKit.Tests.Health;

/// <summary>What each kind of probe asks, and which answers are well.</summary>
public class ProbeTests
{
    private static readonly byte[] s_serving = [0, 0, 0, 0, 2, 8, 1];

    [Fact]
    public async Task A_request_is_a_GET_for_the_root_that_names_itself_and_keeps_no_connection()
    {
        await using var app = await StartOneAsync(Check with { Path = null });

        var probe = Assert.Single(app.Upstreams["a"].Requests);
        Assert.Equal(("GET", "http://a.test/", null, "ProxyKit-HealthCheck", "close", ""), (probe.Method, probe.Uri, probe.Host, probe["User-Agent"], probe["Connection"], probe.Body));
    }

    [Theory]
    [InlineData("?full=1")]
    [InlineData("full=1")]
    public async Task A_request_can_be_configured(string query)
    {
        var check = Check with { Method = "OPTIONS", Path = "/up", Query = query, Host = "shop.example", Headers = new([new("Authorization", "Bearer x"), new("User-Agent", "probe")]) };
        await using var app = await StartOneAsync(check);

        var probe = Assert.Single(app.Upstreams["a"].Requests);
        Assert.Equal(("OPTIONS", "http://a.test/up?full=1", "shop.example", "Bearer x", "probe"), (probe.Method, probe.Uri, probe.Host, probe["Authorization"], probe["User-Agent"]));
    }

    [Fact]
    public async Task A_probe_goes_where_the_destination_says_with_its_base_path_and_Host()
    {
        await using var app = new ProbedApp("a", "b");
        await app.StartAsync(Cluster(Check) with
        {
            Destinations = [new() { Name = "x", Address = "http://a.test/app", Host = "public.example" }, new() { Name = "y", Address = "http://c.test", Health = "http://b.test/status" }],
        });
        await app.Clock.SleepAsync();
        await app.Clock.SleepAsync();

        Assert.Equal(("http://a.test/app/healthz", "public.example"), (app.Upstreams["a"].Last.Uri, app.Upstreams["a"].Last.Host));
        Assert.Equal("http://b.test/status/healthz", app.Upstreams["b"].Last.Uri);
        Assert.Equal("Healthy", await app.HealthAsync("y"));
    }

    [Theory]
    [InlineData(null, null, "1.1", HttpVersionPolicy.RequestVersionOrLower)]
    [InlineData(null, "2", "2.0", HttpVersionPolicy.RequestVersionExact)]
    [InlineData("1.0", "2", "1.0", HttpVersionPolicy.RequestVersionExact)]
    public async Task The_version_is_that_of_requests_unless_the_check_has_one(string? check, string? requests, string expected, HttpVersionPolicy policy)
    {
        HttpRequestMessage? seen = null;
        await using var app = new ProbedApp("a");
        app.Upstreams["a"].Answer = request =>
        {
            seen = request;
            return new(HttpStatusCode.OK);
        };
        await app.StartAsync(Cluster(Check with { Version = check is null ? null : Version.Parse(check) }, "a") with
        {
            HttpRequest = new() { Version = requests is null ? null : new(2, 0), VersionPolicy = requests is null ? null : HttpVersionPolicy.RequestVersionExact },
        });
        await app.Clock.SleepAsync();

        Assert.Equal((Version.Parse(expected), policy), (seen!.Version, seen.VersionPolicy));
    }

    [Theory]
    [InlineData("200-299", 204, true)]
    [InlineData("200-299", 302, false)]
    [InlineData("200, 301-399", 302, true)]
    [InlineData("200, 301-399", 300, false)]
    [InlineData("401", 401, true)]
    public async Task The_status_decides(string expected, int status, bool isHealthy)
    {
        await using var app = await StartOneAsync(Check with { ExpectedStatus = expected }, app => app.Answer("a", (HttpStatusCode)status));

        Assert.Equal(isHealthy ? "Healthy" : $"Unhealthy: status {status}, expected {expected}", await app.HealthAsync("a"));
    }

    [Theory]
    [InlineData("ok", null, "all ok", "Healthy")]
    [InlineData("OK", null, "all ok", "Unhealthy: the body does not contain 'OK'")]
    [InlineData(null, "^up( \\d+)?$", "up 12", "Healthy")]
    [InlineData(null, "^up$", "not up", "Unhealthy: the body does not match '^up$'")]
    [InlineData(null, "^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "Unhealthy: the body took longer than a second to match '^(a+)+$'")]
    [InlineData("größer", null, "größer", "Healthy")]
    public async Task The_body_decides_when_something_is_expected_of_it(string? text, string? pattern, string body, string health)
    {
        await using var app = await StartOneAsync(
            Check with { ExpectedBody = text, ExpectedBodyPattern = pattern },
            app => app.Upstreams["a"].Answer = _ => new() { Content = new StringContent(body) });

        Assert.Equal(health, await app.HealthAsync("a"));
    }

    [Theory]
    [InlineData(65_534, "Healthy")]
    [InlineData(65_535, "Unhealthy: the body does not contain 'ok'")]
    public async Task Only_the_first_64_KB_of_the_body_are_looked_at(int before, string health)
    {
        await using var app = await StartOneAsync(
            Check with { ExpectedBody = "ok" },
            app => app.Upstreams["a"].Answer = _ => new() { Content = new StringContent(new string('.', before) + "ok" + new string('.', 100_000)) });

        Assert.Equal(health, await app.HealthAsync("a"));
    }

    [Fact]
    public async Task A_body_that_does_not_end_fails_in_time()
    {
        await using var app = new ProbedApp("a");
        app.Upstreams["a"].Answer = _ => new() { Content = new StringContent("ok and more") };
        app.Faults["a"].StallAfter(2);
        await app.StartAsync(Cluster(Check with { ExpectedBody = "and" }, "a"));
        while (app.Faults["a"].Requests == 0)
            await Task.Yield();

        while (!app.Clock.HasSleeps)
        {
            app.Clock.Advance(ProbeClock.ProbeTimeout);
            await Task.Yield();
        }

        Assert.Equal("Unhealthy: no answer within 00:00:03", await app.HealthAsync("a"));
    }

    [Fact]
    public async Task A_failed_connection_says_why()
    {
        await using var app = await StartOneAsync(Check, app => app.Faults["a"].Refuse());

        Assert.Equal("Unhealthy: Connection refused (test).", await app.HealthAsync("a"));
    }

    [Fact]
    public async Task A_TCP_probe_only_asks_whether_somebody_listens()
    {
        await using var app = await StartOneAsync(Check with { Probe = HealthProbe.Tcp, Path = null, Fall = 1 }, app => app.Answer("a", HttpStatusCode.InternalServerError));
        Assert.Equal("Healthy", await app.HealthAsync("a"));
        Assert.Empty(app.Upstreams["a"].Requests);

        app.Faults["a"].Refuse();
        await app.Clock.ProbeAsync(Interval);

        Assert.Equal("Unhealthy: Connection refused (test).", await app.HealthAsync("a"));
    }

    [Theory]
    [InlineData(null, new byte[] { 0, 0, 0, 0, 0 })]
    [InlineData("orders", new byte[] { 0, 0, 0, 0, 8, 10, 6, (byte)'o', (byte)'r', (byte)'d', (byte)'e', (byte)'r', (byte)'s' })]
    public async Task A_gRPC_probe_is_a_unary_call_over_HTTP2(string? service, byte[] message)
    {
        HttpRequestMessage? seen = null;
        byte[]? body = null;
        await using var app = await StartOneAsync(GrpcCheck with { GrpcService = service }, app => app.Upstreams["a"].Answer = request =>
        {
            seen = request;
            request.Content!.ReadAsStream().Position = 0;
            body = request.Content.ReadAsByteArrayAsync().GetAwaiter().GetResult();
            return Grpc(s_serving);
        });

        Assert.Equal("Healthy", await app.HealthAsync("a"));
        Assert.Equal((HttpMethod.Post, "/grpc.health.v1.Health/Check", HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact), (seen!.Method, seen.RequestUri!.AbsolutePath, seen.Version, seen.VersionPolicy));
        Assert.Equal(("application/grpc", "trailers"), (seen.Content!.Headers.ContentType!.ToString(), seen.Headers.TE.ToString()));
        Assert.Equal(message, body);
    }

    [Fact]
    public void A_long_service_name_has_a_length_of_two_bytes()
    {
        var message = GrpcProbe.CreateMessage(new string('x', 300));

        Assert.Equal([0, 0, 0, 1, 47, 10, 0xAC, 2, (byte)'x'], message[..9]);
        Assert.Equal(5 + 303, message.Length);
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 8, 2 }, "0", "Unhealthy: the service is NOT_SERVING")]
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 8, 3 }, "0", "Unhealthy: the service is SERVICE_UNKNOWN")]
    [InlineData(new byte[] { 0, 0, 0, 0, 0 }, "0", "Unhealthy: the service is UNKNOWN")]
    [InlineData(new byte[] { 0, 0, 0, 0, 6, 18, 2, 9, 9, 8, 1 }, "0", "Healthy")] // a field that is not known yet
    [InlineData(new byte[] { 0, 0, 0, 0, 4, 24, 7, 8, 1 }, "0", "Healthy")]
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 8 }, "0", "Unhealthy: the answer is no HealthCheckResponse")]
    [InlineData(new byte[] { 0, 0, 0, 0, 1, 8 }, "0", "Unhealthy: the answer is no HealthCheckResponse")]
    [InlineData(new byte[] { 0, 0, 0, 0, 3, 18, 9, 1 }, "0", "Unhealthy: the answer is no HealthCheckResponse")]
    [InlineData(new byte[] { 1, 0, 0, 0, 2, 8, 1 }, "0", "Unhealthy: the answer is no HealthCheckResponse")]
    [InlineData(new byte[0], "0", "Unhealthy: the answer is no HealthCheckResponse")]
    [InlineData(new byte[0], "12", "Unhealthy: grpc-status 12")]
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 8, 1 }, "14", "Unhealthy: grpc-status 14")]
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 8, 1 }, null, "Unhealthy: no grpc-status: this is no gRPC server")]
    public async Task A_gRPC_service_has_to_be_serving(byte[] message, string? status, string health)
    {
        await using var app = await StartOneAsync(GrpcCheck, app => app.Upstreams["a"].Answer = _ => Grpc(message, status));

        Assert.Equal(health, await app.HealthAsync("a"));
    }

    [Fact]
    public async Task A_gRPC_error_without_a_body_has_its_status_in_the_headers()
    {
        await using var app = await StartOneAsync(GrpcCheck, app => app.Upstreams["a"].Answer = _ =>
        {
            var response = new HttpResponseMessage();
            response.Headers.Add("grpc-status", "12");
            return response;
        });

        Assert.Equal("Unhealthy: grpc-status 12", await app.HealthAsync("a"));
    }

    [Fact]
    public async Task A_server_in_memory_is_probed_as_it_stands()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        await using var server = builder.Build();
        server.MapGet("/healthz", (Microsoft.AspNetCore.Http.HttpContext context) => Encoding.UTF8.GetString("up "u8) + context.Request.Host);
        await server.StartAsync(TestContext.Current.CancellationToken);
        await using var app = new ProbedApp();
        app.Map("a", server.GetTestServer().CreateHandler());

        await app.StartAsync(Cluster(Check with { ExpectedBody = "up a.test" }, "a"));
        await app.Clock.SleepAsync();

        Assert.Equal("Healthy", await app.HealthAsync("a"));
    }

    private static ActiveHealthCheckConfig GrpcCheck => Check with { Probe = HealthProbe.Grpc, Path = null };

    private static HttpResponseMessage Grpc(byte[] message, string? status = "0")
    {
        var response = new HttpResponseMessage { Content = new ByteArrayContent(message) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } } };
        if (status is not null)
            response.TrailingHeaders.Add("grpc-status", status);
        return response;
    }
}
