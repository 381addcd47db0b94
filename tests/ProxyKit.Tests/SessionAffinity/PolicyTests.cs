using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.SessionAffinity;

/// <summary>How sessions are told.</summary>
public class PolicyTests
{
    [Theory]
    [InlineData(SessionAffinityPolicies.HashCookie)]
    [InlineData(SessionAffinityPolicies.Cookie)]
    [InlineData(SessionAffinityPolicies.ArrCookie)]
    public async Task A_session_stays_with_the_destination_that_first_answered(string policy)
    {
        await using var app = await AffinityApp.StartAsync(o => o.Policy = policy);
        var browser = new Browser(app);

        var first = await browser.GetAsync();
        Assert.Equal(AffinityStatus.New, first.Proxy.AffinityStatus);
        Assert.Null(first.Proxy.AffineDestination);
        Assert.StartsWith("stay=", Assert.Single(first.SetCookies), StringComparison.Ordinal);

        for (var i = 0; i < 20; i++)
        {
            var next = await browser.GetAsync();
            Assert.Equal(first.Body, next.Body);
            Assert.Equal(AffinityStatus.Found, next.Proxy.AffinityStatus);
            Assert.Same(first.Proxy.Destination, next.Proxy.AffineDestination);
            Assert.Empty(next.SetCookies);
        }
    }

    [Fact]
    public async Task A_client_without_cookies_sends_back_a_header()
    {
        await using var app = await AffinityApp.StartAsync(o => (o.Policy, o.AffinityKeyName) = (SessionAffinityPolicies.CustomHeader, "X-Session"));
        var client = new Browser(app);

        var first = await client.GetAsync();
        client.Headers["X-Session"] = Assert.Single(first.Response.Headers.GetValues("X-Session"));

        Assert.Empty(first.SetCookies);
        Assert.Equal(first.Body, await client.NextAsync());
        Assert.False((await client.GetAsync()).Response.Headers.Contains("X-Session"));
    }

    [Fact]
    public async Task New_sessions_are_spread()
    {
        await using var app = await AffinityApp.StartAsync(_ => { });

        foreach (var name in AffinityApp.Names)
            await app.SessionOnAsync(name);
    }

    [Theory]
    [InlineData(SessionAffinityPolicies.HashCookie)]
    [InlineData(SessionAffinityPolicies.ArrCookie)]
    [InlineData(SessionAffinityPolicies.CustomHeader)]
    public async Task Two_proxies_agree_without_sharing_anything(string policy)
    {
        await using var one = await AffinityApp.StartAsync(o => o.Policy = policy);
        await using var two = await AffinityApp.StartAsync(o => o.Policy = policy);

        foreach (var name in AffinityApp.Names)
        {
            var key = await KeyAsync(one, name);

            Assert.Equal(name, await WithKey(two, key).NextAsync());
        }
    }

    [Fact]
    public async Task Two_proxies_with_one_secret_agree_and_those_with_another_do_not()
    {
        await using var one = await AffinityApp.StartAsync(o => o.Secret = "0123456789abcdef");
        await using var two = await AffinityApp.StartAsync(o => o.Secret = "0123456789abcdef");
        await using var other = await AffinityApp.StartAsync(o => o.Secret = "fedcba9876543210");
        await using var none = await AffinityApp.StartAsync(_ => { });
        var key = await KeyAsync(one, "a");

        Assert.Equal("a", await WithKey(two, key).NextAsync());
        Assert.Equal(AffinityStatus.Unknown, (await WithKey(other, key).GetAsync()).Proxy.AffinityStatus);
        Assert.Equal(AffinityStatus.Unknown, (await WithKey(none, key).GetAsync()).Proxy.AffinityStatus);
    }

    [Fact]
    public async Task A_key_says_nothing_of_the_destination_and_differs_by_cluster_address_and_host()
    {
        var keys = new HashSet<string>();
        foreach (var (pattern, host, address) in new[] { ("/{**a}", "x", "http://a.test"), ("/{**b}", "x", "http://a.test"), ("/{**a}", "y", "http://a.test"), ("/{**a}", "x", "http://b.test") })
        {
            await using var app = await ProxyApp.StartAsync(
                services =>
                {
                    services.AddReverseProxy();
                    services.AddProxyTestDestinations(AffinityApp.Destinations(AffinityApp.Answer));
                },
                app => app.MapProxy(pattern).WithDestination(address, d => d.Host = host).WithSessionAffinity("stay"));
            var browser = new Browser(app);
            await browser.GetAsync();

            Assert.Matches("^[A-Za-z0-9_-]{22}$", browser.Cookies["stay"]);
            Assert.True(keys.Add(browser.Cookies["stay"]));
        }
    }

    [Fact]
    public async Task The_key_of_ArrCookie_is_that_of_IIS_and_YARP()
    {
        await using var app = await AffinityApp.StartAsync(o => o.Policy = SessionAffinityPolicies.ArrCookie, "a");
        var browser = new Browser(app);
        await browser.GetAsync();

        Assert.Equal(Convert.ToHexString(SHA256.HashData(Encoding.Unicode.GetBytes("a"))), browser.Cookies["stay"]);
    }

    [Fact]
    public async Task Encrypted_keys_of_two_sessions_on_one_destination_differ()
    {
        await using var app = await AffinityApp.StartAsync(o => o.Policy = SessionAffinityPolicies.Cookie, "a");
        var (one, two) = (new Browser(app), new Browser(app));
        await one.GetAsync();
        await two.GetAsync();

        Assert.NotEqual(one.Cookies["stay"], two.Cookies["stay"]);
    }

    [Fact]
    public async Task The_upstream_sees_other_cookies_but_not_the_proxys()
    {
        var recorder = new Recorder();
        await using var app = await AffinityApp.StartAsync(_ => { }, recorder.Handle, "a");

        foreach (var (sent, seen) in new[]
        {
            ("stay=x", null), ("stay=x; b=1", "b=1"), ("b=1; stay=x", "b=1"), ("b=1; stay=x; c=2;", "b=1; c=2;"), ("stay=x;stay=y; stayed=1; b=stay=x", "stayed=1; b=stay=x"), ("b=1", "b=1"),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/");
            request.Headers.TryAddWithoutValidation("Cookie", sent);
            await app.Client.SendAsync(request);
            Assert.Equal(seen, recorder.Last["Cookie"]);
        }
    }

    [Fact]
    public async Task The_upstream_does_not_see_the_proxys_header()
    {
        var recorder = new Recorder();
        await using var app = await AffinityApp.StartAsync(o => (o.Policy, o.AffinityKeyName) = (SessionAffinityPolicies.CustomHeader, "X-Session"), recorder.Handle);
        var client = new Browser(app) { Headers = { ["X-Session"] = "made up", ["X-Other"] = "1" } };

        await client.GetAsync();

        Assert.Null(recorder.Last["X-Session"]);
        Assert.Equal("1", recorder.Last["X-Other"]);
    }

    [Fact]
    public async Task A_policy_of_ones_own_is_known_by_its_name()
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddSessionAffinityPolicy<QueryPolicy>();
                services.AddProxyTestDestinations(AffinityApp.Destinations(AffinityApp.Answer));
            },
            app => app.MapProxy("/{**path}", "http://a.test", "http://b.test").WithSessionAffinity(o => o.Policy = "query"));
        var first = await app.Client.GetAsync("/");
        var key = Assert.Single(first.Headers.GetValues("X-Node"));
        var name = await first.Content.ReadAsStringAsync();

        for (var i = 0; i < 12; i++)
            Assert.Equal(name, await app.Client.GetStringAsync($"/?node={key}"));
    }

    private static async Task<string> KeyAsync(ProxyApp app, string name)
    {
        while (true)
        {
            var browser = new Browser(app);
            if (await browser.GetAsync() is var visit && visit.Body == name)
                return browser.Cookies.TryGetValue(AffinityApp.Cookie, out var cookie) ? cookie : visit.Response.Headers.GetValues(AffinityApp.Cookie).Single();
        }
    }

    private static Browser WithKey(ProxyApp app, string key) => new(app) { Cookies = { [AffinityApp.Cookie] = key }, Headers = { [AffinityApp.Cookie] = key } };

    private sealed class QueryPolicy : ISessionAffinityPolicy
    {
        public string Name => "Query";

        public SessionAffinityKeys CreateKeys(ClusterConfig cluster, SessionAffinityKeys? previous) => new Keys(cluster);

        private sealed class Keys(ClusterConfig cluster) : SessionAffinityKeys(cluster)
        {
            public override string? Find(HttpContext context) => context.Request.Query["node"];

            public override void Send(HttpContext context, string key, bool isCurrent) => context.Response.Headers["X-Node"] = key;
        }
    }
}
