using System.Net;
using System.Net.ServerSentEvents;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.IntegrationTests.Protocols;

public class StreamingTests
{
    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.Http1)]
    [InlineData(Wire.Http1, Wire.H2C)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task Server_sent_events_arrive_as_they_are_sent(Wire client, Wire upstream)
    {
        var events = Channel.CreateUnbounded<string>();
        await using var peer = await Peers.StartAsync(upstream, app => app.MapGet("/events", () => TypedResults.ServerSentEvents(events.Reader.ReadAllAsync())));
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var http = proxy.CreateClient(client);

        events.Writer.TryWrite("0");
        using var response = await http.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        await using var parsed = SseParser.Create(await response.Content.ReadAsStreamAsync()).EnumerateAsync().GetAsyncEnumerator();

        for (var i = 0; i < 10; i++)
        {
            Assert.True(await parsed.MoveNextAsync().AsTask().WaitAsync(Peers.Patience));
            Assert.Equal($"{i}", parsed.Current.Data);
            events.Writer.TryWrite($"{i + 1}");
        }
        events.Writer.Complete();
        while (await parsed.MoveNextAsync())
        {
        }
    }

    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task The_header_section_arrives_before_there_is_a_body(Wire client, Wire upstream)
    {
        var go = new TaskCompletionSource();
        await using var peer = await Peers.StartAsync(upstream, async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.Body.FlushAsync();
            await go.Task;
            await context.Response.WriteAsync("data: 1\n\n");
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var http = proxy.CreateClient(client);

        using var response = await http.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        go.SetResult();

        Assert.Equal("data: 1\n\n", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("Transfer-Encoding: chunked", true)]
    [InlineData("Content-Length: 5", false)]
    [InlineData("Connection: close", false)]
    public async Task A_trickle_arrives_byte_by_byte(string framing, bool chunked)
    {
        var next = Channel.CreateUnbounded<char>();
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync($"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
            await foreach (var c in next.Reader.ReadAllAsync())
                await connection.SendAsync(chunked ? $"1\r\n{c}\r\n" : $"{c}");
            if (chunked)
                await connection.SendAsync("0\r\n\r\n");
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.H2C, upstream.Url);
        using var http = proxy.CreateClient(Wire.H2C);

        next.Writer.TryWrite('a'); // a first byte, so that the test is of the rest
        using var response = await http.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        var stream = await response.Content.ReadAsStreamAsync();
        Assert.Equal("a", await stream.ReadSomeAsync(1));
        foreach (var c in "bcde")
        {
            next.Writer.TryWrite(c);
            Assert.Equal($"{c}", await stream.ReadSomeAsync(1));
        }
        next.Writer.Complete();
        Assert.Equal(0, await stream.ReadAsync(new byte[1]));
    }

    [Fact]
    public async Task An_upload_arrives_piece_by_piece()
    {
        var seen = Channel.CreateUnbounded<string>();
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            var buffer = new byte[100];
            int read;
            while ((read = await context.Request.Body.ReadAsync(buffer)) > 0)
                seen.Writer.TryWrite(System.Text.Encoding.ASCII.GetString(buffer, 0, read));
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var http = proxy.CreateClient(Wire.Http1);
        using var body = new LiveContent();

        var sending = http.PostAsync("/", body);
        foreach (var piece in (string[])["one", "two", "three"])
        {
            await body.WriteAsync(piece);
            Assert.Equal(piece, await seen.Reader.ReadAsync().AsTask().WaitAsync(Peers.Patience));
        }
        body.End();
        Assert.Equal(HttpStatusCode.OK, (await sending).StatusCode);
    }

    [Fact]
    public async Task A_long_poll_is_answered_when_there_is_something_to_say()
    {
        var answer = new TaskCompletionSource<string>();
        var arrived = new TaskCompletionSource();
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            arrived.TrySetResult();
            await context.Response.WriteAsync(await answer.Task);
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var http = proxy.CreateClient(Wire.Http1);

        var polling = http.GetStringAsync("/");
        await arrived.Task.WaitAsync(Peers.Patience);
        Assert.False(polling.IsCompleted);
        answer.SetResult("news");

        Assert.Equal("news", await polling);
    }

    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.H2C)]
    [InlineData(Wire.H2C, Wire.Http1)]
    public async Task A_client_that_leaves_in_the_middle_of_an_endless_response_ends_it_at_the_upstream(Wire client, Wire upstream)
    {
        var ended = new TaskCompletionSource();
        await using var peer = await Peers.StartAsync(upstream, async context =>
        {
            context.RequestAborted.Register(() => ended.TrySetResult());
            var block = new byte[64 * 1024];
            while (!context.RequestAborted.IsCancellationRequested)
                await context.Response.Body.WriteAsync(block, context.RequestAborted);
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var http = proxy.CreateClient(client);
        var response = await http.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        await (await response.Content.ReadAsStreamAsync()).ReadSomeAsync(100_000);

        response.Dispose();

        await ended.Task.WaitAsync(Peers.Patience);
        await proxy.LoggedAsync("ClientAborted");
    }

    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task A_client_that_leaves_before_the_answer_ends_the_request_at_the_upstream(Wire client, Wire upstream)
    {
        var arrived = new TaskCompletionSource();
        var ended = new TaskCompletionSource();
        await using var peer = await Peers.StartAsync(upstream, async context =>
        {
            context.RequestAborted.Register(() => ended.TrySetResult());
            arrived.SetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var http = proxy.CreateClient(client);
        using var leave = new CancellationTokenSource();

        var request = http.GetAsync("/", leave.Token);
        await arrived.Task.WaitAsync(Peers.Patience);
        await leave.CancelAsync();

        await ended.Task.WaitAsync(Peers.Patience);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
    }

    [Fact]
    public async Task A_client_that_breaks_off_its_upload_breaks_it_off_at_the_upstream()
    {
        var arrived = new TaskCompletionSource();
        var ended = new TaskCompletionSource<Exception?>();
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            arrived.SetResult();
            try
            {
                await context.Request.Body.CopyToAsync(Stream.Null);
                ended.SetResult(null);
            }
            catch (Exception e)
            {
                ended.SetResult(e);
            }
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        await arrived.Task.WaitAsync(Peers.Patience);
        client.Dispose();

        Assert.NotNull(await ended.Task.WaitAsync(Peers.Patience)); // never a clean end
    }

    [Theory]
    [InlineData(Wire.H2C, Wire.H2C)]
    [InlineData(Wire.H2C, Wire.Http1)]
    public async Task Response_trailers_reach_an_HTTP_2_client(Wire client, Wire upstream)
    {
        await using var peer = upstream == Wire.H2C
            ? await Peers.StartAsync(Wire.H2C, async context =>
            {
                context.Response.DeclareTrailer("X-Sum");
                await context.Response.WriteAsync("body");
                context.Response.AppendTrailer("X-Sum", "42");
            })
            : null;
        await using var raw = new RawUpstream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\nContent-Length: 9\r\n\r\n");
        await using var proxy = await Peers.StartProxyAsync(client, peer?.Url ?? raw.Url, r => r.WithUpstream(upstream));
        using var http = proxy.CreateClient(client);

        var response = await http.GetAsync("/");

        Assert.Equal("body", await response.Content.ReadAsStringAsync());
        Assert.Equal("X-Sum", Assert.Single(response.TrailingHeaders).Key, ignoreCase: true);
        Assert.Equal("42", response.TrailingHeaders.GetValues("X-Sum").Single());
    }

    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    public async Task A_response_that_breaks_off_never_looks_complete(Wire client)
    {
        var end = new TaskCompletionSource();
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
            await end.Task;
        });
        await using var proxy = await Peers.StartProxyAsync(client, upstream.Url);
        using var http = proxy.CreateClient(client);
        using var response = await http.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        var stream = await response.Content.ReadAsStreamAsync();
        Assert.Equal("half", await stream.ReadSomeAsync(4));
        end.SetResult();

        await Assert.ThrowsAnyAsync<IOException>(() => stream.ReadSomeAsync(1));
        Assert.Contains("ResponseBodyDestination", (await proxy.LoggedAsync("ResponseAborted")).Message);
    }

    [Fact]
    public async Task A_response_whose_first_bytes_never_come_is_502()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal(HttpStatusCode.BadGateway, (await http.GetAsync("/")).StatusCode);
    }
}
