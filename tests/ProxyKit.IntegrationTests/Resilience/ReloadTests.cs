using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Resilience;

/// <summary>Destinations come, go and change their weights fifty times while requests flow: no request fails, and nothing is counted twice or forgotten.</summary>
public class ReloadTests
{
    private const int Clients = 50, Reloads = 50;

    [Theory]
    [InlineData(LoadBalancingPolicies.PowerOfTwoChoices)]
    [InlineData(LoadBalancingPolicies.RoundRobin)]
    [InlineData(LoadBalancingPolicies.LeastRequests)]
    [InlineData(LoadBalancingPolicies.Hash)]
    public async Task Reloads_under_load_fail_no_request_and_lose_no_count(string policy)
    {
        var upstreams = new List<KestrelApp>();
        for (var i = 0; i < 5; i++)
            upstreams.Add(await KestrelApp.StartAsync(app => app.MapGet("/{**path}", () => "ok")));
        var source = new InMemoryProxyConfigSource([Route], [Cluster(policy, upstreams, new Random(0))]);
        var seen = new ConcurrentDictionary<Destination, bool>();
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    await next(context);
                    if (context.GetProxyContext()?.Destination is { } destination)
                        seen.TryAdd(destination, true);
                });
                app.MapReverseProxy();
            },
            services => services.AddReverseProxy().AddConfigSource(source));
        using var client = new HttpClient { BaseAddress = proxy.Address };
        using var stop = new CancellationTokenSource();
        var failures = new ConcurrentBag<string>();
        var requests = 0;

        var load = Enumerable.Range(0, Clients).Select(async c =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                try
                {
                    using var response = await client.GetAsync($"/{c}/{i}", TestContext.Current.CancellationToken);
                    if (response.StatusCode != HttpStatusCode.OK || await response.Content.ReadAsStringAsync() != "ok")
                        failures.Add($"{(int)response.StatusCode}");
                }
                catch (HttpRequestException e)
                {
                    failures.Add(e.Message);
                }
                Interlocked.Increment(ref requests);
            }
        }).ToArray();
        var random = new Random(1);
        for (var i = 0; i < Reloads; i++)
        {
            var before = Volatile.Read(ref requests);
            source.Update([Route], [Cluster(policy, upstreams, random)]);
            while (Volatile.Read(ref requests) < before + Clients)
                await Task.Yield();
        }
        await stop.CancelAsync();
        await Task.WhenAll(load);

        Assert.Empty(failures);
        Assert.True(seen.Count >= upstreams.Count);
        Assert.All(seen.Keys, d => Assert.Equal(0, d.ActiveRequests));
        Assert.Null(proxy.Services.GetRequiredService<ProxyConfigMonitor>().LastError);
        foreach (var upstream in upstreams)
            await upstream.DisposeAsync();
    }

    private static RouteConfig Route => new() { RouteId = "all", ClusterId = "c", Match = new() { Path = "/{**path}" } };

    // Two or more of the five, each with some weight.
    private static ClusterConfig Cluster(string policy, List<KestrelApp> upstreams, Random random) => new()
    {
        ClusterId = "c",
        LoadBalancingPolicy = policy,
        Hash = policy == LoadBalancingPolicies.Hash ? new() { Source = HashSource.Path } : null,
        Destinations = upstreams.OrderBy(_ => random.Next()).Take(random.Next(2, 6)).Select(u => new DestinationConfig { Address = u.Url, Weight = random.Next(1, 10) }).ToValueList(),
    };
}
