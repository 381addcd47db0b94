using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;
using ProxyKit.Tests.LoadBalancing;

namespace ProxyKit.Tests.FastCgi;

/// <summary>Several php-fpm behind one route: what holds for HTTP holds for them.</summary>
public class BalancingTests
{
    private static readonly string[] s_addresses = ["fastcgi://php-1", "fastcgi://php-2:9001", "fastcgi://unix:/run/php/php-3.sock"];

    public static TheoryData<string> Policies => AllPoliciesTests.Policies;

    [Theory]
    [MemberData(nameof(Policies))]
    public async Task Each_policy_has_a_request_answered_while_one_of_them_works(string policy)
    {
        var destinations = new TestDestinations();
        var upstreams = s_addresses.Select(address => destinations.Map(address, _ => new() { Content = new StringContent(address) })).ToArray();
        await using var app = await StartAsync(destinations, route => route.WithLoadBalancing(policy).WithRetries(2));

        foreach (var working in Enumerable.Range(0, 3))
        {
            foreach (var (i, upstream) in upstreams.Index())
                _ = i == working ? upstream.Recover() : upstream.Refuse();

            Assert.Equal(s_addresses[working], await app.Client.GetStringAsync("/index.php"));
        }
    }

    [Theory]
    [InlineData(LoadBalancingPolicies.RoundRobin)]
    [InlineData(LoadBalancingPolicies.Random)]
    [InlineData(LoadBalancingPolicies.PowerOfTwoChoices)]
    [InlineData(LoadBalancingPolicies.LeastRequests)]
    public async Task A_policy_that_spreads_reaches_them_all(string policy)
    {
        var destinations = new TestDestinations();
        foreach (var address in s_addresses)
            destinations.Map(address, _ => new() { Content = new StringContent(address) });
        await using var app = await StartAsync(destinations, route => route.WithLoadBalancing(policy));

        var seen = new HashSet<string>();
        for (var i = 0; i < 200; i++)
            seen.Add(await app.Client.GetStringAsync("/index.php"));

        Assert.Equal(s_addresses.Order(), seen.Order());
    }

    [Fact]
    public async Task A_script_that_may_have_run_is_run_again_only_where_that_does_no_harm()
    {
        var destinations = new TestDestinations();
        var upstreams = s_addresses.Select(address => destinations.Map(address, _ => new() { Content = new StringContent(address) })).ToArray();
        await using var app = await StartAsync(destinations, route => route.WithLoadBalancing(LoadBalancingPolicies.First).WithRetries(2));
        upstreams[0].Reset();

        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/index.php")).StatusCode);
        Assert.Equal(HttpStatusCode.BadGateway, (await app.Client.PostAsync("/index.php", new StringContent("order"))).StatusCode);
        Assert.Equal(2, upstreams[0].Requests);
        Assert.Equal(1, upstreams[1].Requests);
    }

    private static Task<ProxyApp> StartAsync(TestDestinations destinations, Action<ProxyRouteBuilder> route) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            services.AddProxyTestDestinations(destinations);
        },
        app => route(app.MapProxy("/{**path}", s_addresses)));
}
