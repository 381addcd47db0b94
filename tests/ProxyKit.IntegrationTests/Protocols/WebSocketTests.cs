using System.Net;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Protocols;

public class WebSocketTests
{
    public static TheoryData<Wire, Wire> Wires => new()
    {
        { Wire.Http1, Wire.Http1 },
        { Wire.H2C, Wire.H2C },
        { Wire.H2Tls, Wire.H2Tls },
        { Wire.H2C, Wire.Http1 },
        { Wire.Http1, Wire.H2C },
        { Wire.Http1, Wire.H2Tls },
        { Wire.Http1Tls, Wire.Http1Tls },
    };

    [Theory, MemberData(nameof(Wires))]
    public async Task Messages_of_every_size_pass_both_ways(Wire client, Wire upstream)
    {
        await using var echo = await WebSockets.StartEchoAsync(upstream);
        await using var proxy = await Peers.StartProxyAsync(client, echo.Url, r => r.WithUpstream(upstream));
        using var socket = await proxy.OpenAsync(client, "/ws?a=b");

        foreach (var size in (int[])[0, 1, 125, 126, 65_535, 65_536, 1_000_000])
        {
            var bytes = Peers.Bytes(size, size);
            await socket.SendAsync(bytes, WebSocketMessageType.Binary, endOfMessage: true, default);
            var (type, message) = await socket.ReadAsync();
            Assert.Equal(WebSocketMessageType.Binary, type);
            Assert.Equal(bytes, message);
        }
        await socket.SendAsync("hé"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, default);
        Assert.Equal((WebSocketMessageType.Text, "hé"), await socket.ReadTextAsync());
    }

    [Fact]
    public async Task A_connection_lives_on_when_its_route_and_cluster_change_and_when_they_go()
    {
        await using var echo = await WebSockets.StartEchoAsync(Wire.Http1);
        var route = new RouteConfig { RouteId = "r", ClusterId = "c", Match = new() { Path = "/{**path}" } };
        var cluster = new ClusterConfig { ClusterId = "c", Destinations = [new() { Address = echo.Url }] };
        var source = new InMemoryProxyConfigSource([route], [cluster]);
        await using var proxy = await KestrelApp.StartAsync(app => app.MapReverseProxy(), services => services.AddReverseProxy().AddConfigSource(source));
        using var socket = await proxy.OpenAsync(Wire.Http1, "/ws");

        await AssertAliveAsync("before");
        source.Update([route with { Order = 1 }], [cluster with { HttpClient = new() { MaxConnectionsPerServer = 1 } }]);
        await AssertAliveAsync("changed");
        source.Update([], []);
        await AssertAliveAsync("gone");

        async Task AssertAliveAsync(string text)
        {
            await socket.SendAsync(Encoding.ASCII.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, default);
            Assert.Equal((WebSocketMessageType.Text, text), await socket.ReadTextAsync());
        }
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task A_message_in_fragments_arrives_whole(Wire client, Wire upstream)
    {
        await using var echo = await WebSockets.StartEchoAsync(upstream);
        await using var proxy = await Peers.StartProxyAsync(client, echo.Url, r => r.WithUpstream(upstream));
        using var socket = await proxy.OpenAsync(client, "/ws");

        for (var i = 0; i < 10; i++)
            await socket.SendAsync(Encoding.ASCII.GetBytes($"{i}"), WebSocketMessageType.Text, endOfMessage: i == 9, default);

        Assert.Equal((WebSocketMessageType.Text, "0123456789"), await socket.ReadTextAsync());
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task A_close_of_the_clients_reaches_the_upstream_with_its_code_and_is_answered(Wire client, Wire upstream)
    {
        var seen = new TaskCompletionSource<(WebSocketCloseStatus?, string?)>();
        await using var peer = await WebSockets.StartAsync(upstream, async (_, socket) =>
        {
            await socket.ReceiveAsync(new byte[10], default);
            seen.SetResult((socket.CloseStatus, socket.CloseStatusDescription));
            await socket.CloseAsync((WebSocketCloseStatus)4001, "so be it", default);
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var socket = await proxy.OpenAsync(client, "/");

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "done", default).WaitAsync(Peers.Patience);

        Assert.Equal((WebSocketCloseStatus.NormalClosure, "done"), await seen.Task.WaitAsync(Peers.Patience));
        Assert.Equal((WebSocketState.Closed, (WebSocketCloseStatus)4001, "so be it"), (socket.State, socket.CloseStatus, socket.CloseStatusDescription));
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task A_close_of_the_upstreams_reaches_the_client_with_its_code_and_is_answered(Wire client, Wire upstream)
    {
        var answered = new TaskCompletionSource<WebSocketCloseStatus?>();
        await using var peer = await WebSockets.StartAsync(upstream, async (_, socket) =>
        {
            await socket.CloseAsync(WebSocketCloseStatus.PolicyViolation, "no", default);
            answered.SetResult(socket.CloseStatus);
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var socket = await proxy.OpenAsync(client, "/");

        await socket.ReceiveAsync(new byte[10], default).WaitAsync(Peers.Patience);
        Assert.Equal((WebSocketCloseStatus.PolicyViolation, "no"), (socket.CloseStatus, socket.CloseStatusDescription));
        await socket.CloseAsync((WebSocketCloseStatus)4002, "yes", default).WaitAsync(Peers.Patience);

        Assert.Equal((WebSocketCloseStatus)4002, await answered.Task.WaitAsync(Peers.Patience));
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task The_upstream_chooses_among_the_clients_subprotocols(Wire client, Wire upstream)
    {
        await using var peer = await Peers.StartAsync(upstream, app =>
        {
            app.UseWebSockets();
            app.Run(async context =>
            {
                Assert.Equal(["soap", "chat"], context.WebSockets.WebSocketRequestedProtocols);
                using var socket = await context.WebSockets.AcceptWebSocketAsync("chat");
                await WebSockets.EchoAsync(socket);
            });
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var socket = await proxy.OpenAsync(client, "/", o =>
        {
            o.AddSubProtocol("soap");
            o.AddSubProtocol("chat");
        });

        Assert.Equal("chat", socket.SubProtocol);
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task Compression_is_negotiated_end_to_end(Wire client, Wire upstream)
    {
        await using var peer = await Peers.StartAsync(upstream, app =>
        {
            app.UseWebSockets();
            app.Run(async context =>
            {
                using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { DangerousEnableCompression = true });
                await WebSockets.EchoAsync(socket);
            });
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var socket = await proxy.OpenAsync(client, "/", o =>
        {
            o.DangerousDeflateOptions = new();
            o.CollectHttpResponseDetails = true;
        });

        Assert.StartsWith("permessage-deflate", socket.HttpResponseHeaders!["Sec-WebSocket-Extensions"].Single());
        await socket.SendAsync(new byte[100_000], WebSocketMessageType.Binary, endOfMessage: true, default);
        Assert.Equal(new byte[100_000], (await socket.ReadAsync()).Message);
    }

    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.Http1)]
    [InlineData(Wire.Http1, Wire.H2C)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task A_ping_is_answered_by_the_other_end(Wire client, Wire upstream)
    {
        await using var echo = await WebSockets.StartEchoAsync(upstream);
        await using var proxy = await Peers.StartProxyAsync(client, echo.Url, r => r.WithUpstream(upstream));
        using var socket = await proxy.OpenAsync(client, "/", o =>
        {
            o.KeepAliveInterval = TimeSpan.FromMilliseconds(20);
            o.KeepAliveTimeout = TimeSpan.FromMilliseconds(2000); // without a pong the socket would abort, and the receive below throw
        });

        var reading = socket.ReadTextAsync();
        await Task.WhenAny(reading, Task.Delay(100));
        Assert.False(reading.IsCompleted);
        await socket.SendAsync("a"u8.ToArray(), WebSocketMessageType.Text, true, default);
        Assert.Equal((WebSocketMessageType.Text, "a"), await reading);
    }

    [Fact]
    public async Task Pings_and_pongs_pass_byte_for_byte()
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\u0089\u0002hi");
            var pong = new byte[8];
            await connection.Socket.ReceiveAsync(pong);
            await connection.SendAsync("\u0082\u0008" + Encoding.Latin1.GetString(pong));
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, upstream.Url);
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync(WebSockets.Handshake);
        var head = await client.ReadUntilAsync("\u0089\u0002hi");
        Assert.StartsWith("HTTP/1.1 101 ", head);
        Assert.Contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", head);
        await client.SendAsync("\u008a\u0082\u0001\u0002\u0003\u0004ik");

        Assert.Equal("\u0082\u0008\u008a\u0082\u0001\u0002\u0003\u0004ik", await client.ReadToEndAsync());
    }

    [Theory]
    [InlineData(Wire.Http1, Wire.Http1, 401)]
    [InlineData(Wire.Http1, Wire.Http1, 404)]
    [InlineData(Wire.H2C, Wire.Http1, 401)]
    [InlineData(Wire.Http1, Wire.H2C, 404)]
    [InlineData(Wire.H2C, Wire.H2C, 401)]
    public async Task A_refused_handshake_comes_back_as_it_is(Wire client, Wire upstream, int status)
    {
        await using var peer = await Peers.StartAsync(upstream, async context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers["X-Why"] = "because";
            await context.Response.WriteAsync("not here");
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        using var socket = WebSockets.Create(client);
        socket.Options.CollectHttpResponseDetails = true;

        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectThroughAsync(proxy, client, "/"));

        Assert.Equal((HttpStatusCode)status, socket.HttpStatusCode);
        Assert.Equal("because", socket.HttpResponseHeaders!["X-Why"].Single());
    }

    [Fact]
    public async Task The_body_of_a_refused_handshake_comes_back_and_the_connection_lives_on()
    {
        await using var peer = await Peers.StartAsync(Wire.Http1, async context =>
        {
            context.Response.StatusCode = 401;
            await context.Response.WriteAsync("who are you?");
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, peer.Url);
        using var client = await RawClient.ConnectAsync(proxy.Port);

        for (var i = 0; i < 2; i++)
        {
            await client.SendAsync(WebSockets.Handshake);
            var response = await client.ReadUntilAsync("\r\n0\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 401 Unauthorized\r\n", response);
            Assert.Contains("who are you?", response);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("c2hvcnQ=")]
    [InlineData("!!!!!!!!!!!!!!!!!!!!!!!!")]
    public async Task A_bad_key_to_an_HTTP_2_upstream_is_400(string key)
    {
        await using var echo = await WebSockets.StartEchoAsync(Wire.H2C);
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, echo.Url, r => r.WithUpstream(Wire.H2C));

        var response = await RawClient.SendAsync(proxy.Port, WebSockets.Handshake.Replace("dGhlIHNhbXBsZSBub25jZQ==", key).Replace("Connection: Upgrade", "Connection: Upgrade, close"));

        Assert.StartsWith("HTTP/1.1 400 ", response);
    }

    [Fact]
    public async Task A_bad_key_of_an_HTTP_2_client_is_400()
    {
        await using var echo = await WebSockets.StartEchoAsync(Wire.Http1);
        await using var proxy = await Peers.StartProxyAsync(Wire.H2C, echo.Url);
        using var http = proxy.CreateClient(Wire.H2C);
        using var handshake = new HttpRequestMessage(HttpMethod.Connect, "/") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        handshake.Headers.Protocol = "websocket";
        handshake.Headers.Add("Sec-WebSocket-Version", "13");
        handshake.Headers.Add("Sec-WebSocket-Key", "short");

        Assert.Equal(HttpStatusCode.BadRequest, (await http.SendAsync(handshake)).StatusCode);
    }

    [Theory]
    [InlineData("Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n")]
    [InlineData("")]
    public async Task A_wrong_accept_of_an_HTTP_1_upstream_is_502_for_an_HTTP_2_client(string accept)
    {
        await using var upstream = new RawUpstream($"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{accept}\r\n");
        await using var proxy = await Peers.StartProxyAsync(Wire.H2C, upstream.Url);
        using var socket = WebSockets.Create(Wire.H2C);
        socket.Options.CollectHttpResponseDetails = true;

        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectThroughAsync(proxy, Wire.H2C, "/"));

        Assert.Equal(HttpStatusCode.BadGateway, socket.HttpStatusCode);
    }

    [Fact]
    public async Task An_HTTP_2_handshake_becomes_an_HTTP_1_handshake_with_a_key_of_the_proxys_own()
    {
        await using var echo = await WebSockets.StartAsync(Wire.Http1, (context, socket) => socket.SendAsync(
            Encoding.ASCII.GetBytes($"{context.Request.Method} {context.Request.Protocol} {Convert.FromBase64String(context.Request.Headers.SecWebSocketKey!).Length} {context.Request.Headers.SecWebSocketVersion}"),
            WebSocketMessageType.Text, true, default));
        await using var proxy = await Peers.StartProxyAsync(Wire.H2C, echo.Url);
        using var socket = await proxy.OpenAsync(Wire.H2C, "/");

        Assert.Equal((WebSocketMessageType.Text, "GET HTTP/1.1 16 13"), await socket.ReadTextAsync());
    }

    [Fact]
    public async Task A_WebSocket_falls_back_to_HTTP_1_when_the_TLS_upstream_has_no_extended_CONNECT()
    {
        await using var echo = await WebSockets.StartEchoAsync(Wire.Http1Tls);
        await using var proxy = await Peers.StartProxyAsync(Wire.H2C, echo.Url, r => r.WithHttpRequest(h => h.Version = HttpVersion.Version20)
            .WithTransforms(t => t.SetRequestHeader("X-Kept", "1")));
        using var socket = await proxy.OpenAsync(Wire.H2C, "/");

        await socket.SendAsync("a"u8.ToArray(), WebSocketMessageType.Text, true, default);
        Assert.Equal((WebSocketMessageType.Text, "a"), await socket.ReadTextAsync());
    }

    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    public async Task An_upstream_that_dies_ends_the_clients_connection_without_a_close_frame(Wire client)
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            var head = await connection.ReadHeadAsync();
            await connection.SendAsync(WebSockets.Accept(head) + "\u0081\u0002hi");
            await connection.Socket.ReceiveAsync(new byte[100]);
            connection.Reset();
        });
        await using var proxy = await Peers.StartProxyAsync(client, upstream.Url);
        using var socket = await proxy.OpenAsync(client, "/");
        Assert.Equal((WebSocketMessageType.Text, "hi"), await socket.ReadTextAsync());

        await socket.SendAsync("die"u8.ToArray(), WebSocketMessageType.Text, true, default);

        await Assert.ThrowsAsync<WebSocketException>(() => socket.ReadTextAsync());
        Assert.Contains("Tunnel", (await proxy.LoggedAsync("ResponseAborted")).Message);
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task A_client_that_dies_ends_the_upstreams_connection(Wire client, Wire upstream)
    {
        var ended = new TaskCompletionSource<string>();
        await using var peer = await WebSockets.StartAsync(upstream, async (_, socket) =>
        {
            try
            {
                await socket.ReceiveAsync(new byte[10], default);
                ended.SetResult($"{socket.State}");
            }
            catch (Exception e)
            {
                ended.SetResult(e.GetType().Name);
            }
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpstream(upstream));
        var socket = await proxy.OpenAsync(client, "/");

        socket.Abort();
        socket.Dispose();

        Assert.Contains("Exception", await ended.Task.WaitAsync(Peers.Patience));
    }

    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task A_connection_on_which_nothing_moves_ends_after_the_idle_limit(Wire client, Wire upstream)
    {
        await using var echo = await WebSockets.StartEchoAsync(upstream);
        await using var proxy = await Peers.StartProxyAsync(client, echo.Url, r => r.WithUpstream(upstream).WithTimeouts(t => t.Idle = TimeSpan.FromMilliseconds(250)));
        using var socket = await proxy.OpenAsync(client, "/");
        for (var i = 0; i < 4; i++)
        {
            // Together longer than the limit: each message starts it anew.
            await Task.Delay(80);
            await socket.SendAsync("a"u8.ToArray(), WebSocketMessageType.Text, true, default);
            await socket.ReadTextAsync();
        }

        await Assert.ThrowsAsync<WebSocketException>(() => socket.ReadTextAsync());
        Assert.Contains("IdleTimeout", (await proxy.LoggedAsync("ResponseAborted")).Message);
    }

    [Fact]
    public async Task The_total_and_first_byte_limits_do_not_end_an_upgraded_connection()
    {
        await using var echo = await WebSockets.StartEchoAsync(Wire.Http1);
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, echo.Url, r => r.WithTimeouts(t => t.Connect = t.FirstByte = t.Total = TimeSpan.FromMilliseconds(150)));
        using var socket = await proxy.OpenAsync(Wire.Http1, "/");

        await Task.Delay(300);
        await socket.SendAsync("a"u8.ToArray(), WebSocketMessageType.Text, true, default);
        Assert.Equal((WebSocketMessageType.Text, "a"), await socket.ReadTextAsync());
    }

    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    public async Task A_route_that_lets_no_upgrade_pass_forwards_no_handshake(Wire client)
    {
        await using var peer = await Peers.StartAsync(Wire.Http1, context =>
            context.Response.WriteAsync($"{context.Request.Method} {context.Request.Headers.Upgrade} {context.Request.Headers.Connection}"));
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url, r => r.WithUpgrades());
        if (client == Wire.Http1)
        {
            using var raw = await RawClient.ConnectAsync(proxy.Port);
            await raw.SendAsync(WebSockets.Handshake);
            var response = await raw.ReadUntilAsync("\r\n0\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 200 OK\r\n", response);
            Assert.Contains("\r\nGET  \r\n", response);
            return;
        }
        using var socket = WebSockets.Create(client);
        socket.Options.CollectHttpResponseDetails = true;
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectThroughAsync(proxy, client, "/"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, socket.HttpStatusCode);
    }

    [Fact]
    public async Task A_hundred_connections_at_once_keep_their_messages_apart()
    {
        await using var echo = await WebSockets.StartEchoAsync(Wire.Http1);
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, echo.Url);

        await Task.WhenAll(Enumerable.Range(0, 100).Select(async n =>
        {
            using var socket = await proxy.OpenAsync(Wire.Http1, "/");
            for (var i = 0; i < 5; i++)
            {
                var bytes = Peers.Bytes(n * 331, n * 10 + i);
                await socket.SendAsync(bytes, WebSocketMessageType.Binary, true, default);
                Assert.Equal(bytes, (await socket.ReadAsync()).Message);
            }
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, default);
        }));
    }
}
