using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>
/// Responses that come before the end of the request (acceptance/forwarding.md, 4.2). ProxyKit's own transport and HTTP/2 can: SocketsHttpHandler reads no response
/// over HTTP/1.1 before it has sent the whole request.
/// </summary>
public class EarlyResponseTests : WireTests
{
    [Theory]
    [InlineData("the upstream closes", true)]
    [InlineData("the upstream drains", false)]
    public async Task A_final_status_before_the_end_of_the_upload_reaches_the_client(string row, bool close)
    {
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
            if (!close)
                await connection.ClosedAsync();
        }));
        using var client = await wire.ConnectAsync();

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        using var done = new CancellationTokenSource();
        var uploading = UploadAsync(client, done.Token);
        var response = await client.ReadUntilAsync("no");
        await done.CancelAsync();

        Assert.True(Raw.Status(response) == 413, $"{row}: {response}");
        await uploading;

        static async Task UploadAsync(RawClient client, CancellationToken done)
        {
            var piece = System.Text.Encoding.Latin1.GetBytes($"1000\r\n{new string('a', 4096)}\r\n");
            try
            {
                while (!done.IsCancellationRequested)
                    await client.Socket.SendAsync(piece, done);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
            }
        }
    }

    [Theory]
    [InlineData("keep-alive", "Connection: close\r\n")]
    [InlineData("close", "Connection: close\r\n")]
    [InlineData("keep-alive", "")]
    public async Task The_rest_of_the_upload_is_drained_so_that_a_client_that_sends_all_first_reads_the_response(string connection, string upstreamConnection)
    {
        const int Length = 8 * 1024 * 1024;
        await using var wire = await StartAsync(new RawUpstream(async upstream =>
        {
            await upstream.ReadHeadAsync();
            await upstream.SendAsync($"HTTP/1.1 413 Content Too Large\r\n{upstreamConnection}Content-Length: 2\r\n\r\nno");
            if (upstreamConnection.Length == 0)
                await upstream.ClosedAsync();
        }));
        using var client = await wire.ConnectAsync();

        await client.SendAsync($"POST / HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\nContent-Length: {Length}\r\n\r\n");
        await client.SendAsync(new string('a', Length)); // ends only when all of it has been taken
        var response = await client.ReadUntilAsync("no");

        Assert.Equal(413, Raw.Status(response));
        if (connection == "keep-alive" && upstreamConnection.Length > 0)
        {
            await client.SendAsync("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
            Assert.Equal(413, Raw.Status(await client.ReadUntilAsync("no")));
        }
        Assert.DoesNotContain(wire.Proxy.Logs.GetSnapshot(), r => r.Level >= Microsoft.Extensions.Logging.LogLevel.Warning);
    }

    [Fact]
    public async Task An_early_response_over_HTTP2_reaches_the_client()
    {
        await using var upstream = new Http2Upstream(async stream =>
        {
            await stream.ReceivedAsync(3);
            await stream.RespondAsync(413, "no");
            await stream.ResetAsync(0); // RFC 9113 §8.1: no more of the request is wanted
        });
        await using var proxy = await KestrelApp.StartProxyAsync(
            upstream.Url, r => r.WithHttpRequest(h => (h.Version, h.VersionPolicy) = (new(2, 0), HttpVersionPolicy.RequestVersionExact)));
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc");
        var response = await client.ReadUntilAsync("no");
        await client.SendAsync(new string('a', 100_000 - 3));
        await client.SendAsync("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");

        Assert.Equal(413, Raw.Status(response));
        await Protocols.Peers.EventuallyAsync(() => upstream.Streams.Count == 2); // the connection goes on
        Assert.DoesNotContain(proxy.Logs.GetSnapshot(), r => r.Level >= Microsoft.Extensions.Logging.LogLevel.Warning);
    }

    [Fact]
    public async Task Request_and_response_stream_at_the_same_time()
    {
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            foreach (var (question, answer) in new[] { ("one", "eins"), ("two", "zwei") })
            {
                await connection.ReadUntilAsync(question);
                await connection.SendAsync($"4\r\n{answer}\r\n");
            }
            await connection.ReadUntilAsync("0\r\n\r\n");
            await connection.SendAsync("0\r\n\r\n");
        }));
        using var client = await wire.ConnectAsync();

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
        await client.ReadUntilAsync("\r\n\r\n");
        await client.SendAsync("3\r\none\r\n");
        await client.ReadUntilAsync("eins");
        await client.SendAsync("3\r\ntwo\r\n");
        await client.ReadUntilAsync("zwei");
        await client.SendAsync("0\r\n\r\n");

        Assert.EndsWith("0\r\n\r\n", await client.ReadToEndAsync());
    }
}
