using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.Testing;

namespace ProxyKit.Tests;

/// <summary>An app with the proxy in a TestServer, and its upstreams in memory: what a user of the library would write.</summary>
internal sealed class ProxyApp : IAsyncDisposable
{
    public const string Upstream = "http://upstream.test";

    private readonly WebApplication _app;

    private ProxyApp(WebApplication app, FakeLogCollector logs, FakeTimeProvider time)
    {
        _app = app;
        Logs = logs;
        Time = time;
        Server = app.GetTestServer();
        Client = Server.CreateClient();
    }

    public TestServer Server { get; }

    public HttpClient Client { get; }

    public FakeLogCollector Logs { get; }

    public FakeTimeProvider Time { get; }

    public IServiceProvider Services => _app.Services;

    /// <summary>Starts an app. <paramref name="services"/> adds the proxy and test destinations, <paramref name="map"/> maps routes.</summary>
    public static async Task<ProxyApp> StartAsync(Action<IServiceCollection> services, Action<WebApplication> map)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        var time = new FakeTimeProvider();
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddFakeLogging();
        services(builder.Services);
        var app = builder.Build();
        map(app);
        await app.StartAsync();
        return new(app, app.Services.GetFakeLogCollector(), time);
    }

    /// <summary>A proxy that maps everything to one upstream, which answers with <paramref name="answer"/>.</summary>
    public static Task<ProxyApp> StartAsync(Func<HttpRequestMessage, HttpResponseMessage> answer, Action<ProxyRouteBuilder>? route = null, Action<ReverseProxyOptions>? options = null) =>
        StartAsync(
            services =>
            {
                services.AddReverseProxy(options ?? (static _ => { }));
                var destinations = new TestDestinations();
                destinations.Map(Upstream, answer);
                services.AddProxyTestDestinations(destinations);
            },
            app =>
            {
                var builder = app.MapProxy("/{**path}", Upstream);
                route?.Invoke(builder);
            });

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}
