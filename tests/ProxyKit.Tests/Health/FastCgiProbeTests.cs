using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;
using static ProxyKit.Tests.Health.ProbedApp;

namespace ProxyKit.Tests.Health;

/// <summary>Health checks against php-fpm and its like.</summary>
public class FastCgiProbeTests
{
    private const string Address = "fastcgi://php-1:9000";

    [Theory]
    [InlineData("/ping", null, "pong", "pong", true)]
    [InlineData("/ping", null, "pong", "nothing of the kind", false)]
    [InlineData("/status", "json", "\"pool\":\"www\"", "{\"pool\":\"www\"}", true)]
    public async Task A_probe_asks_for_the_path_as_a_script_that_is_no_file(string path, string? query, string expected, string body, bool isHealthy)
    {
        var clock = new ProbeClock();
        HttpRequestMessage? asked = null;
        await using var app = await StartAsync(clock, request =>
        {
            asked = request;
            return new() { Content = new StringContent(body) };
        }, Check with { Path = path, Query = query, ExpectedBody = expected, Fall = 1 });

        await clock.SleepAsync();

        Assert.Equal("GET", asked!.Method.Method);
        Assert.Equal($"http://php-1:9000{path}{(query is null ? "" : "?" + query)}", asked.RequestUri!.ToString());
        Assert.True(asked.Options.TryGetValue(FastCgiHandler.Parameters, out var parameters));
        Assert.Equal([new("SCRIPT_NAME", path), new("SCRIPT_FILENAME", path)], parameters);
        Assert.False(asked.Headers.Contains("Connection"));
        Assert.Equal(isHealthy ? DestinationHealth.Healthy : DestinationHealth.Unhealthy, await HealthAsync(app));
    }

    [Theory]
    [InlineData(HttpStatusCode.NotFound)] // ping.path is not configured
    [InlineData(HttpStatusCode.InternalServerError)]
    public async Task An_answer_that_is_not_well_is_a_failure(HttpStatusCode status)
    {
        var clock = new ProbeClock();
        await using var app = await StartAsync(clock, _ => new(status), Check with { Path = "/ping", Fall = 1 });

        await clock.SleepAsync();

        Assert.Equal(DestinationHealth.Unhealthy, await HealthAsync(app));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_TCP_probe_connects(bool listens)
    {
        var clock = new ProbeClock();
        await using var app = await StartAsync(clock, _ => throw new InvalidOperationException("asked"), new() { Enabled = true, Probe = HealthProbe.Tcp, Fall = 1, Timeout = ProbeClock.ProbeTimeout },
            destination => _ = listens ? destination : destination.Refuse());

        await clock.SleepAsync();

        Assert.Equal(listens ? DestinationHealth.Healthy : DestinationHealth.Unhealthy, await HealthAsync(app));
    }

    [Theory]
    [InlineData("'Probe':'Grpc'", "HealthCheck.Active.Probe is Grpc, and the destinations speak FastCGI")]
    [InlineData("'Interval':'00:00:05'", "HealthCheck.Active needs a Path: the ping.path or pm.status_path in php-fpm's configuration")]
    [InlineData("'Path':'/'", "HealthCheck.Active needs a Path")]
    public async Task What_php_fpm_cannot_answer_is_refused_at_start_up(string active, string expected)
    {
        var error = Assert.Single(await Misconfigured.JsonErrorsAsync(
            $"{{'Clusters':{{'c':{{'Destinations':{{'d':{{'Address':'{Address}'}}}},'HealthCheck':{{'Active':{{'Enabled':true,{active}}}}}}}}}}}"));

        Assert.StartsWith("Cluster 'c': ", error, StringComparison.Ordinal);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    private static Task<ProxyApp> StartAsync(ProbeClock clock, Func<HttpRequestMessage, HttpResponseMessage> answer, ActiveHealthCheckConfig check, Action<TestDestination>? fault = null) =>
        ProxyApp.StartAsync(
            services =>
            {
                services.AddSingleton<TimeProvider>(clock);
                services.AddReverseProxy().AddConfigSource(new InMemoryProxyConfigSource(
                    [new RouteConfig { RouteId = "r", ClusterId = "c", Match = new() { Path = "/{**path}" } }],
                    [new ClusterConfig { ClusterId = "c", Destinations = [new() { Address = Address }], HealthCheck = new() { Active = check } }]));
                var destinations = new TestDestinations();
                var destination = destinations.Map(Address, answer);
                fault?.Invoke(destination);
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapReverseProxy());

    private static Task<DestinationHealth> HealthAsync(ProxyApp app) =>
        Task.FromResult(Assert.Single(app.Services.GetRequiredService<ProxyKit.Pipeline.ClusterDirectory>().Find("c")!.Model!.Destinations).ActiveHealth);
}
