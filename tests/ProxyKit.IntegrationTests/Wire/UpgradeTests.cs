namespace ProxyKit.IntegrationTests.Wire;

/// <summary>WebSocket handshakes on the wire (acceptance/forwarding.md, 4a, 4e and 4.4).</summary>
public class UpgradeTests : WireTests
{
    private const string Switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    private static string Handshake(string connection = "Upgrade", string more = "") =>
        $"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n";

    [Theory]
    [InlineData("Upgrade")]
    [InlineData("upgrade")]
    [InlineData("keep-alive, Upgrade")]
    [InlineData("Upgrade, X-Foo")]
    [InlineData("keep-alive, X-Foo, Upgrade")]
    public async Task Bytes_flow_both_ways_after_the_switch(string connection)
    {
        await using var wire = await StartAsync(new RawUpstream(async upstream =>
        {
            await upstream.ReadHeadAsync();
            await upstream.SendAsync(Switching + "early"); // in the same segment as the head
            await upstream.ReadUntilAsync("question");
            await upstream.SendAsync("answer");
        }));
        using var client = await wire.ConnectAsync();

        await client.SendAsync(Handshake(connection, "X-Foo: hop\r\n"));
        var response = await client.ReadUntilAsync("early");
        await client.SendAsync("question");
        var rest = await client.ReadToEndAsync();

        Assert.StartsWith("HTTP/1.1 101 ", response);
        Assert.Equal(["websocket"], Raw.Values(response, "Upgrade"));
        Assert.Equal(["Upgrade"], Raw.Values(response, "Connection"));
        Assert.Equal(["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="], Raw.Values(response, "Sec-WebSocket-Accept"));
        Assert.Equal("early", Raw.Body(response));
        Assert.StartsWith("answer", rest);
        Assert.Equal(["Upgrade"], Raw.Values(wire.Forwarded, "Connection"));
        Assert.Equal(["websocket"], Raw.Values(wire.Forwarded, "Upgrade"));
        Assert.Equal(connection.Contains("X-Foo", StringComparison.Ordinal), !Raw.Has(wire.Forwarded, "X-Foo"));
    }

    [Fact]
    public async Task What_the_client_sends_with_its_handshake_reaches_the_upstream_after_the_switch()
    {
        await using var wire = await StartAsync(new RawUpstream(async upstream =>
        {
            Assert.Equal("", Raw.Body(await upstream.ReadHeadAsync()));
            await upstream.SendAsync(Switching);
            await upstream.ReadUntilAsync("eager");
            await upstream.SendAsync("seen");
        }));
        using var client = await wire.ConnectAsync();

        await client.SendAsync(Handshake() + "eager");

        Assert.Contains("seen", await client.ReadUntilAsync("seen"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Sec-WebSocket-Key: \r\n")]
    [InlineData("Sec-WebSocket-Key: short\r\n")]
    [InlineData("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")]
    public async Task A_handshake_without_a_good_key_is_400(string key)
    {
        await using var wire = await StartAsync(Switching);

        var response = await wire.SendAsync($"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{key}Sec-WebSocket-Version: 13\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.Equal(400, Raw.Status(response));
        Assert.DoesNotContain("chat", wire.Upstream.Received, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n")]
    public async Task A_switch_whose_Accept_does_not_fit_the_key_is_502(string accept)
    {
        await using var wire = await StartAsync($"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{accept}\r\n");
        using var client = await wire.ConnectAsync();

        await client.SendAsync(Handshake());

        Assert.Equal(502, Raw.Status(await client.ReadUntilAsync("\r\n\r\n")));
    }

    [Theory]
    [InlineData("another protocol", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")]
    [InlineData("no protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n")]
    public async Task A_switch_that_nobody_asked_for_is_502(string row, string reply)
    {
        await using var wire = await StartAsync(reply);
        using var client = await wire.ConnectAsync();

        await client.SendAsync(Handshake());
        var response = await client.ReadUntilAsync("\r\n\r\n");

        Assert.True(Raw.Status(response) == 502, $"{row}: {response}");
    }

    [Fact]
    public async Task A_refused_handshake_is_an_ordinary_response()
    {
        await using var wire = await StartAsync("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nno");
        using var client = await wire.ConnectAsync();

        await client.SendAsync(Handshake());
        var response = await client.ReadUntilAsync("no");

        Assert.Equal(403, Raw.Status(response));
        Assert.False(Raw.Has(response, "Upgrade"));
    }

    [Theory]
    [InlineData("Content-Length: 3\r\n", "abc")]
    [InlineData("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n")]
    public async Task A_handshake_with_a_body_never_becomes_a_tunnel(string framing, string body)
    {
        await using var wire = await StartAsync(Switching);
        using var client = await wire.ConnectAsync();

        await client.SendAsync(Handshake(more: framing) + body);
        var response = await client.ReadUntilAsync("\r\n\r\n");

        Assert.NotEqual(101, Raw.Status(response));
        Assert.False(Raw.Has(response, "Upgrade"));
    }

    [Fact]
    public async Task The_end_of_one_side_ends_the_other()
    {
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var wire = await StartAsync(new RawUpstream(async upstream =>
        {
            await upstream.ReadHeadAsync();
            await upstream.SendAsync(Switching);
            await upstream.ClosedAsync();
            closed.SetResult();
        }));
        using (var client = await wire.ConnectAsync())
        {
            await client.SendAsync(Handshake());
            await client.ReadUntilAsync("\r\n\r\n");
        }

        await closed.Task.WaitAsync(TimeSpan.FromSeconds(5));
    }
}
