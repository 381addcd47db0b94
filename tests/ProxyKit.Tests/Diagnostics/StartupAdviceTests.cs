using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Diagnostics;

/// <summary>What the log advises about when the app has started.</summary>
public class StartupAdviceTests
{
    [Theory]
    [InlineData("fastcgi://203.0.113.7:9000", true)]
    [InlineData("fastcgi://[2001:db8::7]", true)]
    [InlineData("fastcgi://8.8.8.8", true)]
    [InlineData("fastcgi://10.1.2.3", false)]
    [InlineData("fastcgi://172.31.0.1", false)]
    [InlineData("fastcgi://172.32.0.1", true)]
    [InlineData("fastcgi://192.168.0.9", false)]
    [InlineData("fastcgi://127.0.0.1:9000", false)]
    [InlineData("fastcgi://[::1]", false)]
    [InlineData("fastcgi://[fd00::1]", false)]
    [InlineData("fastcgi://[::ffff:10.0.0.1]", false)]
    [InlineData("fastcgi://php", false)]
    [InlineData("fastcgi://unix:/run/php.sock", false)]
    [InlineData("http://203.0.113.7", false)]
    public async Task FastCGI_on_a_public_address(string address, bool isGiven)
    {
        await using var app = await StartAsync(app => app.MapProxy("/{**path}", address));

        AssertGiven(app, ProxyAdvice.PublicFastCgi, isGiven);
    }

    [Theory]
    [InlineData("fastcgi://php", null, null, null)]
    [InlineData("fastcgi://php", true, true, null)]
    [InlineData("fastcgi://php", false, null, "request buffering is off")]
    [InlineData("fastcgi://php", null, false, "response buffering is off")]
    [InlineData("fastcgi://php", false, false, "request and response buffering is off")]
    [InlineData("http://app", false, false, null)]
    public async Task FastCGI_without_its_buffering(string address, bool? request, bool? response, string? expected)
    {
        await using var app = await StartAsync(app => app.MapProxy("/shop", address)
            .ConfigureRoute(route => route with { Buffering = new() { Request = new() { Enabled = request }, Response = new() { Enabled = response } } }));

        AssertGiven(app, ProxyAdvice.UnbufferedFastCgi, expected is not null);
        if (expected is not null)
            Assert.Contains($"Route /shop: {expected}", Assert.Single(Given(app)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LoadBalancingPolicies.PowerOfTwoChoices, false, "fastcgi://php-1 fastcgi://php-2", true)]
    [InlineData(LoadBalancingPolicies.RoundRobin, false, "fastcgi://php-1 fastcgi://php-2", true)]
    [InlineData(LoadBalancingPolicies.Random, false, "fastcgi://php-1 fastcgi://unix:/run/php.sock", true)]
    [InlineData(LoadBalancingPolicies.Random, true, "fastcgi://php-1 fastcgi://php-2", false)]
    [InlineData(LoadBalancingPolicies.Hash, false, "fastcgi://php-1 fastcgi://php-2", false)]
    [InlineData(LoadBalancingPolicies.First, false, "fastcgi://php-1 fastcgi://php-2", false)]
    [InlineData(LoadBalancingPolicies.RoundRobin, false, "fastcgi://php-1", false)]
    [InlineData(LoadBalancingPolicies.RoundRobin, false, "fastcgi://php:9000 fastcgi://php:9001", false)] // one machine, one folder of sessions
    [InlineData(LoadBalancingPolicies.RoundRobin, false, "fastcgi://unix:/run/a.sock fastcgi://127.0.0.1 fastcgi://localhost:9001", false)]
    [InlineData(LoadBalancingPolicies.RoundRobin, false, "http://a http://b", false)]
    public async Task Sessions_on_several_machines(string policy, bool hasAffinity, string addresses, bool isGiven)
    {
        await using var app = await StartAsync(app =>
        {
            var route = app.MapProxy("/{**path}", addresses.Split(' ')).WithLoadBalancing(policy);
            if (hasAffinity)
                route.WithSessionAffinity();
        });

        AssertGiven(app, ProxyAdvice.SplitSessions, isGiven);
    }

    [Fact]
    public async Task Several_destinations_of_which_nobody_knows_whether_they_work()
    {
        await using var app = await StartAsync(app =>
        {
            app.MapProxy("/bad", "http://a", "http://b").WithoutFailover();
            app.MapProxy("/default", "http://a", "http://b");
            app.MapProxy("/one", "http://a");
            app.MapProxy("/active", "http://a", "http://b").WithHealthChecks("/healthz");
            app.MapProxy("/passive", "http://a", "http://b").WithPassiveHealthChecks();
            app.MapProxy("/breaker", "http://a", "http://b").WithCircuitBreaker();
        });

        Assert.Contains("Cluster /bad: passive health checks are off", Assert.Single(Given(app)).Message, StringComparison.Ordinal);
        Assert.Equal(LogLevel.Information, Assert.Single(Given(app)).Level);
    }

    [Fact]
    public async Task Each_says_where_to_read_on_and_how_to_silence_it()
    {
        foreach (var advice in Enum.GetValues<ProxyAdvice>())
        {
            var template = typeof(AdviceLog).GetMethod(advice.ToString())!.CustomAttributes.Single(a => a.AttributeType == typeof(LoggerMessageAttribute)).ConstructorArguments[2].Value!.ToString()!;
            Assert.Contains($"docs/startup-advice.md; to silence it: ReverseProxyOptions.SilencedAdvice.Add(ProxyAdvice.{advice})", template, StringComparison.Ordinal);
        }

        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy(o => o.SilencedAdvice.Add(ProxyAdvice.PublicFastCgi)).AddCluster("c", c => c.To("fastcgi://203.0.113.7", "fastcgi://203.0.113.8"));
                services.AddProxyTestDestinations(new());
            },
            app => app.MapProxy("/{**path}", "c"));
        Assert.Equal(["SplitSessions"], Given(app).Select(line => line.Id.Name).Order());
    }

    [Fact]
    public async Task A_reload_is_advised_about_what_is_new_only()
    {
        RouteConfig[] routes = [new() { RouteId = "r", ClusterId = "a", Match = new() { Path = "/" } }];
        var source = new InMemoryProxyConfigSource(routes, [Cluster("a")]);
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddConfigSource(source);
                services.AddProxyTestDestinations(new());
            },
            app => app.MapReverseProxy());
        Assert.Single(Given(app));

        source.Update(routes, [Cluster("a"), Cluster("b")]);

        Assert.Equal(["Cluster a", "Cluster b"], Given(app).Select(line => line.Message[..9]));

        static ClusterConfig Cluster(string id) => new() { ClusterId = id, Failover = false, Destinations = [new() { Address = "http://1" }, new() { Address = "http://2" }] };
    }

    [Theory]
    [InlineData("http://0.0.0.0:80", true)]
    [InlineData("http://[::]:8080", true)]
    [InlineData("http://*:80", true)]
    [InlineData("http://+:80/", true)]
    [InlineData("http://192.0.2.1", true)]
    [InlineData("http://example.com:80", true)]
    [InlineData("http://localhost:5000", false)]
    [InlineData("http://127.0.0.1:5000", false)]
    [InlineData("http://[::1]:5000/", false)]
    [InlineData("http://unix:/run/app.sock", false)]
    [InlineData("http://pipe:/app", false)]
    [InlineData("https://0.0.0.0:443", false)]
    public void A_server_can_be_reached_in_clear_text_at(string url, bool isReachable) => Assert.Equal(isReachable, AddressScope.IsReachable(url));

    private static Task<ProxyApp> StartAsync(Action<WebApplication> map) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            services.AddProxyTestDestinations(new());
        },
        map);

    private static IReadOnlyList<Microsoft.Extensions.Logging.Testing.FakeLogRecord> Given(ProxyApp app) => [.. app.Logs.GetSnapshot().Where(line => line.Id.Id is >= 152 and <= 159)];

    private static void AssertGiven(ProxyApp app, ProxyAdvice advice, bool isGiven) => Assert.Equal(isGiven, Given(app).Any(line => line.Id.Name == advice.ToString()));
}
