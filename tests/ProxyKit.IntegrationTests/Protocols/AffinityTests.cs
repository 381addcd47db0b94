using Microsoft.AspNetCore.Builder;

namespace ProxyKit.IntegrationTests.Protocols;

public class AffinityTests
{
    [Fact]
    public async Task A_WebSocket_begins_a_session_and_joins_one()
    {
        await using var one = new RawUpstream(connection => AcceptAsync(connection, "one"));
        await using var two = new RawUpstream(connection => AcceptAsync(connection, "two"));
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, one.Url, r => r.WithDestination(two.Url).WithSessionAffinity("stay"));

        var first = await OpenAsync(proxy.Port, "");
        Assert.StartsWith("HTTP/1.1 101 Switching Protocols\r\n", first);
        var cookie = first.Split("\r\n").Single(l => l.StartsWith("Set-Cookie: stay=", StringComparison.Ordinal))["Set-Cookie: ".Length..].Split(';')[0];
        var name = first.Split("\r\n").Single(l => l.StartsWith("X-Name: ", StringComparison.Ordinal));

        for (var i = 0; i < 10; i++)
        {
            var next = await OpenAsync(proxy.Port, $"Cookie: {cookie}; mine=1\r\n");
            Assert.Contains(name + "\r\n", next);
            Assert.DoesNotContain("Set-Cookie", next);
        }
        Assert.All(one.Requests.Concat(two.Requests), sent => Assert.DoesNotContain("stay=", sent));
        Assert.Contains(one.Requests.Concat(two.Requests), sent => sent.Contains("\r\nCookie: mine=1\r\n", StringComparison.Ordinal));
    }

    private static async Task AcceptAsync(RawUpstreamConnection connection, string name)
    {
        var accept = WebSockets.Accept(await connection.ReadHeadAsync());
        await connection.SendAsync(accept.Replace("\r\n\r\n", $"\r\nX-Name: {name}\r\n\r\n", StringComparison.Ordinal));
    }

    private static async Task<string> OpenAsync(int port, string headers)
    {
        using var client = await RawClient.ConnectAsync(port);
        await client.SendAsync(WebSockets.Handshake.Replace("\r\n\r\n", "\r\n" + headers + "\r\n", StringComparison.Ordinal));
        return await client.ReadUntilAsync("\r\n\r\n");
    }
}
