using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;

namespace ProxyKit.IntegrationTests.Protocols;

public class UpgradeTests
{
    private const string Request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: Chat\r\n\r\n";
    private const string Switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\nX-Extra: 1\r\n\r\n";

    [Fact]
    public async Task A_protocol_that_is_opted_in_passes_raw_bytes_both_ways()
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(Switching + "welcome\0\u00ff");
            await EchoAsync(connection, until: '!');
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url, r => r.WithUpgrades("chat"));
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync(Request + "first\0"); // what follows the head at once belongs to the protocol
        var head = await client.ReadUntilAsync("first\0");
        await client.SendAsync("second\u0080!");
        var rest = await client.ReadToEndAsync();

        Assert.StartsWith("HTTP/1.1 101 Switching Protocols\r\n", head);
        Assert.Contains("\r\nX-Extra: 1\r\n", head);
        Assert.Contains("\r\n\r\nwelcome\0\u00ff", head);
        Assert.EndsWith("second\u0080!", rest);
        var sent = Assert.Single(upstream.Requests);
        Assert.Contains("\r\nConnection: Upgrade\r\n", sent);
        Assert.Contains("\r\nUpgrade: Chat\r\n", sent);
    }

    [Fact]
    public async Task What_the_upstream_sent_before_it_ended_its_half_arrives_in_full()
    {
        var bytes = Encoding.Latin1.GetString(Peers.Bytes(2_000_000, 5));
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(Switching);
            for (var i = 0; i < bytes.Length; i += 100_000)
                await connection.SendAsync(bytes.Substring(i, 100_000));
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url, r => r.WithUpgrades("chat"));
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync(Request);
        var all = await client.ReadToEndAsync();

        Assert.Equal(bytes, all[(all.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
    }

    [Fact]
    public async Task What_the_client_sent_before_it_ended_its_half_arrives_in_full()
    {
        var received = new TaskCompletionSource<string>();
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(Switching);
            var text = new StringBuilder();
            var buffer = new byte[1000];
            int read;
            while ((read = await connection.Socket.ReceiveAsync(buffer)) > 0)
                text.Append(Encoding.Latin1.GetString(buffer, 0, read));
            received.SetResult(text.ToString());
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url, r => r.WithUpgrades("chat"));
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync(Request);
        await client.ReadUntilAsync("\r\n\r\n");
        await client.SendAsync(new string('x', 10_000));
        client.Socket.Shutdown(SocketShutdown.Send);

        Assert.Equal(10_000, (await received.Task.WaitAsync(Peers.Patience)).Length);
    }

    [Fact]
    public async Task A_protocol_that_is_not_opted_in_is_ignored()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);

        var response = await RawClient.SendAsync(proxy.Port, Request.Replace("Connection: Upgrade", "Connection: Upgrade, close"));

        Assert.StartsWith("HTTP/1.1 200 OK\r\n", response);
        Assert.EndsWith("\r\n\r\nok", response);
        Assert.DoesNotContain("Upgrade", Assert.Single(upstream.Requests), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Opting_in_to_one_protocol_lets_no_other_pass_not_even_WebSockets()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url, r => r.WithUpgrades("chat"));

        await RawClient.SendAsync(proxy.Port, WebSockets.Handshake.Replace("Connection: Upgrade", "Connection: Upgrade, close"));

        Assert.DoesNotContain("Upgrade:", Assert.Single(upstream.Requests), StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")] // nobody asked
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n")] // asked, but not let pass
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: other\r\n\r\n")] // another one
    public async Task A_101_that_does_not_answer_the_question_is_502(string request)
    {
        await using var upstream = new RawUpstream(Switching);
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url, r => r.WithUpgrades("chat", "other"));

        var response = await RawClient.SendAsync(proxy.Port, request);

        Assert.StartsWith("HTTP/1.1 502 ", response);
        Assert.DoesNotContain("Upgrade:", response);
        Assert.Contains("InvalidResponse", (await proxy.LoggedAsync("RequestFailed")).Message);
    }

    [Fact]
    public async Task An_upstream_that_resets_an_upgraded_connection_resets_the_clients()
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(Switching + "a");
            await connection.Socket.ReceiveAsync(new byte[10]);
            connection.Reset();
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url, r => r.WithUpgrades("chat"));
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync(Request);
        await client.ReadUntilAsync("\r\n\r\na");
        await client.SendAsync("die");

        Assert.True((await client.ReadToEndOrResetAsync()).Reset);
    }

    [Fact]
    public async Task A_raw_connection_on_which_nothing_moves_ends_after_the_idle_limit()
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(Switching);
            await connection.Socket.ReceiveAsync(new byte[10]);
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url, r => r.WithUpgrades("chat").WithTimeouts(t => t.Idle = TimeSpan.FromMilliseconds(200)));
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync(Request);
        await client.ReadToEndAsync();

        Assert.Contains("IdleTimeout", (await proxy.LoggedAsync("ResponseAborted")).Message);
    }

    private static async Task EchoAsync(RawUpstreamConnection connection, char until)
    {
        var buffer = new byte[1000];
        while (true)
        {
            var read = await connection.Socket.ReceiveAsync(buffer);
            var text = Encoding.Latin1.GetString(buffer, 0, read);
            await connection.SendAsync(text);
            if (read == 0 || text.Contains(until))
                return;
        }
    }
}
