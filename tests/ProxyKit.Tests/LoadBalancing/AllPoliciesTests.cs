using System.Net;
using CsCheck;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.LoadBalancing;

/// <summary>What holds for each policy.</summary>
public class AllPoliciesTests
{
    public static TheoryData<string> Policies =>
        [.. typeof(LoadBalancingPolicies).GetFields().Select(f => (string)f.GetValue(null)!)];

    [Fact]
    public void Each_name_has_its_policy()
    {
        var services = new ServiceCollection();
        services.AddReverseProxy();
        using var provider = services.BuildServiceProvider();

        Assert.Equal(Policies.Select(row => row.Data).Order(), provider.GetServices<ILoadBalancingPolicy>().Select(p => p.Name).Order());
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_cluster_without_destinations_gives_none(string policy)
    {
        using var cluster = new BalancedCluster(policy);

        Assert.Null(cluster.Pick(Key));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_single_destination_is_given_until_it_has_been_tried_or_is_full(string policy)
    {
        using var cluster = new BalancedCluster(policy, 3);
        Assert.Equal(["a"], cluster.Order(Key).Select(d => d.Name));
        Assert.Equal(["a"], cluster.Order().Select(d => d.Name)); // nothing to go by

        cluster.Configure(c => c with { Destinations = [c.Destinations[0] with { MaxConcurrentRequests = 2 }] });
        cluster.Occupy("a", 1);
        Assert.NotNull(cluster.Pick(Key));
        cluster.Occupy("a", 1);
        Assert.Null(cluster.Pick(Key));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_request_and_its_retries_go_to_each_destination_once_backups_last(string policy)
    {
        using var cluster = new BalancedCluster(policy, [.. Enumerable.Range(0, 1000).Select(i => i % 7)]);
        cluster.Configure(c => c with { Destinations = c.Destinations.Select((d, i) => d with { Backup = i % 3 == 0 }).ToValueList() });

        var order = cluster.Order(Key);

        Assert.Equal(cluster.Destinations.Where(d => d.Config.Weight > 0).OrderBy(d => d.Name), order.OrderBy(d => d.Name));
        var primaries = order.Count(d => !d.Config.Backup);
        Assert.All(order.Take(primaries), d => Assert.False(d.Config.Backup));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void What_is_refused_is_never_given_and_what_is_left_is_always_found(string policy)
    {
        var context = new DefaultHttpContext();
        Key(context);
        var destination = Gen.Select(Gen.Int[0, 20], Gen.Int[1, 3], Gen.Int[0, 3], Gen.Bool, Gen.Bool,
            (weight, limit, active, isUp, isTried) => (Weight: weight, Limit: limit, Active: active, IsUp: isUp, IsTried: isTried));
        destination.List[0, 40].Sample(list =>
        {
            using var cluster = new BalancedCluster(policy, [.. list.Select(d => d.Weight)]);
            cluster.Configure(c => c with { Destinations = c.Destinations.Select((d, i) => d with { MaxConcurrentRequests = list[i].Limit }).ToValueList() });
            for (var i = 0; i < list.Count; i++)
            {
                cluster.Occupy(cluster.Destinations[i].Name, list[i].Active);
                if (!list[i].IsUp)
                    cluster.Destinations[i].ActiveHealth = DestinationHealth.Unhealthy;
            }
            var request = cluster.Request();
            var left = new HashSet<Destination>();
            foreach (var (d, it) in cluster.Destinations.Zip(list))
            {
                if (it.IsTried)
                    request.AddAttempted(d);
                else if (it.Weight > 0 && it.Active < it.Limit && it.IsUp)
                    left.Add(d);
            }
            return Enumerable.Range(0, 5).Select(_ => cluster.Pick(request, context)).All(given => left.Count == 0 ? given is null : left.Contains(given!));
        }, iter: 200);
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public async Task A_policy_keeps_giving_while_destinations_come_go_and_fill(string policy)
    {
        using var cluster = new BalancedCluster(policy, 1, 2, 3, 4);
        var all = cluster.Balancer.Model.Config.Destinations;
        var picking = Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                var destination = cluster.Pick(Key);
                Assert.NotNull(destination);
                destination.BeginRequest();
                destination.EndRequest();
            }
        })).ToArray();
        for (var i = 0; i < 50 || !picking.All(task => task.IsCompleted); i++)
        {
            cluster.Configure(c => c with { Destinations = all.Skip(i % 3).Select((d, j) => d with { Weight = 1 + ((i + j) % 5) }).ToValueList() });
            cluster["d"].ActiveHealth = i % 2 == 0 ? DestinationHealth.Unhealthy : DestinationHealth.Healthy;
        }

        await Task.WhenAll(picking);
        Assert.All(cluster.Destinations, d => Assert.Equal(0, d.ActiveRequests));
    }

    private static void Key(HttpContext context) => context.Connection.RemoteIpAddress = IPAddress.Parse("192.0.2.1");
}
