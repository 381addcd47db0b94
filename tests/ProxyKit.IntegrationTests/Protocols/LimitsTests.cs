using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.IntegrationTests.Protocols;

/// <summary>Concurrency limits over real sockets.</summary>
public class LimitsTests
{
    [Fact]
    public async Task A_WebSocket_takes_a_place_for_as_long_as_it_is_open()
    {
        await using var echo = await WebSockets.StartEchoAsync(Wire.Http1);
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, echo.Url, r => r.WithConcurrencyLimits(l => (l.MaxConcurrentRequests, l.QueueLimit) = (1, 0)));
        using var client = new HttpClient();
        using (var socket = await proxy.OpenAsync(Wire.Http1, "/ws"))
        {
            var turnedAway = await client.GetAsync(proxy.Url);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, turnedAway.StatusCode);
            Assert.Equal(TimeSpan.FromSeconds(10), turnedAway.Headers.RetryAfter!.Delta);
            await socket.CloseAsync(System.Net.WebSockets.WebSocketCloseStatus.NormalClosure, null, default);
        }

        HttpStatusCode status;
        do
            status = (await client.GetAsync(proxy.Url)).StatusCode;
        while (status == HttpStatusCode.ServiceUnavailable);
        Assert.Equal(HttpStatusCode.InternalServerError, status); // it takes nothing but WebSockets
    }

    [Fact]
    public async Task A_client_that_closes_its_connection_leaves_the_queue_and_its_body_was_never_asked_for()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var served = 0;
        await using var upstream = await KestrelApp.StartAsync(app => app.Run(async context =>
        {
            Interlocked.Increment(ref served);
            reached.TrySetResult();
            await gate.Task;
            await context.Response.WriteAsync("done");
        }));
        ProxyContext? left = null;
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    await next(context);
                    if (context.Request.Path == "/leaving")
                        Volatile.Write(ref left, context.GetProxyContext());
                });
                app.MapProxy("/{**path}", upstream.Url).WithConcurrencyLimits(1);
            },
            services => Microsoft.Extensions.DependencyInjection.ProxyKitServiceCollectionExtensions.AddReverseProxy(services));
        using var client = new HttpClient();
        var first = client.GetStringAsync(proxy.Url);
        await reached.Task;

        using (var leaving = new TcpClient())
        {
            await leaving.ConnectAsync(IPAddress.Loopback, proxy.Port);
            await leaving.GetStream().WriteAsync(Encoding.ASCII.GetBytes("POST /leaving HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
            using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(300)); // that nothing comes can only be waited for
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await leaving.GetStream().ReadExactlyAsync(new byte[1], patience.Token));
        }
        while (Volatile.Read(ref left) is null)
            await Task.Yield();

        Assert.Equal((ProxyError.ClientAborted, 0), (left!.Error, left.Attempts));
        gate.SetResult();
        Assert.Equal("done", await first);
        Assert.Equal("done", await client.GetStringAsync(proxy.Url));
        Assert.Equal(2, served);
    }
}
