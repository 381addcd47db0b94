using System.Net;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Forwarding;
using ProxyKit.LoadBalancing;
using ProxyKit.Pipeline;

namespace ProxyKit.Benchmarks.Micro;

/// <summary>What it costs to choose a destination, with the counting of the request that goes there. Weights are 1 to 5; a tenth of the destinations are busy.</summary>
[MemoryDiagnoser]
public class LoadBalancingBenchmarks
{
    private readonly DefaultHttpContext _context = new();
    private Balancer _balancer = null!;
    private ProxyContext _proxy = null!;

    [ParamsSource(nameof(Policies))]
    public string Policy { get; set; } = "";

    [Params(2, 10, 1000)]
    public int Destinations { get; set; }

    public static IEnumerable<string> Policies =>
    [
        LoadBalancingPolicies.PowerOfTwoChoices, LoadBalancingPolicies.RoundRobin, LoadBalancingPolicies.Random, LoadBalancingPolicies.LeastRequests,
        LoadBalancingPolicies.LeastTime, LoadBalancingPolicies.First, LoadBalancingPolicies.FirstAlphabetical, LoadBalancingPolicies.Hash,
    ];

    [GlobalSetup]
    public void SetUp()
    {
        var services = new ServiceCollection();
        services.AddReverseProxy();
        var provider = services.BuildServiceProvider();
        var cluster = new Cluster("c", provider.GetRequiredService<HttpHandlerFactory>(), provider.GetRequiredService<ClusterServices>());
        cluster.Commit(cluster.Prepare(new()
        {
            ClusterId = "c",
            LoadBalancingPolicy = Policy,
            Destinations = Enumerable.Range(0, Destinations).Select(i => new DestinationConfig { Address = $"http://10.0.0.1:{i + 1}", Weight = 1 + (i % 5) }).ToValueList(),
        }));
        _balancer = cluster.Balancer;
        _proxy = new(new RouteConfig { RouteId = "r" }, cluster, 0);
        _context.Connection.RemoteIpAddress = IPAddress.Parse("192.0.2.7");
        foreach (var destination in _balancer.Available.Where((_, i) => i % 10 == 0))
            destination.BeginRequest();
    }

    [Benchmark]
    public void Pick()
    {
        var destination = _balancer.Pick(_context, _proxy)!;
        destination.BeginRequest();
        destination.EndRequest();
    }
}
