using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.IntegrationTests.Protocols;

public class MessageTests
{
    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task HEAD_has_the_headers_of_GET_and_no_body(Wire client, Wire upstream)
    {
        await using var peer = await Peers.StartAsync(upstream, context =>
        {
            Assert.Equal("HEAD", context.Request.Method);
            context.Response.ContentLength = 12345;
            context.Response.Headers.ETag = "\"1\"";
            return Task.CompletedTask;
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var http = proxy.CreateClient(client);

        for (var i = 0; i < 2; i++) // the second shows that the connection is whole
        {
            var response = await http.SendAsync(new(HttpMethod.Head, "/") { Version = client.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact });
            Assert.Equal(12345, response.Content.Headers.ContentLength);
            Assert.Equal("\"1\"", response.Headers.ETag!.Tag);
            Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task A_range_comes_back_as_206_with_its_place()
    {
        await using var upstream = await Peers.StartAsync(Wire.Http1, app => app.MapGet("/file", () => Results.Bytes(Peers.Bytes(10_000, 1), enableRangeProcessing: true)));
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var http = proxy.CreateClient(Wire.Http1);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/file") { Headers = { Range = new(1000, 1999) } };

        var response = await http.SendAsync(request);

        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Equal("bytes 1000-1999/10000", response.Content.Headers.ContentRange!.ToString());
        Assert.Equal(Peers.Bytes(10_000, 1)[1000..2000], await response.Content.ReadAsByteArrayAsync());

        using var beyond = new HttpRequestMessage(HttpMethod.Get, "/file") { Headers = { Range = new(20_000, null) } };
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, (await http.SendAsync(beyond)).StatusCode);
    }

    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task A_match_of_the_entity_tag_is_304_without_a_body(Wire client, Wire upstream)
    {
        await using var peer = await Peers.StartAsync(upstream, app =>
            app.MapGet("/", () => Results.Bytes(new byte[100], entityTag: new("\"v1\""), lastModified: new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero))));
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var http = proxy.CreateClient(client);

        for (var i = 0; i < 2; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Version = client.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            request.Headers.IfNoneMatch.Add(new("\"v1\""));
            var response = await http.SendAsync(request);
            Assert.Equal(HttpStatusCode.NotModified, response.StatusCode);
            Assert.Equal("\"v1\"", response.Headers.ETag!.Tag);
            Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task A_client_that_expects_100_continue_sends_its_body_when_the_upstream_reads_it()
    {
        await using var upstream = await Peers.StartAsync(Wire.Http1, context => context.Request.Body.CopyToAsync(context.Response.Body));
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
        Assert.Equal("HTTP/1.1 100 Continue\r\n\r\n", await client.ReadUntilAsync("\r\n\r\n"));
        await client.SendAsync("body");

        Assert.StartsWith("HTTP/1.1 200 OK\r\n", await client.ReadUntilAsync("body"));
    }

    [Fact]
    public async Task A_client_that_expects_100_continue_is_refused_before_it_has_sent_anything()
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            Assert.Contains("Expect: 100-continue", await connection.ReadHeadAsync());
            await connection.SendAsync("HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno!");
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\nExpect: 100-continue\r\n\r\n");
        var response = await client.ReadUntilAsync("no!");

        Assert.StartsWith("HTTP/1.1 401 Unauthorized\r\n", response); // no 100 before it
    }

    [Fact]
    public async Task HttpClient_expects_100_continue_and_is_answered()
    {
        await using var upstream = await Peers.StartAsync(Wire.Http1, context => context.Request.Body.CopyToAsync(context.Response.Body));
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var handler = Peers.CreateHandler();
        handler.Expect100ContinueTimeout = Peers.Patience; // it must be the answer that lets the body go
        using var http = new HttpClient(handler) { BaseAddress = proxy.Address, Timeout = TimeSpan.FromSeconds(10), DefaultRequestHeaders = { ExpectContinue = true } };

        var response = await http.PostAsync("/", new StringContent("body"));

        Assert.Equal("body", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(Wire.Http1, true)]
    [InlineData(Wire.Http1, false)]
    [InlineData(Wire.H2C, true)]
    [InlineData(Wire.H2C, false)]
    public async Task A_body_over_the_servers_limit_is_413(Wire client, bool known)
    {
        await using var upstream = await Peers.StartAsync(Wire.Http1, context => context.Request.Body.CopyToAsync(Stream.Null));
        await using var proxy = await Peers.StartProxyAsync(client, upstream.Url, kestrel: k => k.Limits.MaxRequestBodySize = 1000);
        using var http = proxy.CreateClient(client);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = new ByteArrayContent(new byte[5000]), Version = client.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.TransferEncodingChunked = !known && client == Wire.Http1;
        if (!known)
            request.Content = new StreamContent(new Unseekable(new byte[5000]));

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await http.SendAsync(request)).StatusCode);
    }

    [Theory]
    [InlineData(1000, 1000, HttpStatusCode.OK)]
    [InlineData(1000, 1001, HttpStatusCode.RequestEntityTooLarge)]
    [InlineData(-1, 2_000_000, HttpStatusCode.OK)]
    public async Task A_route_has_a_limit_of_its_own(long limit, int size, HttpStatusCode expected)
    {
        await using var upstream = await Peers.StartAsync(Wire.Http1, context => context.Request.Body.CopyToAsync(Stream.Null));
        await using var proxy = await Peers.StartProxyAsync(
            Wire.Http1, upstream.Url, r => r.ConfigureRoute(c => c with { MaxRequestBodySize = limit }), k => k.Limits.MaxRequestBodySize = 500);
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal(expected, (await http.PostAsync("/", new ByteArrayContent(new byte[size]))).StatusCode);
    }

    [Fact]
    public async Task A_response_of_unknown_length_to_an_HTTP_1_0_client_ends_with_the_connection()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);

        var response = await RawClient.SendAsync(proxy.Port, "GET / HTTP/1.0\r\n\r\n");

        Assert.EndsWith("\r\n\r\nbody", response);
        Assert.DoesNotContain("chunked", response);
    }

    [Fact]
    public async Task An_upstream_that_answers_and_closes_before_the_body_has_ended_is_heard()
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
            connection.Socket.Close(); // unread bytes: a reset
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n" + new string('x', 100_000));

        Assert.StartsWith("HTTP/1.1 413 ", await client.ReadUntilAsync("big"));
    }

    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task A_body_of_200_megabytes_takes_little_memory(Wire client, Wire upstream)
    {
        const long Size = 200_000_000;
        await using var peer = await Peers.StartAsync(upstream, async context =>
        {
            var block = new byte[100_000];
            for (long sent = 0; sent < Size; sent += block.Length)
                await context.Response.Body.WriteAsync(block);
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var http = proxy.CreateClient(client);
        using var response = await http.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        var stream = await response.Content.ReadAsStreamAsync();
        var buffer = new byte[128 * 1024];
        long total = 0, peak = 0;
        var before = GC.GetTotalMemory(forceFullCollection: true);
        int read;
        while ((read = await stream.ReadAsync(buffer)) > 0)
        {
            if (total / 20_000_000 != (total + read) / 20_000_000)
                peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: true) - before);
            total += read;
        }

        Assert.Equal(Size, total);
        Assert.True(peak < 100_000_000, $"{peak:n0} bytes");
    }

    private sealed class Unseekable(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
