using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.FastCgi;

/// <summary>A proxy in front of a FastCGI application in memory, which remembers what it was told.</summary>
internal sealed class CgiApp : IAsyncDisposable
{
    public const string Address = "fastcgi://php.test:9000";

    private readonly ProxyApp _app;

    private CgiApp(ProxyApp app, List<HttpRequestMessage> requests) => (_app, Requests) = (app, requests);

    public List<HttpRequestMessage> Requests { get; }

    public ProxyApp Proxy => _app;

    /// <summary>What the last request told the application.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Parameters =>
        Requests[^1].Options.TryGetValue(FastCgiHandler.Parameters, out var parameters) ? parameters : [];

    /// <summary>The one value of a parameter; null if it is not there.</summary>
    public string? this[string name] => Parameters.Where(p => p.Key == name).Select(p => p.Value).SingleOrDefault();

    public static Task<CgiApp> StartAsync(string root, Action<ReverseProxyOptions>? options = null, Action<WebApplication>? before = null, Action<ProxyRouteBuilder>? route = null) =>
        StartAsync(site => site.Root = root, options, before, route);

    public static Task<CgiApp> StartAsync(Action<FastCgiOptions>? site, Action<ReverseProxyOptions>? options = null, Action<WebApplication>? before = null, Action<ProxyRouteBuilder>? route = null) =>
        StartAsync(
            proxy => proxy.Services.Configure(options ?? (static _ => { })),
            app =>
            {
                before?.Invoke(app);
                var builder = app.MapProxy("/{**path}", Address);
                if (site is not null)
                    builder.WithFastCgi(site);
                route?.Invoke(builder);
            });

    public static async Task<CgiApp> StartAsync(Action<ReverseProxyBuilder> proxy, Action<WebApplication> map)
    {
        var requests = new List<HttpRequestMessage>();
        return new(
            await ProxyApp.StartAsync(
                services =>
                {
                    proxy(services.AddReverseProxy());
                    var destinations = new TestDestinations();
                    destinations.Map(Address, request =>
                    {
                        requests.Add(request);
                        return new(HttpStatusCode.OK);
                    });
                    services.AddProxyTestDestinations(destinations);
                },
                map),
            requests);
    }

    /// <summary>The status of the answer to a request whose target reaches the server as it is written.</summary>
    public async Task<int> GetAsync(string target, Action<HttpContext>? configure = null) => (await _app.GetRawAsync(target, configure)).Response.StatusCode;

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
