using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
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
    private readonly Channel<ProxyContext> _outcomes;

    private ProxyApp(WebApplication app, FakeLogCollector logs, FakeTimeProvider time, Channel<ProxyContext> outcomes)
    {
        _app = app;
        _outcomes = outcomes;
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
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Debug);
        builder.Services.AddFakeLogging();
        services(builder.Services);
        var app = builder.Build();
        var outcomes = Channel.CreateUnbounded<ProxyContext>();
        app.Use(async (context, next) =>
        {
            try
            {
                await next(context);
            }
            finally
            {
                if (context.GetProxyContext() is { } proxy)
                    outcomes.Writer.TryWrite(proxy);
            }
        });
        map(app);
        try
        {
            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
        return new(app, app.Services.GetFakeLogCollector(), time, outcomes);
    }

    /// <summary>A proxy that maps everything to <paramref name="recorder"/>.</summary>
    public static Task<ProxyApp> StartAsync(Recorder recorder, Action<ProxyRouteBuilder>? route = null, Action<ReverseProxyOptions>? options = null) =>
        StartAsync(recorder.Handle, route, options);

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

    /// <summary>What became of the next request that the proxy has ended, in order.</summary>
    public async Task<ProxyContext> OutcomeAsync() => await _outcomes.Reader.ReadAsync(TestContext.Current.CancellationToken);

    /// <summary>Sends a GET whose target reaches the server as it is written, as no client would leave it.</summary>
    public Task<HttpContext> GetRawAsync(string target, Action<HttpContext>? configure = null) => Server.SendAsync(context =>
    {
        var query = target.IndexOf('?', StringComparison.Ordinal);
        context.Request.Method = "GET";
        context.Request.Scheme = "http";
        context.Request.Host = new("localhost");
        context.Request.Path = PathString.FromUriComponent(query < 0 ? target : target[..query]);
        context.Request.QueryString = new(query < 0 ? "" : target[query..]);
        context.Features.Get<IHttpRequestFeature>()!.RawTarget = target;
        configure?.Invoke(context);
    });

    /// <summary>Waits until a request has reached the upstream.</summary>
    public static async Task ReachedAsync(TestDestination upstream)
    {
        while (upstream.Requests == 0)
            await Task.Yield();
    }

    /// <summary>Lets the clock run until <paramref name="task"/> ends; timers are set by code that runs beside the test.</summary>
    public async Task<T> AdvanceUntilAsync<T>(Task<T> task, TimeSpan step)
    {
        while (!task.IsCompleted)
        {
            Time.Advance(step);
            // What the step has set off goes first: the clock must not run away from it, however fast the machine is.
            var start = System.Diagnostics.Stopwatch.GetTimestamp();
            while (!task.IsCompleted && System.Diagnostics.Stopwatch.GetElapsedTime(start) < TimeSpan.FromMilliseconds(1))
                await Task.Yield();
        }
        return await task;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}
