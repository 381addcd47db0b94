using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>Connections: their reuse, their age, and their end on either side.</summary>
public class ConnectionTests : WireTests
{
    [Fact]
    public async Task Connections_that_the_upstream_resets_leave_no_unobserved_exception()
    {
        var unobserved = new System.Collections.Concurrent.ConcurrentQueue<Exception>();
        void Note(object? sender, UnobservedTaskExceptionEventArgs e)
        {
            if (e.Exception.ToString().Contains("ProxyKit.Forwarding", StringComparison.Ordinal))
                unobserved.Enqueue(e.Exception);
        }
        TaskScheduler.UnobservedTaskException += Note;
        try
        {
            await using var wire = await StartAsync(new RawUpstream(async connection =>
            {
                await connection.ReadHeadAsync();
                await connection.SendAsync(WireProxy.Ok);
                connection.Reset();
            }));
            await Parallel.ForEachAsync(Enumerable.Range(0, 400), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, _) =>
            {
                using var client = await wire.ConnectAsync();
                await client.SendAsync(i % 2 == 0
                    ? "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                    : "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
                if (i % 3 != 0)
                    await client.ReadToEndAsync();
            });
        }
        finally
        {
            for (var i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            TaskScheduler.UnobservedTaskException -= Note;
        }

        Assert.Empty(unobserved);
    }

    [Fact]
    public async Task Upstream_connections_are_used_again()
    {
        await using var wire = await StartAsync();
        using var client = await wire.ConnectAsync();

        for (var i = 0; i < 5; i++)
        {
            await client.SendAsync($"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n");
            await client.ReadUntilAsync("ok");
            await wire.GetAsync("/other");
        }

        Assert.Equal(10, wire.Upstream.Requests.Count);
        Assert.InRange(wire.Upstream.Connections, 1, 2);
    }

    [Theory]
    [InlineData("Connection: close", "HTTP/1.1")]
    [InlineData("connection: Close", "HTTP/1.1")]
    [InlineData("Connection: X-A, close", "HTTP/1.1")]
    [InlineData("X-A: b", "HTTP/1.0")]
    public async Task A_connection_that_the_upstream_ends_is_not_used_again(string header, string version)
    {
        await using var wire = await StartAsync(RawUpstream.KeepAlive($"{version} 200 OK\r\n{header}\r\nContent-Length: 2\r\n\r\nok"));

        for (var i = 0; i < 3; i++)
            Assert.Equal(200, Raw.Status(await wire.GetAsync("/")));

        if (!OverHttpClient || version == "HTTP/1.1") // SocketsHttpHandler tries an HTTP/1.0 connection again, which does no harm
            Assert.Equal(3, wire.Upstream.Connections);
    }

    [Fact]
    public async Task An_HTTP10_upstream_that_keeps_alive_is_used_again()
    {
        await using var wire = await StartAsync(RawUpstream.KeepAlive("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"));

        for (var i = 0; i < 3; i++)
            Assert.EndsWith("ok", await wire.GetAsync("/"));

        Assert.Equal(1, wire.Upstream.Connections);
    }

    // The upstream closes each connection just after its response, without having said so.
    [Theory]
    [InlineData("orderly", "GET", false)]
    [InlineData("with a reset", "GET", true)]
    [InlineData("orderly", "HEAD", false)]
    [InlineData("orderly", "DELETE", false)]
    public async Task A_pooled_connection_that_has_gone_stale_is_no_error(string row, string method, bool reset)
    {
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync(WireProxy.Ok[..^(method == "HEAD" ? 2 : 0)]);
            if (reset)
                connection.Reset();
        }));

        for (var i = 0; i < 20; i++)
        {
            var response = await wire.SendAsync($"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            // SocketsHttpHandler sends again after an orderly close only: when the reset comes in that instant, it gives up.
            Assert.True(Raw.Status(response) == 200 || (OverHttpClient && reset), $"{row}: {response}");
        }
    }

    // It closes only when the next request is on its way: nobody can see that before.
    [Theory]
    [InlineData("GET", 200)]
    [InlineData("HEAD", 200)]
    [InlineData("OPTIONS", 200)]
    [InlineData("DELETE", 200)]
    [InlineData("POST", 502)]
    [InlineData("PATCH", 502)]
    [InlineData("BREW", 502)]
    public async Task A_request_that_meets_a_closing_connection_is_sent_again_only_if_that_is_safe(string method, int status)
    {
        var connections = 0;
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            var isFirst = Interlocked.Increment(ref connections) == 1;
            await connection.ReadRequestAsync();
            await connection.SendAsync("HTTP/1.1 204 No Content\r\n\r\n");
            if (isFirst)
                await connection.ReadRequestAsync(); // and never answers
        }));

        Assert.Equal(204, Raw.Status(await wire.GetAsync("/first")));
        var response = await wire.SendAsync($"{method} /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.Equal(status == 200 ? 204 : status, Raw.Status(response));
        Assert.Equal(status == 200 ? 3 : 2, wire.Upstream.Requests.Count);
    }

    [Fact]
    public async Task A_request_is_not_sent_again_on_a_new_connection_that_breaks()
    {
        await using var wire = await StartAsync("");

        Assert.Equal(502, Raw.Status(await wire.GetAsync("/")));
        // SocketsHttpHandler insists three times, and cannot be told not to.
        Assert.InRange(wire.Upstream.Requests.Count, 1, OverHttpClient ? 4 : 1);
    }

    [Fact]
    public async Task A_POST_is_never_sent_twice()
    {
        await using var wire = await StartAsync("");

        Assert.Equal(502, Raw.Status(await wire.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")));
        Assert.Equal(502, Raw.Status(await wire.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc")));
        Assert.Equal(2, wire.Upstream.Requests.Count);
    }

    [Theory]
    [InlineData("GET / HTTP/1.0\r\n\r\n", false)]
    [InlineData("GET / HTTP/1.0\r\nHost: a\r\n\r\n", false)]
    [InlineData("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", true)]
    public async Task An_HTTP10_client_is_answered_without_chunks(string request, bool keepAlive)
    {
        await using var wire = await StartAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n3\r\n ok\r\n0\r\n\r\n");

        var response = await wire.SendAsync(request);

        Assert.Equal(200, Raw.Status(response));
        Assert.False(Raw.Has(response, "Transfer-Encoding"), $"{keepAlive}");
        Assert.Equal("all ok", Raw.Body(response));
        Assert.Equal("1.0", Raw.Value(wire.Forwarded, "Via")!.Split(' ')[0]);
        Assert.EndsWith(" HTTP/1.1", wire.Forwarded.Split("\r\n")[0]);
    }

    [Fact]
    public async Task An_HTTP10_client_that_keeps_alive_can_do_so_when_the_length_is_known()
    {
        await using var wire = await StartAsync();
        using var client = await wire.ConnectAsync();

        for (var i = 0; i < 3; i++)
        {
            await client.SendAsync("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
            Assert.Contains("Connection: keep-alive", await client.ReadUntilAsync("ok"), StringComparison.OrdinalIgnoreCase);
        }
    }

    public static TheoryData<string, string, string> Moments => new()
    {
        { "before the response", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "" },
        { "in a response of known length", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst" },
        { "in a chunked response", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n" },
        { "in a close-delimited response", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nfirst" },
        { "in the request's body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc", "" },
        { "in the request's chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "" },
        { "after the request's body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "" },
        { "waiting for 100", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", "" },
    };

    [Theory, MemberData(nameof(Moments))]
    public async Task A_client_that_goes_away_takes_the_upstream_request_with_it(string row, string request, string reply)
    {
        var closed = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(reply);
            await connection.ClosedAsync();
            closed.SetResult(Stopwatch.GetTimestamp());
        }));
        long gone;
        using (var client = await wire.ConnectAsync())
        {
            await client.SendAsync(request);
            if (reply.Length > 0)
                await client.ReadUntilAsync("first");
            else
                await wire.Upstream.RequestsAsync(1);
            client.Socket.Close(0);
            gone = Stopwatch.GetTimestamp();
        }

        var seen = await closed.Task.WaitAsync(TimeSpan.FromSeconds(5));
        Assert.True(Stopwatch.GetElapsedTime(gone, seen) < TimeSpan.FromSeconds(1), row);
    }

    [Fact]
    public async Task Concurrent_requests_do_not_mix()
    {
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            while (true)
            {
                var target = Raw.Target(await connection.ReadRequestAsync());
                await connection.SendAsync($"HTTP/1.1 200 OK\r\nX-Target: {target}\r\nTransfer-Encoding: chunked\r\n\r\n{target.Length:x}\r\n");
                await Task.Yield();
                await connection.SendAsync($"{target}\r\n0\r\n\r\n");
            }
        }));

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async worker =>
        {
            using var client = await wire.ConnectAsync();
            for (var i = 0; i < 50; i++)
            {
                var target = $"/{worker}/{i}/" + new string('x', worker * i);
                await client.SendAsync($"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
                var response = await client.ReadUntilAsync("\r\n0\r\n\r\n");
                Assert.Equal(target, Raw.Value(response, "X-Target"));
                Assert.Contains($"\r\n{target}\r\n", response, StringComparison.Ordinal);
            }
        }));
        Assert.Equal(400, wire.Upstream.Requests.Count);
    }
}

public sealed class ConnectionOverHttpClientTests : ConnectionTests
{
    protected override bool OverHttpClient => true;
}
