using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.IntegrationTests.Protocols;

public class TimeoutTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMilliseconds(250);

    [Fact]
    public async Task A_connection_that_does_not_come_about_is_504_after_the_connect_limit()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Other systems refuse what does not fit into the backlog.");
        // Linux drops the SYNs that do not fit into a full backlog: connecting hangs.
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(0);
        var fillers = Enumerable.Range(0, 4).Select(_ => new Socket(SocketType.Stream, ProtocolType.Tcp)).ToList();
        try
        {
            foreach (var filler in fillers)
                await Task.WhenAny(filler.ConnectAsync(listener.LocalEndPoint!), Task.Delay(50));
            await using var proxy = await Peers.StartProxyAsync(Wire.Http1, $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndPoint!).Port}", r => r.WithTimeouts(t => t.Connect = s_limit));
            using var http = proxy.CreateClient(Wire.Http1);

            var response = await http.GetAsync("/");

            Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
            Assert.Contains(": ConnectTimeout: ", (await proxy.LoggedAsync("RequestFailed")).Message);
        }
        finally
        {
            fillers.ForEach(f => f.Dispose());
        }
    }

    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    public async Task An_upstream_that_says_nothing_is_504_after_the_first_byte_limit_and_sees_the_request_end(Wire upstream)
    {
        var ended = new TaskCompletionSource();
        await using var peer = await Peers.StartAsync(upstream, async context =>
        {
            context.RequestAborted.Register(() => ended.TrySetResult());
            await ended.Task;
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, peer.Url, r => r.WithUpstream(upstream).WithTimeouts(t => t.Connect = t.FirstByte = s_limit));
        using var http = proxy.CreateClient(Wire.Http1);
        var start = Stopwatch.GetTimestamp();

        var response = await http.GetAsync("/");

        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.True(Stopwatch.GetElapsedTime(start) >= s_limit);
        Assert.Contains(": FirstByteTimeout: ", (await proxy.LoggedAsync("RequestFailed")).Message);
        await ended.Task.WaitAsync(Peers.Patience);
    }

    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    public async Task An_upload_that_takes_longer_than_the_first_byte_limit_does_not_exceed_it(Wire upstream)
    {
        await using var peer = await Peers.StartAsync(upstream, context => context.Request.Body.CopyToAsync(context.Response.Body));
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, peer.Url, r => r.WithUpstream(upstream).WithTimeouts(t => t.Connect = t.FirstByte = s_limit));
        using var http = proxy.CreateClient(Wire.Http1);
        using var body = new LiveContent();

        var sending = http.PostAsync("/", body);
        for (var i = 0; i < 6; i++)
        {
            await Task.Delay(80);
            await body.WriteAsync("x");
        }
        body.End();

        Assert.Equal("xxxxxx", await (await sending).Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(Wire.Http1, "Transfer-Encoding: chunked", "1\r\na\r\n")]
    [InlineData(Wire.Http1, "Content-Length: 2", "a")]
    [InlineData(Wire.H2C, "Transfer-Encoding: chunked", "1\r\na\r\n")]
    [InlineData(Wire.H2C, "Content-Length: 2", "a")]
    public async Task A_body_that_stalls_breaks_the_response_off_after_the_idle_limit(Wire client, string framing, string piece)
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync($"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{piece}");
            await connection.Socket.ReceiveAsync(new byte[1]);
        });
        await using var proxy = await Peers.StartProxyAsync(client, upstream.Url, r => r.WithTimeouts(t => t.Idle = s_limit));
        using var http = proxy.CreateClient(client);
        using var response = await http.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        var stream = await response.Content.ReadAsStreamAsync();
        Assert.Equal("a", await stream.ReadSomeAsync(1));

        await Assert.ThrowsAnyAsync<IOException>(() => stream.ReadSomeAsync(1));
        Assert.Contains(": IdleTimeout: ", (await proxy.LoggedAsync("ResponseAborted")).Message);
    }

    [Fact]
    public async Task A_body_that_trickles_on_does_not_exceed_the_idle_limit()
    {
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            for (var i = 0; i < 6; i++)
            {
                await context.Response.WriteAsync("x");
                await context.Response.Body.FlushAsync();
                await Task.Delay(80);
            }
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url, r => r.WithTimeouts(t => t.Idle = s_limit));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal("xxxxxx", await http.GetStringAsync("/"));
    }

    [Fact]
    public async Task A_client_that_stops_reading_is_cut_off_after_the_idle_limit()
    {
        var ended = new TaskCompletionSource();
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            context.RequestAborted.Register(() => ended.TrySetResult());
            var block = new byte[100_000];
            while (!context.RequestAborted.IsCancellationRequested)
                await context.Response.Body.WriteAsync(block, context.RequestAborted);
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url, r => r.WithTimeouts(t => t.Idle = s_limit), k => k.Limits.MinResponseDataRate = null);
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

        await ended.Task.WaitAsync(Peers.Patience);
        Assert.Contains(": IdleTimeout: ", (await proxy.LoggedAsync("ResponseAborted")).Message);
    }

    [Fact]
    public async Task The_total_limit_ends_a_request_that_was_not_answered_with_504()
    {
        await using var upstream = await Peers.StartAsync(Wire.Http1, context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url, r => r.WithTimeout(s_limit));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal(HttpStatusCode.GatewayTimeout, (await http.GetAsync("/")).StatusCode);
        Assert.Contains(": TotalTimeout: ", (await proxy.LoggedAsync("RequestFailed")).Message);
    }

    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    public async Task The_total_limit_breaks_off_a_response_that_goes_on(Wire client)
    {
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            while (true)
            {
                await context.Response.WriteAsync("x", context.RequestAborted);
                await context.Response.Body.FlushAsync();
                await Task.Delay(20, context.RequestAborted);
            }
        });
        await using var proxy = await Peers.StartProxyAsync(client, upstream.Url, r => r.WithTimeout(s_limit));
        using var http = proxy.CreateClient(client);
        using var response = await http.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => response.Content.ReadAsStringAsync());
        Assert.Contains(": TotalTimeout: ", (await proxy.LoggedAsync("ResponseAborted")).Message);
    }

    [Fact]
    public async Task Limits_of_one_request_do_not_reach_into_the_next()
    {
        // Clocks are pooled, with their timers left running.
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            await Task.Delay(context.Request.Path == "/slow" ? 400 : 0);
            await context.Response.WriteAsync("ok");
        });
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.MapProxy("/fast", upstream.Url).WithTimeouts(t => t.Connect = t.FirstByte = t.Idle = s_limit);
                app.MapProxy("/slow", upstream.Url);
            },
            services => Microsoft.Extensions.DependencyInjection.ProxyKitServiceCollectionExtensions.AddReverseProxy(services));
        using var http = proxy.CreateClient(Wire.Http1);

        for (var i = 0; i < 20; i++)
            Assert.Equal("ok", await http.GetStringAsync("/fast"));
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => http.GetStringAsync("/slow"))), text => Assert.Equal("ok", text));
    }
}
