using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.LoadBalancing;

/// <summary>Load balancing as it is configured, in code and in JSON.</summary>
public class LoadBalancingConfigTests
{
    private static readonly Func<Microsoft.AspNetCore.Http.HttpContext, string?> s_key = context => context.Request.Method;

    private readonly TestDestinations _destinations = new();

    public LoadBalancingConfigTests()
    {
        foreach (var name in new[] { "a", "b", "c" })
            _destinations.Map($"http://{name}.test", _ => new(HttpStatusCode.OK) { Content = new StringContent(name) });
    }

    [Fact]
    public async Task Weights_and_policy_are_in_force_in_code()
    {
        await using var app = await StartAsync(app => app.MapProxy("/{**path}", "http://b.test")
            .WithLoadBalancing("roundrobin")
            .WithDestination("http://a.test", d => d.Weight = 3)
            .WithDestination("http://c.test", d => d.Weight = 0));

        Assert.Equal("abaa", await GetAsync(app, 4));
    }

    [Fact]
    public async Task And_in_Json()
    {
        await using var app = await StartJsonAsync("""
            'LoadBalancingPolicy': 'RoundRobin',
            'Destinations': { 'one': { 'Address': 'http://a.test', 'Weight': 1 }, 'two': { 'Address': 'http://b.test', 'Weight': 3 } }
            """);

        Assert.Equal("babb", await GetAsync(app, 4));
    }

    [Fact]
    public async Task Json_and_code_make_the_same_record()
    {
        await using var app = await StartJsonAsync("""
            'LoadBalancingPolicy': 'hash', 'Hash': { 'Source': 'cookie', 'Name': 'session', 'BoundedLoadFactor': 1.25 },
            'Destinations': { 'one': { 'Address': 'http://a.test' } }
            """);
        await using var code = await StartAsync(app => app.MapProxy("/{**path}", "http://a.test").WithHashing(h =>
        {
            h.Source = HashSource.Cookie;
            h.Name = "session";
            h.BoundedLoadFactor = 1.25;
        }));

        var hash = Cluster(app).Hash;
        Assert.Equal(new() { Source = HashSource.Cookie, Name = "session", BoundedLoadFactor = 1.25 }, hash);
        Assert.Equal(hash, Cluster(code).Hash);
        Assert.Equal("Hash", Cluster(code).LoadBalancingPolicy);
    }

    [Fact]
    public async Task Steps_for_a_hash_come_with_the_defaults_the_source_and_a_name()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy()
                .AddCluster("ip", c => c.To("http://a.test").WithHashing())
                .AddCluster("url", c => c.To("http://a.test").WithHashing(HashSource.Url))
                .AddCluster("header", c => c.To("http://a.test").WithHashing(HashSource.Header, "X-Tenant"))
                .AddCluster("key", c => c.To("http://a.test").WithHashing(h => h.Key = s_key)),
            _ => { });

        Assert.Equal(
            [new(), new() { Source = HashSource.Url }, new() { Source = HashSource.Header, Name = "X-Tenant" }, new() { Key = s_key }],
            app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters.Select(c => c.Hash));
    }

    [Fact]
    public async Task A_hashed_request_reaches_its_destination()
    {
        await using var app = await StartAsync(app => app.MapProxy("/{**path}", "http://a.test", "http://b.test", "http://c.test").WithHashing(HashSource.Path));

        var first = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => app.Client.GetStringAsync($"/{i}?x")));

        Assert.Equal(3, first.Distinct().Count());
        Assert.Equal(first, await Task.WhenAll(Enumerable.Range(0, 60).Select(i => app.Client.GetStringAsync($"/{i}?y"))));
    }

    [Fact]
    public async Task Retries_of_a_hashed_request_take_the_next_of_its_order()
    {
        foreach (var name in new[] { "a", "b" })
            _destinations.Map($"http://{name}.test", _ => new()).Refuse();
        await using var app = await StartAsync(app => app.MapProxy("/{**path}", "http://a.test", "http://b.test", "http://c.test").WithHashing(HashSource.Path).WithRetries());

        for (var i = 0; i < 30; i++)
            Assert.Equal("c", await app.Client.GetStringAsync($"/{i}"));
    }

    [Fact]
    public async Task The_time_to_the_first_byte_of_real_requests_decides()
    {
        ProxyApp? app = null;
        _destinations.Map("http://a.test", _ =>
        {
            app!.Time.Advance(TimeSpan.FromSeconds(2));
            return new(HttpStatusCode.OK) { Content = new StringContent("a") };
        });
        await using (app = await StartAsync(app => app.MapProxy("/{**path}", "http://a.test", "http://b.test", "http://c.test").WithLoadBalancing(LoadBalancingPolicies.LeastTime)))
        {
            // Each is new once.
            var answers = await GetAsync(app, 50);

            Assert.Equal(1, answers.Count(c => c == 'a'));
            var seen = new List<ProxyContext>();
            for (var i = 0; i < 50; i++)
                seen.Add(await app.OutcomeAsync());
            Assert.Equal(TimeSpan.FromSeconds(2), seen.First(p => p.Destination!.Name == "http://a.test").Destination!.AverageTimeToFirstByte);
        }
    }

    [Fact]
    public async Task A_policy_of_the_users_own_is_known_by_its_name()
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddLoadBalancingPolicy<LastPolicy>();
                services.AddProxyTestDestinations(_destinations);
            },
            app => app.MapProxy("/{**path}", "http://a.test", "http://b.test", "http://c.test").WithLoadBalancing("last"));

        Assert.Equal("ccc", await GetAsync(app, 3));
    }

    [Fact]
    public async Task One_with_a_built_in_name_takes_its_place()
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddLoadBalancingPolicy<OtherDefault>();
                services.AddProxyTestDestinations(_destinations);
            },
            app => app.MapProxy("/{**path}", "http://a.test", "http://b.test", "http://c.test"));

        Assert.Equal("ccc", await GetAsync(app, 3));
    }

    [Theory]
    [InlineData("'LoadBalancingPolicy': 'RoundRobbin'", "LoadBalancingPolicy 'RoundRobbin' is not known. Did you mean 'RoundRobin'? Your own are added with AddLoadBalancingPolicy.")]
    [InlineData("'LoadBalancingPolicy': 'LeastConn'", "LoadBalancingPolicy 'LeastConn' is not known. Known are First, FirstAlphabetical, Hash, LeastRequests, LeastTime, PowerOfTwoChoices, Random, RoundRobin. Your own are added with AddLoadBalancingPolicy.")]
    [InlineData("'Hash': { 'Source': 'Url' }", "Hash has no effect with the LoadBalancingPolicy 'PowerOfTwoChoices'. Set that to Hash, or remove Hash.")]
    [InlineData("'LoadBalancingPolicy': 'Hash', 'Hash': { 'Source': 'Query' }", "Hash.Source Query needs the Name of the query.")]
    [InlineData("'LoadBalancingPolicy': 'Hash', 'Hash': { 'Name': 'X' }", "Hash.Name ('X') has no effect with the Source ClientIp. It goes with Header, Cookie and Query.")]
    [InlineData("'LoadBalancingPolicy': 'Hash', 'Hash': { 'Source': 'Header', 'Name': 'a b' }", "Hash.Name: 'a b' is not a header name.")]
    [InlineData("'LoadBalancingPolicy': 'Hash', 'Hash': { 'BoundedLoadFactor': 1 }", "Hash.BoundedLoadFactor is 1; it must be more than 1 and at most 10, such as 1.25 for a quarter more than its share.")]
    [InlineData("'LoadBalancingPolicy': 'Hash', 'Hash': { 'BoundedLoadFactor': 125 }", "Hash.BoundedLoadFactor is 125; it must be more than 1 and at most 10, such as 1.25 for a quarter more than its share.")]
    public async Task What_is_wrong_is_said_at_startUp(string json, string error) =>
        Assert.Equal([$"Cluster 'c': {error}"], await Misconfigured.JsonErrorsAsync(Section(json)));

    [Theory]
    [InlineData("'Hash': { 'BoundedLoadFactor': 'much' }", "ReverseProxy:Clusters:c:Hash:BoundedLoadFactor: 'much' is not allowed; it must be a number.")]
    [InlineData("'Hash': { 'Source': 'Ip' }", "ReverseProxy:Clusters:c:Hash:Source: 'Ip' is not allowed; it must be ClientIp, Header, Cookie, Query, Path, Url.")]
    [InlineData("'Hash': { 'Key': 'a' }", "ReverseProxy:Clusters:c:Hash:Key is not a known key. Known are BoundedLoadFactor, Name, Source.")]
    public async Task What_cannot_be_read_is_said_at_startUp(string json, string error) =>
        Assert.Contains(error, await Misconfigured.JsonErrorsAsync(Section("'LoadBalancingPolicy': 'Hash', " + json)));

    [Fact]
    public async Task A_key_in_code_takes_the_place_of_the_source()
    {
        var errors = await Misconfigured.ErrorsAsync(app => app.MapProxy("/{**path}", "http://a.test").WithHashing(h =>
        {
            h.Source = HashSource.Path;
            h.Key = s_key;
        }));

        Assert.Equal(["Cluster '/{**path}': Hash.Key takes the place of Hash.Source (Path) and Hash.Name (''). Give only one."], errors);
    }

    private static string Section(string cluster) =>
        $"{{ 'Routes': {{ 'r': {{ 'ClusterId': 'c', 'Match': {{ 'Path': '/{{**path}}' }} }} }}, 'Clusters': {{ 'c': {{ {(cluster.Contains("'Destinations'", StringComparison.Ordinal) ? "" : "'Destinations': { 'd': { 'Address': 'http://a.test' } }, ")}{cluster} }} }} }}";

    private static ClusterConfig Cluster(ProxyApp app) => app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters.Single();

    private static async Task<string> GetAsync(ProxyApp app, int requests)
    {
        var answers = "";
        for (var i = 0; i < requests; i++)
            answers += await app.Client.GetStringAsync("/");
        return answers;
    }

    private Task<ProxyApp> StartAsync(Action<WebApplication> map) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            services.AddProxyTestDestinations(_destinations);
        },
        map);

    private Task<ProxyApp> StartJsonAsync(string cluster) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy().LoadFromConfig(Misconfigured.Json(Section(cluster)));
            services.AddProxyTestDestinations(_destinations);
        },
        app => app.MapReverseProxy());

    private class LastPolicy : ILoadBalancingPolicy
    {
        public virtual string Name => "Last";

        public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker(destinations);

        private sealed class Picker(DestinationSet destinations) : DestinationPicker
        {
            public override Destination? Pick(in PickContext context)
            {
                for (var i = destinations.Available.Count - 1; i >= 0; i--)
                {
                    if (context.Accepts(destinations.Available[i]))
                        return destinations.Available[i];
                }
                return null;
            }
        }
    }

    private sealed class OtherDefault : LastPolicy
    {
        public override string Name => LoadBalancingPolicies.PowerOfTwoChoices;
    }
}
