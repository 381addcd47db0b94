using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>What a gateway adds, counts and answers itself (acceptance/forwarding.md, "more rows").</summary>
public class GatewayTests : WireTests
{
    [Fact]
    public async Task OPTIONS_with_Max_Forwards_0_is_answered_here()
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync("OPTIONS / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nMax-Forwards: 0\r\n\r\n");

        Assert.Equal(200, Raw.Status(response));
        Assert.True(Raw.Has(response, "Allow"));
        Assert.Equal("", wire.Upstream.Received);
    }

    [Theory]
    [InlineData("OPTIONS", "5", "4")]
    [InlineData("OPTIONS", "1", "0")]
    [InlineData("OPTIONS", "4294967296", null)]
    [InlineData("OPTIONS", "many", "many")]
    [InlineData("OPTIONS", "-1", "-1")]
    [InlineData("GET", "0", "0")]
    [InlineData("GET", "5", "5")]
    public async Task Max_Forwards_counts_down_on_OPTIONS_only(string method, string sent, string? expected)
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync($"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nMax-Forwards: {sent}\r\n\r\n");

        Assert.Equal(200, Raw.Status(response));
        if (expected is not null)
            Assert.Equal([expected], Raw.Values(wire.Forwarded, "Max-Forwards"));
    }

    [Fact]
    public async Task TRACE_with_Max_Forwards_0_is_405_too()
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync("TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nMax-Forwards: 0\r\nCookie: secret\r\n\r\n");

        Assert.Equal(405, Raw.Status(response));
        Assert.DoesNotContain("secret", response, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Via_is_added_both_ways()
    {
        await using var wire = await StartAsync(
            new RawUpstream("HTTP/1.1 200 OK\r\nVia: 1.0 inner\r\nContent-Length: 2\r\n\r\nok"), options: o => o.Pseudonym = "gateway");

        var response = await wire.GetAsync("/", "Via: 1.0 outer, 1.1 other (a comment)");

        Assert.Equal(["1.0 outer, 1.1 other (a comment), 1.1 gateway"], Raw.Values(wire.Forwarded, "Via"));
        Assert.Equal(["1.0 inner, 1.1 gateway"], Raw.Values(response, "Via"));
    }

    [Fact]
    public async Task Several_Via_lines_are_kept_in_order()
    {
        await using var wire = await StartAsync(
            new RawUpstream("HTTP/1.0 200 OK\r\nVia: 1.1 a\r\nVia: 1.1 b\r\nContent-Length: 2\r\n\r\nok"), options: o => o.Pseudonym = "gateway");

        var response = await wire.SendAsync("GET / HTTP/1.0\r\nVia: 1.1 c\r\nVia: 1.1 d\r\n\r\n");

        Assert.Equal("1.1 c, 1.1 d, 1.0 gateway", string.Join(", ", Raw.Values(wire.Forwarded, "Via")));
        Assert.Equal("1.1 a, 1.1 b, 1.0 gateway", string.Join(", ", Raw.Values(response, "Via")));
    }

    [Theory]
    [InlineData("1.1 gateway")]
    [InlineData("1.1 a, 1.1 GATEWAY (x), 1.1 b")]
    [InlineData("HTTP/1.1 gateway")]
    [InlineData("1.1 a\r\nVia: 2 gateway")]
    public async Task A_request_that_has_passed_already_is_508(string via)
    {
        await using var wire = await StartAsync(o => o.Pseudonym = "gateway");

        var response = await wire.GetAsync("/", $"Via: {via}");

        Assert.Equal(508, Raw.Status(response));
        Assert.Equal("", wire.Upstream.Received);
    }

    [Theory]
    [InlineData("1.1 gateway2")]
    [InlineData("1.1 agateway")]
    [InlineData("1.1 other (gateway)")]
    [InlineData("gateway")]
    public async Task A_request_that_has_passed_another_is_none(string via)
    {
        await using var wire = await StartAsync(o => o.Pseudonym = "gateway");

        Assert.Equal(200, Raw.Status(await wire.GetAsync("/", $"Via: {via}")));
    }

    [Fact]
    public async Task Two_proxies_that_point_at_each_other_answer_508()
    {
        // The first forwards to where the second will listen.
        using var reserved = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        reserved.Start();
        var port = ((System.Net.IPEndPoint)reserved.LocalEndpoint).Port;
        reserved.Stop();
        await using var first = await KestrelApp.StartProxyAsync($"http://127.0.0.1:{port}");
        await using var second = await KestrelApp.StartAsync(
            app =>
            {
                app.Urls.Add($"http://127.0.0.1:{port}");
                app.MapProxy("/{**path}", first.Url);
            },
            services => services.AddReverseProxy(), kestrel: o => o.Listen(System.Net.IPAddress.Loopback, port));

        var response = await RawClient.SendAsync(first.Port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.Equal(508, Raw.Status(response));
        Assert.Equal(2, Raw.Value(response, "Via")?.Split(',').Length ?? 2);
    }

    [Theory]
    [InlineData("get", 501)]
    [InlineData("Post", 501)]
    [InlineData("connect", 501)]
    [InlineData("trace", 501)]
    [InlineData("PROPFIND", 200)]
    [InlineData("M-SEARCH", 200)]
    [InlineData("BREW", 200)]
    [InlineData("brew", 200)]
    [InlineData("X!#$%&'*+-.^_`|~", 200)]
    public async Task A_method_is_sent_as_it_is_or_not_at_all(string method, int status)
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync($"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.Equal(status, Raw.Status(response));
        if (status == 200)
            Assert.StartsWith($"{method} / HTTP/1.1\r\n", wire.Forwarded);
        else
            Assert.Equal("", wire.Upstream.Received);
    }

    [Fact]
    public async Task A_route_value_never_brings_a_line_into_the_header_section()
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{user}/{**path}", upstream.Url).WithTransforms(t =>
            {
                t.SetRequestHeaderFromRoute("X-User", "user").SetQueryFromRoute("u", "user").SetPathPattern("/of/{user}");
                if (OverHttpClient)
                    t.OnRequest(_ => ValueTask.CompletedTask);
            }),
            services => services.AddReverseProxy());

        foreach (var user in new[] { "a%0d%0aX-Inj:1", "a%0aX-Inj:1", "a%0d%0a%0d%0aGET%20/smuggled%20HTTP/1.1" })
            await RawClient.SendAsync(proxy.Port, $"GET /{user}/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        var good = await RawClient.SendAsync(proxy.Port, "GET /a%20b/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.Equal(200, Raw.Status(good));
        Assert.All(upstream.Requests, request =>
        {
            Assert.False(Raw.Has(request, "X-Inj"));
            Assert.DoesNotContain("\nGET /smuggled", request, StringComparison.Ordinal);
        });
        Assert.Equal("/of/a%20b?u=a%20b", Raw.Target(upstream.Requests[^1]));
        Assert.Equal("a b", Raw.Value(upstream.Requests[^1], "X-User"));
    }

    public static TheoryData<string, string> Failures => new()
    {
        { "no HTTP", "SSH-2.0-OpenSSH\r\n" },
        { "an internal error page's connection breaks", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n" },
        { "closed at once", "" },
        { "bad framing", "HTTP/1.1 200 OK\r\nTransfer-Encoding: secret-coding\r\nX-Internal: secret\r\n\r\n" },
        { "a bad status line", "HTTP/1.1 secret\r\n\r\n" },
    };

    [Theory, MemberData(nameof(Failures))]
    public async Task An_error_says_nothing_of_what_is_inside(string row, string reply)
    {
        await using var wire = await StartAsync(reply);

        var response = await wire.GetAsync("/private/path");

        Assert.True(Raw.Status(response) == 502, $"{row}: {response}");
        AssertNothingInternal(response, wire.Upstream.Port);
    }

    [Fact]
    public async Task A_refused_connection_is_502_and_says_nothing_of_what_is_inside()
    {
        var closed = new RawUpstream("");
        var (url, port) = (closed.Url, closed.Port);
        await closed.DisposeAsync();
        await using var proxy = await KestrelApp.StartProxyAsync(url, HttpClientIfAsked);

        var response = await RawClient.SendAsync(proxy.Port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.Equal(502, Raw.Status(response));
        AssertNothingInternal(response, port);
    }

    [Fact]
    public async Task A_name_that_does_not_resolve_is_502_and_says_nothing_of_what_is_inside()
    {
        await using var proxy = await KestrelApp.StartProxyAsync("http://nowhere.invalid:12345", HttpClientIfAsked);

        var response = await RawClient.SendAsync(proxy.Port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.Equal(502, Raw.Status(response));
        AssertNothingInternal(response, 12345);
        Assert.DoesNotContain("nowhere", response, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_timeout_is_504_and_says_nothing_of_what_is_inside()
    {
        await using var wire = await StartAsync(
            new RawUpstream(connection => connection.ClosedAsync()),
            route: r => r.WithProxyStatus().WithTimeouts(t => t.Connect = t.FirstByte = TimeSpan.FromMilliseconds(200)));

        var response = await wire.GetAsync("/");

        Assert.Equal(504, Raw.Status(response));
        AssertNothingInternal(response, wire.Upstream.Port);
    }

    private static void AssertNothingInternal(string response, int port)
    {
        Assert.Equal("", Raw.Body(response));
        foreach (var word in new[] { "127.0.0.1", "localhost", $"{port}", "Exception", "System.", "secret", "SSH", "   at ", "Kestrel", "private" })
            Assert.DoesNotContain(word, response, StringComparison.OrdinalIgnoreCase);
    }
}

public sealed class GatewayOverHttpClientTests : GatewayTests
{
    protected override bool OverHttpClient => true;
}
