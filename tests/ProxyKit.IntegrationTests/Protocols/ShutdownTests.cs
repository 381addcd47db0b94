using System.Net.WebSockets;
using System.Text;

namespace ProxyKit.IntegrationTests.Protocols;

public class ShutdownTests
{
    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.H2C)]
    [InlineData(Wire.H2C, Wire.Http1)]
    [InlineData(Wire.Http1, Wire.H2C)]
    public async Task A_host_that_stops_says_going_away_to_both_ends_of_a_WebSocket(Wire client, Wire upstream)
    {
        var closed = new TaskCompletionSource<WebSocketCloseStatus?>();
        await using var peer = await WebSockets.StartAsync(upstream, async (_, socket) =>
        {
            while (socket.State == WebSocketState.Open)
                await socket.ReceiveAsync(new byte[10], default);
            closed.SetResult(socket.CloseStatus);
            await socket.CloseOutputAsync(socket.CloseStatus!.Value, null, default);
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var socket = await proxy.OpenAsync(client, "/");
        await socket.SendAsync("a"u8.ToArray(), WebSocketMessageType.Text, true, default);

        var stopping = proxy.StopAsync();
        await socket.ReceiveAsync(new byte[10], default).WaitAsync(Peers.Patience);
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, socket.CloseStatus); // 1001
        await socket.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, null, default);

        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, await closed.Task.WaitAsync(Peers.Patience));
        await stopping.WaitAsync(TimeSpan.FromSeconds(4)); // not after the limit for those that do not answer
    }

    [Fact]
    public async Task A_frame_that_is_under_way_when_the_host_stops_is_completed_before_the_close()
    {
        var begun = new TaskCompletionSource();
        var received = new TaskCompletionSource<byte[]>();
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.SendAsync(WebSockets.Accept(await connection.ReadHeadAsync()));
            // First fragment of a message, 100,000 bytes of which half have come when the host stops.
            await connection.SendAsync("\u0001\u007f\0\0\0\0\0\u0001\u0086\u00a0" + new string('d', 50_000));
            var all = new MemoryStream();
            var buffer = new byte[64 * 1024];
            while (all.Length < 14 + 100_000 + 8)
            {
                var read = await connection.Socket.ReceiveAsync(buffer);
                if (read == 0)
                    break;
                all.Write(buffer, 0, read);
                if (all.Length >= 30_000)
                    begun.TrySetResult();
            }
            received.SetResult(all.ToArray());
            await connection.SendAsync(new string('d', 50_000));
            await connection.SendAsync("\u0080\u0003end"); // would be the message's last fragment; after a close nothing may follow
            await connection.SendAsync("\u0088\u0002\u0003\u00e9");
            await connection.Socket.ReceiveAsync(buffer);
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var client = await RawClient.ConnectAsync(proxy.Port);
        await client.SendAsync(WebSockets.Handshake);
        var head = await client.ReadUntilAsync("\r\n\r\n");
        var read = head.Length - head.IndexOf("\r\n\r\n", StringComparison.Ordinal) - 4; // of the upstream's half frame
        var frame = "\u0002\u00ff\0\0\0\0\0\u0001\u0086\u00a0\u0001\u0002\u0003\u0004" + new string('u', 100_000);
        await client.SendAsync(frame[..30_000]);
        await ReadAsync(client, 50_010 - read);
        await begun.Task.WaitAsync(Peers.Patience); // now both directions are in the middle of a frame

        var stopping = proxy.StopAsync();
        await client.SendAsync(frame[30_000..] + "\u0000\u0083\0\0\0\0end");

        var up = Encoding.Latin1.GetString(await received.Task.WaitAsync(Peers.Patience));
        Assert.Equal(frame, up[..frame.Length]);
        AssertGoingAway(up[frame.Length..], masked: true);
        await client.SendAsync("\u0088\u0082\0\0\0\0\u0003\u00e9");
        var down = await client.ReadToEndAsync();
        Assert.Equal(new string('d', 50_000), down[^50_004..^4]);
        AssertGoingAway(down[^4..], masked: false);
        await stopping.WaitAsync(TimeSpan.FromSeconds(4));
    }

    [Fact]
    public async Task A_request_that_is_under_way_when_the_host_stops_is_answered()
    {
        var arrived = new TaskCompletionSource();
        var answer = new TaskCompletionSource();
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            arrived.SetResult();
            await answer.Task;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var http = proxy.CreateClient(Wire.Http1);

        var request = http.GetStringAsync("/");
        await arrived.Task.WaitAsync(Peers.Patience);
        var stopping = proxy.StopAsync();
        answer.SetResult();

        Assert.Equal("ok", await request);
        await stopping.WaitAsync(Peers.Patience);
    }

    private static async Task ReadAsync(RawClient client, int bytes)
    {
        var buffer = new byte[64 * 1024];
        while (bytes > 0)
            bytes -= await client.Socket.ReceiveAsync(buffer);
    }

    private static void AssertGoingAway(string frame, bool masked)
    {
        Assert.Equal(masked ? 8 : 4, frame.Length);
        Assert.Equal('\u0088', frame[0]);
        var code = masked ? ((frame[6] ^ frame[2]) << 8) | (frame[7] ^ frame[3]) : (frame[2] << 8) | frame[3];
        Assert.Equal(masked ? 0x82 : 0x02, frame[1]);
        Assert.Equal(1001, code);
    }
}
