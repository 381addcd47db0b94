using System.Net;
using CsCheck;
using Microsoft.AspNetCore.Http;
using ProxyKit.LoadBalancing;

namespace ProxyKit.Tests.LoadBalancing;

public class HashTests
{
    private static readonly ClusterConfig s_config = new()
    {
        ClusterId = "c",
        LoadBalancingPolicy = LoadBalancingPolicies.Hash,
        Hash = new() { Source = HashSource.Header, Name = "X-Key" },
    };

    [Fact]
    public void A_key_always_goes_to_the_same_destination_and_keys_are_spread()
    {
        using var cluster = Cluster(10);
        var first = Map(cluster, 20_000);

        Assert.Equal(first, Map(cluster, 20_000));
        Assert.All(first.CountBy(name => name), share => Assert.InRange(share.Value, 1400, 2600));
        Assert.Equal(10, first.Distinct().Count());
    }

    [Fact]
    public void Keys_are_spread_by_weight()
    {
        using var cluster = Cluster(4, i => 1 << i);

        var shares = Map(cluster, 30_000).CountBy(name => name).ToDictionary();

        Assert.All(cluster.Destinations, d => Assert.InRange(shares[d.Name], 1500 * d.Config.Weight, 2500 * d.Config.Weight));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(20)]
    [InlineData(100)]
    public void One_more_or_one_less_moves_its_own_keys_and_no_other(int destinations)
    {
        const int Keys = 20_000;
        using var fewer = Cluster(destinations);
        using var more = Cluster(destinations + 1);
        var added = BalancedCluster.Name(destinations);

        var (before, after) = (Map(fewer, Keys), Map(more, Keys));

        var moved = Enumerable.Range(0, Keys).Where(i => before[i] != after[i]).ToArray();
        Assert.All(moved, i => Assert.Equal(added, after[i]));
        // Its share: with 160 points each, 1/n give or take a third (four standard deviations).
        Assert.InRange(moved.Length, 0.66 * Keys / (destinations + 1), 1.34 * Keys / (destinations + 1));
    }

    [Fact]
    public void No_key_moves_between_two_that_stay_whichever_goes_down_or_leaves()
    {
        Gen.Select(Gen.Int[1, 10].Array[2, 12], Gen.Int[0, 11]).Sample((weights, index) =>
        {
            var gone = BalancedCluster.Name(index % weights.Length);
            using var cluster = Cluster(weights.Length, i => weights[i]);
            var before = Map(cluster, 300);

            cluster[gone].ActiveHealth = DestinationHealth.Unhealthy;
            var down = Map(cluster, 300);
            Assert.All(before.Zip(down), keys => Assert.True(keys.First == gone ? keys.Second != gone : keys.Second == keys.First));

            cluster[gone].ActiveHealth = DestinationHealth.Healthy;
            Assert.Equal(before, Map(cluster, 300));

            cluster[gone].ActiveHealth = DestinationHealth.Unhealthy;
            cluster.Configure(c => c with { Destinations = c.Destinations.Where(d => d.Name != gone).ToValueList() });
            Assert.Equal(down, Map(cluster, 300)); // what was its successor is so for good
        }, iter: 60);
    }

    [Fact]
    public void A_destination_that_starts_slowly_has_part_of_its_keys_and_no_other_key_moves()
    {
        using var cluster = Cluster(6, _ => 2);
        var all = Map(cluster, 10_000);
        var before = all.Count(name => name == "c");
        foreach (var ramp in new[] { 0.1, 0.5, 0.8 })
        {
            cluster["c"].Ramp = ramp;
            cluster.Refresh();
            var now = Map(cluster, 10_000);

            Assert.All(all.Zip(now), keys => Assert.True(keys.First == "c" || keys.Second == keys.First));
            Assert.InRange(now.Count(name => name == "c"), (ramp - 0.1) * before, (ramp + 0.1) * before);
        }
    }

    [Theory]
    [InlineData(10)]
    [InlineData(100)]
    [InlineData(1000)]
    public void High_weights_have_a_ring_of_the_same_size(int weight)
    {
        using var cluster = Cluster(4, i => weight - (i * weight / 10));

        Assert.Equal(160 * 34, HashRing.Of(cluster.Destinations, null).Length);
        var shares = Map(cluster, 30_000).CountBy(name => name).ToDictionary();
        Assert.All(cluster.Destinations, d => Assert.InRange(shares[d.Name] / 30_000.0, 0.85 * d.Config.Weight / (3.4 * weight), 1.15 * d.Config.Weight / (3.4 * weight)));
    }

    [Fact]
    public void Another_weight_moves_keys_only_to_or_from_that_destination()
    {
        using var cluster = Cluster(6, _ => 2);
        var before = Map(cluster, 5000);

        cluster.Configure(c => c with { Destinations = [c.Destinations[0] with { Weight = 3 }, .. c.Destinations.Skip(1)] });
        var heavier = Map(cluster, 5000);

        Assert.All(before.Zip(heavier).Where(keys => keys.First != keys.Second), keys => Assert.Equal("a", keys.Second));
        Assert.True(heavier.Count(name => name == "a") > 1.2 * before.Count(name => name == "a"));

        cluster["a"].WeightOverride = 2; // an operator's
        cluster.Refresh();
        Assert.Equal(before, Map(cluster, 5000));
    }

    [Fact]
    public void Proxies_with_the_same_destinations_agree_whatever_their_order_and_names()
    {
        using var here = Cluster(7);
        using var there = new BalancedCluster(s_config with
        {
            ClusterId = "other",
            Destinations = here.Destinations.Reverse().Select(d => d.Config with { Name = "n-" + d.Name, Address = d.Config.Address.ToUpperInvariant() }).ToValueList(),
        });

        Assert.Equal(Map(here, 2000), Map(there, 2000).Select(name => name[2..]));
    }

    [Fact]
    public void Proxies_of_different_versions_agree()
    {
        using var cluster = Cluster(10);

        // Must never change: in a rolling upgrade each key would have two destinations.
        Assert.Equal("aajgdiajhcjcbihabgahchaghijijeidgahdaihj", string.Concat(Map(cluster, 40)));
    }

    [Fact]
    public void Retries_of_a_key_always_take_the_same_way()
    {
        using var cluster = Cluster(8);
        var order = cluster.Order(context => context.Request.Headers["X-Key"] = "7");
        Assert.Equal(8, order.Distinct().Count());

        for (var i = 0; i < 8; i++)
        {
            Assert.Equal(order[i..], cluster.Order(context => context.Request.Headers["X-Key"] = "7"));
            order[i].ActiveHealth = DestinationHealth.Unhealthy;
        }
    }

    [Fact]
    public void The_last_one_of_a_thousand_is_found()
    {
        using var cluster = Cluster(1000);
        cluster.Configure(c => c with { Destinations = c.Destinations.Select((d, i) => d with { Weight = i == 777 ? 1 : 1000, MaxConcurrentRequests = 1 }).ToValueList() });
        var last = cluster.Destinations[777];
        foreach (var destination in cluster.Destinations.Where(d => d != last))
            destination.BeginRequest();

        Assert.All(Map(cluster, 50), name => Assert.Equal(last.Name, name));
        last.BeginRequest();
        Assert.Null(cluster.Pick(context => context.Request.Headers["X-Key"] = "1"));
    }

    [Fact]
    public void A_request_without_a_key_goes_anywhere_by_weight()
    {
        using var cluster = Cluster(3, i => i + 1);

        ChiSquare.AssertFits(cluster.Counts(100_000), 1, 2, 3);
    }

    public static TheoryData<string> Sources => ["ClientIp", "ClientIp6", "Header", "Cookie", "Query", "Path", "Url", "Key"];

    [Theory]
    [MemberData(nameof(Sources))]
    public void The_key_is_taken_from(string source)
    {
        HashConfig? hash = source switch
        {
            "ClientIp" or "ClientIp6" => null, // the default
            "Header" => new() { Source = HashSource.Header, Name = "x-tenant" },
            "Cookie" => new() { Source = HashSource.Cookie, Name = "session" },
            "Query" => new() { Source = HashSource.Query, Name = "user" },
            "Path" => new() { Source = HashSource.Path },
            "Url" => new() { Source = HashSource.Url },
            _ => new() { Key = context => context.User.Identity?.Name ?? context.Request.Method },
        };
        using var cluster = Cluster(50);
        cluster.Configure(c => c with { Hash = hash });

        var map = Enumerable.Range(0, 200).Select(i => Pick(i, other: "1")).ToArray();

        Assert.InRange(map.Distinct().Count(), 40, 50);
        Assert.Equal(map, Enumerable.Range(0, 200).Select(i => Pick(i, other: source == "Url" ? "1" : "2")));

        string Pick(int i, string other) => cluster.Pick(context =>
        {
            var request = context.Request;
            context.Connection.RemoteIpAddress = source == "ClientIp6" ? IPAddress.Parse($"2001:db8::{i:x}") : source == "ClientIp" ? IPAddress.Parse($"192.0.2.{i}") : IPAddress.Parse("192.0.2.1" + other);
            request.Method = source == "Key" ? $"M{i}" : "GET" + other;
            request.Headers["X-Tenant"] = source == "Header" ? $"tenant {i}" : other;
            request.Headers.Cookie = $"a={other}; session={(source == "Cookie" ? i : other)}";
            request.Path = source == "Path" ? $"/path/{i}" : source == "Url" ? "/path" : "/" + other;
            request.QueryString = new(source == "Query" ? $"?x={other}&user={i}" : source == "Url" ? $"?q={i}" : "?user=" + other);
        })!.Name;
    }

    [Fact]
    public void A_client_is_the_same_on_a_socket_of_both_versions()
    {
        using var cluster = Cluster(50);
        cluster.Configure(c => c with { Hash = null });

        for (var i = 0; i < 50; i++)
        {
            var address = IPAddress.Parse($"192.0.2.{i}");
            Assert.Same(
                cluster.Pick(context => context.Connection.RemoteIpAddress = address),
                cluster.Pick(context => context.Connection.RemoteIpAddress = address.MapToIPv6()));
        }
    }

    [Fact]
    public void Long_keys_count_to_their_end()
    {
        using var cluster = Cluster(50);
        var names = Enumerable.Range(0, 100).Select(i => cluster.Pick(context => context.Request.Headers["X-Key"] = new string('ä', 5000) + i)!.Name).ToArray();

        Assert.True(names.Distinct().Count() > 30);
        Assert.Equal(names[3], cluster.Pick(context => context.Request.Headers["X-Key"] = new string('ä', 5000) + "3")!.Name);
    }

    [Fact]
    public void The_ring_is_made_anew_only_when_it_changes()
    {
        using var cluster = Cluster(3);
        var ring = HashRing.Of(cluster.Destinations, null);

        Assert.Same(ring, HashRing.Of([.. cluster.Destinations], ring));
        Assert.NotSame(ring, HashRing.Of([.. cluster.Destinations.Take(2)], ring));
        cluster.Configure(c => c with { Destinations = c.Destinations.Select(d => d with { Weight = 2 }).ToValueList() });
        Assert.NotSame(ring, HashRing.Of(cluster.Destinations, ring));
    }

    private static BalancedCluster Cluster(int destinations) => Cluster(destinations, _ => 1);

    private static BalancedCluster Cluster(int destinations, Func<int, int> weight) => new(s_config with
    {
        Destinations = Enumerable.Range(0, destinations).Select(i => BalancedCluster.Destination(BalancedCluster.Name(i)) with { Weight = weight(i) }).ToValueList(),
    });

    /// <summary>Where the keys 0, 1, 2 … go.</summary>
    private static string[] Map(BalancedCluster cluster, int keys) =>
        [.. Enumerable.Range(0, keys).Select(key => cluster.Pick(context => context.Request.Headers["X-Key"] = key.ToString())!.Name)];
}
