using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Buffering;

using Wire = Protocols.Wire;

/// <summary>Kestrel's MinResponseDataRate decides how slowly a client may read, however the proxy writes.</summary>
public class ClientDataRateTests
{
    private const int Rate = 64_000;

    private static readonly byte[] s_body = Peers.Bytes(800_000, 1);

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public async Task A_client_above_the_minimum_rate_gets_the_whole_body(bool buffered, bool hasLength)
    {
        await using var upstream = await StartUpstreamAsync(hasLength);
        await using var proxy = await StartProxyAsync(Wire.Http1, upstream, buffered, minimum: Rate / 2);
        using var client = await ConnectAsync(proxy);

        // At its rate, by the clock: a flush of the server's takes longer than the grace period.
        var (received, first) = (new MemoryStream(), TimeProvider.System.GetTimestamp());
        var piece = new byte[Rate / 16];
        int read;
        while ((read = await client.ReceiveAsync(piece).WaitAsync(Peers.Patience)) > 0)
        {
            received.Write(piece, 0, read);
            var ahead = TimeSpan.FromSeconds((double)received.Length / Rate) - TimeProvider.System.GetElapsedTime(first);
            if (ahead > TimeSpan.Zero)
                await Task.Delay(ahead);
        }

        Assert.True(received.ToArray().AsSpan().IndexOf(hasLength ? s_body : s_body.AsSpan(0, 100)) > 0);
        Assert.True(received.Length > s_body.Length, "The response ends early.");
        Assert.DoesNotContain(proxy.Logs.GetSnapshot(), r => r.Id.Name is "ClientTooSlow" or "ClientAborted");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_below_the_minimum_rate_is_cut_and_the_log_names_the_rate(bool buffered)
    {
        await using var upstream = await StartUpstreamAsync(hasLength: true, times: 20);
        await using var proxy = await StartProxyAsync(Wire.Http1, upstream, buffered, minimum: 1_000_000);
        using var client = await ConnectAsync(proxy);

        var cut = await proxy.LoggedAsync("ClientTooSlow");

        Assert.Equal(Microsoft.Extensions.Logging.LogLevel.Information, cut.Level);
        Assert.Contains("1000000 bytes per second", cut.Message);
    }

    [Fact]
    public async Task An_HTTP2_client_below_the_minimum_rate_is_cut_and_the_log_names_the_rate()
    {
        await using var upstream = await StartUpstreamAsync(hasLength: true, times: 20);
        await using var proxy = await StartProxyAsync(Wire.H2C, upstream, buffered: false, minimum: 1_000_000);
        using var http = proxy.CreateClient(Wire.H2C);
        using var response = await http.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);

        Assert.Contains("1000000 bytes per second", (await proxy.LoggedAsync("ClientTooSlow")).Message);
    }

    private static Task<KestrelApp> StartUpstreamAsync(bool hasLength, int times = 1) => Peers.StartAsync(Wire.Http1, async context =>
    {
        if (hasLength)
            context.Response.ContentLength = s_body.Length * times;
        for (var i = 0; i < times; i++)
            await context.Response.Body.WriteAsync(s_body, context.RequestAborted);
    });

    private static Task<KestrelApp> StartProxyAsync(Wire client, KestrelApp upstream, bool buffered, double minimum) => Peers.StartProxyAsync(
        client,
        upstream.Url,
        route =>
        {
            if (buffered)
                route.WithBuffering();
        },
        kestrel => kestrel.Limits.MinResponseDataRate = new(minimum, TimeSpan.FromSeconds(1.5)));

    // With the segments and the window of a slow line: the kernel holds little of the response.
    private static async Task<Socket> ConnectAsync(KestrelApp proxy)
    {
        const int tcp = 6, maximumSegment = 2;
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 8192 };
        if (OperatingSystem.IsLinux())
            socket.SetRawSocketOption(tcp, maximumSegment, BitConverter.GetBytes(1400));
        await socket.ConnectAsync(IPAddress.Loopback, proxy.Port);
        await socket.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"u8.ToArray());
        return socket;
    }
}
