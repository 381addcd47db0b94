using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace ProxyKit.IntegrationTests.Protocols;

public sealed class UnixSocketTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("proxykit-unix-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_destination_behind_a_Unix_socket_is_reached_and_sees_localhost()
    {
        var path = Path.Combine(_folder, "app.sock");
        await using var upstream = await StartAsync(path);
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, $"http://unix:{path}");
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal("HTTP/1.1 localhost /a%2Fb?c ", await http.GetStringAsync("/a%2Fb?c"));
    }

    [Fact]
    public async Task A_base_path_stands_before_the_path_and_a_body_passes()
    {
        var path = Path.Combine(_folder, "app.sock");
        await using var upstream = await StartAsync(path);
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, $"http://unix:{path}:/base/");
        using var http = proxy.CreateClient(Wire.Http1);

        var response = await http.PostAsync("/a", new StringContent("body"));

        Assert.Equal("HTTP/1.1 localhost /base/a body", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_Host_header_can_be_configured()
    {
        var path = Path.Combine(_folder, "app.sock");
        await using var upstream = await StartAsync(path);
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}").WithDestination($"http://unix:{path}", d => d.Host = "shop.example"),
            services => Microsoft.Extensions.DependencyInjection.ProxyKitServiceCollectionExtensions.AddReverseProxy(services));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal("HTTP/1.1 shop.example / ", await http.GetStringAsync("/"));
    }

    [Fact]
    public async Task HTTP_2_works_over_a_Unix_socket()
    {
        var path = Path.Combine(_folder, "app.sock");
        await using var upstream = await StartAsync(path, HttpProtocols.Http2);
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, $"http://unix:{path}", r => r.WithUpstream(Wire.H2C));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal("HTTP/2 localhost / ", await http.GetStringAsync("/"));
    }

    [Fact]
    public async Task Two_sockets_are_two_upstreams()
    {
        var one = Path.Combine(_folder, "one.sock");
        var two = Path.Combine(_folder, "two.sock");
        await using var first = await StartAsync(one);
        await using var second = await StartAsync(two, HttpProtocols.Http1, "second");
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.MapProxy("/1", $"http://unix:{one}");
                app.MapProxy("/2", $"http://unix:{two}");
            },
            services => Microsoft.Extensions.DependencyInjection.ProxyKitServiceCollectionExtensions.AddReverseProxy(services));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal("HTTP/1.1 localhost /1 ", await http.GetStringAsync("/1"));
        Assert.Equal("second", await http.GetStringAsync("/2"));
    }

    [Fact]
    public async Task WebSockets_work_over_a_Unix_socket()
    {
        var path = Path.Combine(_folder, "app.sock");
        await using var upstream = await StartAsync(path);
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, $"http://unix:{path}");
        using var socket = await proxy.OpenAsync(Wire.Http1, "/");

        await socket.SendAsync("a"u8.ToArray(), WebSocketMessageType.Text, true, default);
        Assert.Equal((WebSocketMessageType.Text, "a"), await socket.ReadTextAsync());
    }

    [Fact]
    public async Task A_socket_that_is_not_there_is_502()
    {
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, $"http://unix:{Path.Combine(_folder, "none.sock")}");
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal(HttpStatusCode.BadGateway, (await http.GetAsync("/")).StatusCode);
        Assert.Contains(": Connect:", (await proxy.LoggedAsync("RequestFailed")).Message);
    }

    private static async Task<WebApplication> StartAsync(string path, HttpProtocols protocols = HttpProtocols.Http1, string? answer = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.ListenUnixSocket(path, o => o.Protocols = protocols));
        var app = builder.Build();
        app.UseWebSockets();
        app.Run(async context =>
        {
            if (context.WebSockets.IsWebSocketRequest)
            {
                using var socket = await context.WebSockets.AcceptWebSocketAsync();
                await WebSockets.EchoAsync(socket);
                return;
            }
            var target = context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget;
            await context.Response.WriteAsync(answer ?? $"{context.Request.Protocol} {context.Request.Host} {target} ");
            await context.Request.Body.CopyToAsync(context.Response.Body);
        });
        await app.StartAsync();
        return app;
    }
}
