using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.IntegrationTests.Wire;

namespace ProxyKit.IntegrationTests.Review;

/// <summary>What a stranger in front of the proxy, or a hostile upstream behind it, may try.</summary>
public class AttackTests
{
    private static string Get(string target, string headers = "") => $"GET {target} HTTP/1.1\r\nHost: public.example\r\nConnection: close\r\n{headers}\r\n";

    [Theory]
    [InlineData("http://public.example/public%2F..%2Fadmin")]
    [InlineData("http://public.example/public/%2e%2e%2fadmin")]
    [InlineData("http://public.example/public/..%5Cadmin")]
    [InlineData("http://public.example/public/%252e%252e/admin")]
    [InlineData("/public/..%2Fadmin")]
    [InlineData("/public/%2e%2e/admin")]
    public async Task No_form_of_the_target_leaves_the_route_it_was_matched_by(string target)
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/public/{**rest}", upstream.Url), services => services.AddReverseProxy());

        var response = await RawClient.SendAsync(proxy.Port, Get(target));

        Assert.All(upstream.Requests, request => Assert.StartsWith("GET /public", request));
        Assert.True(Raw.Status(response) is 200 or 400 or 404, response);
    }

    [Theory]
    [InlineData("/admin#x")]
    [InlineData("/x?a#b")]
    public async Task A_fragment_in_the_target_is_refused(string target)
    {
        await using var wire = await WireProxy.StartAsync(RawUpstream.KeepAlive(WireProxy.Ok));

        Assert.Equal(400, Raw.Status(await wire.SendAsync(Get(target))));
        Assert.Empty(wire.Upstream.Requests);
    }

    [Theory]
    [InlineData("http://public.example/a%252Fb")]
    [InlineData("/%61%252Fb")]
    [InlineData("/a%25252fb")]
    public async Task A_refused_slash_may_not_hide_behind_a_second_encoding(string target)
    {
        await using var wire = await WireProxy.StartAsync(
            RawUpstream.KeepAlive(WireProxy.Ok), options: o => o.RejectedEncodedCharacters = EncodedCharacters.Slash);

        Assert.Equal(400, Raw.Status(await wire.SendAsync(Get(target))));
        Assert.Empty(wire.Upstream.Requests);
    }

    [Fact]
    public async Task A_method_that_a_middleware_took_from_a_header_cannot_become_another_request_line()
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.UseHttpMethodOverride();
                app.MapProxy("/{**path}", upstream.Url);
            },
            services => services.AddReverseProxy());

        var response = await RawClient.SendAsync(
            proxy.Port, "POST /public HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\nX-HTTP-Method-Override: GET /admin HTTP/1.1\r\n\r\n");

        Assert.Equal(400, Raw.Status(response));
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task Text_of_an_upstream_writes_no_controls_into_the_log()
    {
        await using var wire = await WireProxy.StartAsync(new RawUpstream("HTTP/1.1 200 OK\r\nTransfer-Encoding: \u001b[2J\rchunked\r\n\r\n"));

        Assert.Equal(502, Raw.Status(await wire.SendAsync(Get("/"))));
        Assert.All(wire.Proxy.Logs.GetSnapshot(), record => Assert.DoesNotContain(record.Message, c => c is '\u001b' or '\r'));
    }

    [Fact]
    public async Task Text_of_a_client_writes_no_controls_into_the_log()
    {
        await using var wire = await WireProxy.StartAsync(RawUpstream.KeepAlive(WireProxy.Ok));

        Assert.Equal(400, Raw.Status(await wire.SendAsync(Get("/", "x\u001b[2J: a\u0001b\r\n"))));
        Assert.All(wire.Proxy.Logs.GetSnapshot(), record => Assert.DoesNotContain(record.Message, c => c is '\u001b' or '\r'));
    }

    [Theory]
    [InlineData("one name", 15_000)]
    [InlineData("nominations", 8_000)]
    [InlineData("one cookie", 60_000)]
    public async Task A_header_section_full_of_little_pieces_costs_little(string kind, int count)
    {
        var fields = kind switch
        {
            "one name" => string.Concat(Enumerable.Repeat("a:\r\n", count)),
            "nominations" => string.Concat(Enumerable.Repeat("b:\r\n", count)) + $"Connection: {string.Concat(Enumerable.Repeat("c,", count))}\r\n",
            _ => $"Set-Cookie: a=b{new string(';', count)}\r\n",
        };
        await using var wire = await WireProxy.StartAsync(RawUpstream.KeepAlive($"HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n"));
        await wire.SendAsync(Get("/")); // warm

        var allocated = GC.GetTotalAllocatedBytes();
        var watch = Stopwatch.StartNew();
        Assert.True(Raw.Status(await wire.SendAsync(Get("/"))) is 200 or 502);
        TestContext.Current.SendDiagnosticMessage($"{kind}: {watch.ElapsedMilliseconds} ms, {(GC.GetTotalAllocatedBytes() - allocated) / 1024} KB");
        Assert.True(GC.GetTotalAllocatedBytes() - allocated < 40_000_000, $"{kind}: {watch.ElapsedMilliseconds} ms, {(GC.GetTotalAllocatedBytes() - allocated) / 1024} KB");
    }
}
