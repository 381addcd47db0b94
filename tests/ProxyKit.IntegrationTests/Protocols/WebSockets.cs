using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.IntegrationTests.Protocols;

/// <summary>Both ends of WebSockets.</summary>
internal static class WebSockets
{
    public const string Handshake =
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    public static Task<KestrelApp> StartEchoAsync(Wire wire) => StartAsync(wire, (_, socket) => EchoAsync(socket));

    public static Task<KestrelApp> StartAsync(Wire wire, Func<HttpContext, WebSocket, Task> serve) => Peers.StartAsync(wire, app =>
    {
        app.UseWebSockets();
        app.Run(async context =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await serve(context, socket);
        });
    });

    public static async Task EchoAsync(WebSocket socket)
    {
        var buffer = new byte[16 * 1024];
        while (true)
        {
            var result = await socket.ReceiveAsync(buffer, default);
            if (result.MessageType == WebSocketMessageType.Close)
            {
                await socket.CloseAsync(result.CloseStatus!.Value, result.CloseStatusDescription, default);
                return;
            }
            await socket.SendAsync(buffer.AsMemory(0, result.Count), result.MessageType, result.EndOfMessage, default);
        }
    }

    /// <summary>The head with which a raw upstream accepts.</summary>
    public static string Accept(string requestHead)
    {
        var key = requestHead.Split("\r\n").Single(l => l.StartsWith("Sec-WebSocket-Key: ", StringComparison.OrdinalIgnoreCase))[19..];
        var accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
        return $"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n";
    }

    public static ClientWebSocket Create(Wire wire)
    {
        var socket = new ClientWebSocket();
        socket.Options.HttpVersion = wire.Version();
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        socket.Options.KeepAliveInterval = Timeout.InfiniteTimeSpan;
        return socket;
    }

    public static Task ConnectThroughAsync(this ClientWebSocket socket, KestrelApp app, Wire wire, string path) =>
        socket.ConnectAsync(new Uri($"{(wire.IsTls() ? "wss" : "ws")}://127.0.0.1:{app.Port}{path}"), new HttpMessageInvoker(Peers.CreateHandler()), default)
            .WaitAsync(Peers.Patience);

    public static async Task<ClientWebSocket> OpenAsync(this KestrelApp app, Wire wire, string path, Action<ClientWebSocketOptions>? configure = null)
    {
        var socket = Create(wire);
        configure?.Invoke(socket.Options);
        await socket.ConnectThroughAsync(app, wire, path);
        return socket;
    }

    public static async Task<(WebSocketMessageType Type, byte[] Message)> ReadAsync(this WebSocket socket)
    {
        using var limit = new CancellationTokenSource(Peers.Patience);
        var message = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var result = await socket.ReceiveAsync(buffer, limit.Token);
            message.Write(buffer, 0, result.Count);
            if (result.EndOfMessage)
                return (result.MessageType, message.ToArray());
        }
    }

    public static async Task<(WebSocketMessageType Type, string Text)> ReadTextAsync(this WebSocket socket)
    {
        var (type, message) = await socket.ReadAsync();
        return (type, Encoding.UTF8.GetString(message));
    }
}
