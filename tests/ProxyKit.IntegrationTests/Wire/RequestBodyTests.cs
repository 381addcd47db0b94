using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>Request bodies: their framing, <c>Expect</c>, and responses that come before their end (acceptance/forwarding.md, 4.1 and 4.2).</summary>
public class RequestBodyTests : WireTests
{
    [Theory]
    [InlineData("Content-Length: 100\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n64\r\n")]
    public async Task A_body_that_is_too_large_is_logged_with_the_setting_and_its_value(string framing)
    {
        await using var wire = await StartAsync(new RawUpstream(WireProxy.Ok), route: r => r.ConfigureRoute(route => route with { MaxRequestBodySize = 10 }));

        var response = await wire.SendAsync($"POST / HTTP/1.1\r\nHost: a\r\n{framing}{new string('a', 100)}\r\n0\r\n\r\n");

        Assert.Equal(413, Raw.Status(response));
        var line = Assert.Single(wire.Proxy.Logs.GetSnapshot(), r => r.Id.Name == "RequestBodyTooLarge");
        Assert.Contains("MaxRequestBodySize, which is 10 bytes", line.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    [InlineData("DELETE")]
    [InlineData("OPTIONS")]
    [InlineData("PROPFIND")]
    [InlineData("M-SEARCH")]
    [InlineData("FOO")]
    public async Task A_request_without_a_body_is_given_no_framing(string method)
    {
        await using var wire = await StartAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");

        await wire.SendAsync($"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.StartsWith($"{method} / HTTP/1.1\r\n", wire.Forwarded);
        Assert.False(Raw.Has(wire.Forwarded, "Transfer-Encoding"));
        // SocketsHttpHandler adds Content-Length: 0 to a method that it does not know.
        if (!OverHttpClient || method is "GET" or "HEAD" or "DELETE" or "OPTIONS")
            Assert.False(Raw.Has(wire.Forwarded, "Content-Length"));
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("DELETE")]
    [InlineData("PROPFIND")]
    public async Task Content_headers_without_content_pass_and_bring_no_chunks(string method)
    {
        await using var wire = await StartAsync();

        await wire.SendAsync($"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Language: nl\r\nExpires: 0\r\nLast-Modified: x\r\nAllow: GET\r\n\r\n");

        Assert.Equal(["text/plain"], Raw.Values(wire.Forwarded, "Content-Type"));
        Assert.Equal(["nl"], Raw.Values(wire.Forwarded, "Content-Language"));
        Assert.Equal(["0"], Raw.Values(wire.Forwarded, "Expires"));
        Assert.Equal(["x"], Raw.Values(wire.Forwarded, "Last-Modified"));
        Assert.Equal(["GET"], Raw.Values(wire.Forwarded, "Allow"));
        Assert.False(Raw.Has(wire.Forwarded, "Transfer-Encoding"));
        Assert.Contains(Raw.Value(wire.Forwarded, "Content-Length"), new[] { null, "0" });
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    public async Task An_empty_body_keeps_its_Content_Length(string method)
    {
        await using var wire = await StartAsync();

        await wire.SendAsync($"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

        Assert.Equal(["0"], Raw.Values(wire.Forwarded, "Content-Length"));
        Assert.False(Raw.Has(wire.Forwarded, "Transfer-Encoding"));
    }

    [Theory]
    [InlineData("GET", "Content-Length: 3\r\n", "abc")]
    [InlineData("DELETE", "Content-Length: 3\r\n", "abc")]
    [InlineData("OPTIONS", "Content-Length: 3\r\n", "abc")]
    [InlineData("SEARCH", "Content-Length: 3\r\n", "abc")]
    [InlineData("POST", "Content-Length: 3\r\n", "abc")]
    [InlineData("GET", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n")]
    [InlineData("POST", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n")]
    [InlineData("POST", "Transfer-Encoding: CHUNKED\r\n", "3\r\nabc\r\n0\r\n\r\n")]
    [InlineData("POST", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n")]
    public async Task A_body_keeps_its_framing_whatever_the_method(string method, string framing, string body)
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync($"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: text/plain\r\n{framing}\r\n{body}");

        Assert.Equal(200, Raw.Status(response));
        Assert.Contains("\r\n" + framing, Raw.Head(wire.Forwarded), StringComparison.OrdinalIgnoreCase);
        Assert.Equal(["text/plain"], Raw.Values(wire.Forwarded, "Content-Type"));
        Assert.Equal(body, Raw.Body(wire.Forwarded));
        Assert.Single(Raw.Values(wire.Forwarded, "Content-Length").Concat(Raw.Values(wire.Forwarded, "Transfer-Encoding")));
    }

    [Fact]
    public async Task The_body_arrives_piece_by_piece_as_the_client_sends_it()
    {
        var seen = new SemaphoreSlim(0);
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            seen.Release();
            foreach (var piece in new[] { "one", "two" })
            {
                await connection.ReadUntilAsync(piece);
                seen.Release();
            }
            await connection.ReadUntilAsync("0\r\n\r\n");
            await connection.SendAsync(WireProxy.Ok);
        }));
        using var client = await wire.ConnectAsync();

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
        Assert.True(await seen.WaitAsync(5000)); // the head alone, before any of the body
        await client.SendAsync("3\r\none\r\n");
        Assert.True(await seen.WaitAsync(5000));
        await client.SendAsync("3\r\ntwo\r\n");
        Assert.True(await seen.WaitAsync(5000));
        await client.SendAsync("0\r\n\r\n");

        Assert.EndsWith("ok", await client.ReadToEndAsync());
    }

    [Fact]
    public async Task With_Expect_the_body_is_asked_for_only_when_the_upstream_has()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            var head = await connection.ReadHeadAsync();
            Assert.Equal("", Raw.Body(head));
            await asked.Task;
            await connection.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await connection.ReadUntilAsync("abc");
            await connection.SendAsync(WireProxy.Ok);
        }));
        using var client = await wire.ConnectAsync();

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
        await wire.Upstream.RequestsAsync(1);
        Assert.Equal(0, client.Socket.Available); // no 100 of the proxy's own
        asked.SetResult();
        Assert.Equal("HTTP/1.1 100 Continue\r\n\r\n", await client.ReadUntilAsync("\r\n\r\n"));
        await client.SendAsync("abc");

        Assert.EndsWith("ok", await client.ReadToEndAsync());
        Assert.Equal(["100-continue"], Raw.Values(wire.Forwarded, "Expect"));
    }

    [Theory]
    [InlineData("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno")]
    [InlineData("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")]
    [InlineData("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno")]
    public async Task With_Expect_a_final_status_comes_without_the_body_having_been_asked_for(string reply)
    {
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(reply);
            await connection.ClosedAsync();
        }));
        using var client = await wire.ConnectAsync();

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 300000000\r\n\r\n");
        var response = await client.ReadUntilAsync("no");

        Assert.StartsWith(reply.Split("\r\n")[0], response);
        Assert.DoesNotContain("100 Continue", response, StringComparison.Ordinal);
        Assert.Equal("", Raw.Body(wire.Upstream.Received));
    }

    [Theory]
    [InlineData("Content-Length: 10\r\n", "abc")]
    [InlineData("Transfer-Encoding: chunked\r\n", "10\r\nabc")]
    [InlineData("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n")]
    [InlineData("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n")]
    public async Task A_body_that_breaks_off_is_never_a_whole_request_for_the_upstream(string framing, string body)
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            try
            {
                await connection.ReadRequestAsync();
            }
            catch (Exception e) when (e is EndOfStreamException or SocketException)
            {
                gone.SetResult();
                throw;
            }
        }));
        using (var client = await wire.ConnectAsync())
        {
            await client.SendAsync($"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n{body}");
            await wire.Upstream.ReceivedAsync("abc");
        }

        await gone.Task.WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Empty(wire.Upstream.Requests);
    }

    // A middleware can put a body in the client's place and leave the Content-Length.
    [Theory]
    [InlineData("too long", "abcGET /smuggled HTTP/1.1")]
    [InlineData("too short", "a")]
    [InlineData("empty", "")]
    public async Task A_body_that_is_not_as_long_as_announced_is_never_a_request_for_the_upstream(string row, string body)
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.Use((context, next) =>
                {
                    context.Request.Body = new MemoryStream(System.Text.Encoding.Latin1.GetBytes(body));
                    return next(context);
                });
                HttpClientIfAsked(app.MapProxy("/{**path}", upstream.Url));
            },
            services => services.AddReverseProxy());

        for (var i = 0; i < 2; i++)
        {
            var response = await RawClient.SendAsync(proxy.Port, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nxyz");
            Assert.True(Raw.Status(response) is 400 or 502, $"{row}: {response}");
        }
        Assert.Empty(upstream.Requests);
        Assert.DoesNotContain("smuggled", upstream.Received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_beyond_the_servers_limit_is_413_and_never_a_whole_request()
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await KestrelApp.StartAsync(
            app => HttpClientIfAsked(app.MapProxy("/{**path}", upstream.Url)),
            services => services.AddReverseProxy(),
            kestrel: o => o.Limits.MaxRequestBodySize = 10);

        var known = await RawClient.SendAsync(proxy.Port, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 11\r\n\r\n" + new string('a', 11));
        var chunked = await RawClient.SendAsync(proxy.Port, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + new string('a', 64) + "\r\n0\r\n\r\n");

        Assert.Equal(413, Raw.Status(known));
        Assert.Equal(413, Raw.Status(chunked));
        Assert.Empty(upstream.Requests);
    }
}

public sealed class RequestBodyOverHttpClientTests : RequestBodyTests
{
    protected override bool OverHttpClient => true;
}
