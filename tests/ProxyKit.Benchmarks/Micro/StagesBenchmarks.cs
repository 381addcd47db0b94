using System.Net;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Testing;

namespace ProxyKit.Benchmarks.Micro;

/// <summary>What a stage costs that is switched on and has nothing to do: a whole proxied request, with an upstream in memory that answers at once.</summary>
[MemoryDiagnoser]
public class StagesBenchmarks
{
    private static readonly string[] s_upstreams = ["http://one.test", "http://two.test"];

    private WebApplication _app = null!;
    private RequestDelegate _plain = null!, _retries = null!, _hedging = null!, _affinity = null!, _passive = null!, _breaker = null!, _limits = null!, _responseBuffering = null!;

    [GlobalSetup]
    public async Task SetUp()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddReverseProxy();
        var destinations = new TestDestinations();
        foreach (var upstream in s_upstreams)
            destinations.Map(upstream, _ => new HttpResponseMessage(HttpStatusCode.OK));
        builder.Services.AddProxyTestDestinations(destinations);
        _app = builder.Build();
        var routes = new Dictionary<string, Action<ProxyRouteBuilder>>
        {
            ["plain"] = _ => { },
            ["retries"] = r => r.WithRetries(),
            ["hedging"] = r => r.WithHedging(),
            ["affinity"] = r => r.WithSessionAffinity(),
            ["passive"] = r => r.WithHealthChecks(h => (h.Active.Enabled, h.Passive.Enabled) = (false, true)),
            ["breaker"] = r => r.WithCircuitBreaker(),
            ["limits"] = r => r.WithConcurrencyLimits(100),
            ["response-buffering"] = r => r.WithResponseBuffering(),
        };
        foreach (var (name, configure) in routes)
            configure(_app.MapProxy($"/{name}/{{**path}}", s_upstreams));
        await _app.StartAsync();
        var endpoints = ((IEndpointRouteBuilder)_app).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>().ToArray();
        RequestDelegate Find(string name) => endpoints.Single(e => e.RoutePattern.RawText!.StartsWith($"/{name}/", StringComparison.Ordinal)).RequestDelegate!;
        (_plain, _retries, _hedging, _affinity) = (Find("plain"), Find("retries"), Find("hedging"), Find("affinity"));
        (_passive, _breaker, _limits) = (Find("passive"), Find("breaker"), Find("limits"));
        _responseBuffering = Find("response-buffering");
    }

    [GlobalCleanup]
    public async Task CleanUp() => await _app.DisposeAsync();

    [Benchmark(Baseline = true)]
    public Task Plain() => RunAsync(_plain);

    [Benchmark]
    public Task Retries() => RunAsync(_retries);

    [Benchmark]
    public Task Hedging() => RunAsync(_hedging);

    [Benchmark]
    public Task SessionAffinity() => RunAsync(_affinity);

    [Benchmark]
    public Task PassiveHealthChecks() => RunAsync(_passive);

    [Benchmark]
    public Task CircuitBreaker() => RunAsync(_breaker);

    [Benchmark]
    public Task ConcurrencyLimits() => RunAsync(_limits);

    [Benchmark]
    public Task ResponseBuffering() => RunAsync(_responseBuffering);

    private Task RunAsync(RequestDelegate proxy)
    {
        var context = new DefaultHttpContext { RequestServices = _app.Services };
        context.Request.Method = "GET";
        context.Request.Protocol = "HTTP/1.1";
        context.Request.Scheme = "http";
        context.Request.Host = new("example.com");
        context.Request.Path = "/cart";
        context.Features.Get<IHttpRequestFeature>()!.RawTarget = "/cart";
        context.Connection.RemoteIpAddress = IPAddress.Loopback;
        return proxy(context);
    }
}
