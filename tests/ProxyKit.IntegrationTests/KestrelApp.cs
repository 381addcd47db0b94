using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace ProxyKit.IntegrationTests;

/// <summary>A Kestrel server on a free port of the loopback, be it the proxy or what is behind it.</summary>
internal sealed class KestrelApp : IAsyncDisposable
{
    private readonly WebApplication _app;

    private KestrelApp(WebApplication app)
    {
        _app = app;
        Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
    }

    public Uri Address { get; }

    public string Url => Address.GetLeftPart(UriPartial.Authority);

    public int Port => Address.Port;

    public IServiceProvider Services => _app.Services;

    public FakeLogCollector Logs => _app.Services.GetFakeLogCollector();

    public static async Task<KestrelApp> StartAsync(
        Action<WebApplication> map, Action<IServiceCollection>? services = null, HttpProtocols protocols = HttpProtocols.Http1, Action<ListenOptions>? listen = null, Action<KestrelServerOptions>? kestrel = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(options =>
        {
            kestrel?.Invoke(options);
            options.Listen(IPAddress.Loopback, 0, o =>
            {
                o.Protocols = protocols;
                listen?.Invoke(o);
            });
        });
        builder.Logging.ClearProviders(); // the console is the test runner's
        builder.Services.AddFakeLogging();
        services?.Invoke(builder.Services);
        var app = builder.Build();
        map(app);
        await app.StartAsync();
        return new(app);
    }

    /// <summary>A proxy that maps everything to one upstream.</summary>
    public static Task<KestrelApp> StartProxyAsync(string upstream, Action<ProxyRouteBuilder>? route = null, Action<ReverseProxyOptions>? options = null, HttpProtocols protocols = HttpProtocols.Http1) =>
        StartAsync(
            app =>
            {
                var builder = app.MapProxy("/{**path}", upstream);
                route?.Invoke(builder);
            },
            services => services.AddReverseProxy(options ?? (static _ => { })), protocols);

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    public Task StopAsync() => _app.StopAsync();
}
