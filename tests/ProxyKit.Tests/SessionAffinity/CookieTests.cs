using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.SessionAffinity;
using ProxyKit.Testing;

namespace ProxyKit.Tests.SessionAffinity;

/// <summary>What the affinity cookie looks like.</summary>
public class CookieTests
{
    [Theory]
    [InlineData("http://localhost/", "path=/; samesite=lax; httponly")]
    [InlineData("https://localhost/", "path=/; secure; samesite=lax; httponly")]
    public async Task It_is_safe_by_default(string address, string attributes)
    {
        await using var app = await AffinityApp.StartAsync(_ => { });

        var visit = await new Browser(app, address).GetAsync();

        Assert.Equal(attributes, Assert.Single(visit.SetCookies).Split("; ", 2)[1]);
    }

    [Fact]
    public async Task Everything_about_it_can_be_set()
    {
        await using var app = await AffinityApp.StartAsync(o =>
        {
            o.Cookie.Domain = "example.com";
            o.Cookie.Path = "shop";
            o.Cookie.MaxAge = TimeSpan.FromHours(2);
            o.Cookie.Expiration = TimeSpan.FromHours(3);
            o.Cookie.HttpOnly = false;
            o.Cookie.SameSite = SameSiteMode.None;
            o.Cookie.SecurePolicy = CookieSecurePolicy.Always;
        });

        var visit = await new Browser(app).GetAsync();

        Assert.Equal(
            $"expires={app.Time.GetUtcNow().AddHours(3):R}; max-age=7200; domain=example.com; path=/shop; secure; samesite=none",
            Assert.Single(visit.SetCookies).Split("; ", 2)[1]);
    }

    [Fact]
    public async Task It_is_not_secure_where_that_is_switched_off()
    {
        await using var app = await AffinityApp.StartAsync(o => o.Cookie.SecurePolicy = CookieSecurePolicy.None);

        Assert.DoesNotContain("secure", Assert.Single((await new Browser(app, "https://localhost/").GetAsync()).SetCookies), StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_sliding_expiration_each_response_sets_it_anew()
    {
        await using var app = await AffinityApp.StartAsync(o => (o.Cookie.MaxAge, o.Cookie.SlidingExpiration) = (TimeSpan.FromMinutes(5), true));
        var browser = new Browser(app);
        var first = await browser.GetAsync();

        var next = await browser.GetAsync();

        Assert.Equal(first.SetCookies, next.SetCookies);
        Assert.Equal(AffinityStatus.Found, next.Proxy.AffinityStatus);
    }

    [Fact]
    public async Task Its_default_name_differs_by_cluster_and_hides_the_clusters()
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddCluster("secret-orders", c => c.To("http://a.test", "http://b.test").WithSessionAffinity());
                services.AddProxyTestDestinations(AffinityApp.Destinations(AffinityApp.Answer));
            },
            app =>
            {
                app.MapProxy("/orders/{**path}", "secret-orders");
                app.MapProxy("/{**path}", "http://a.test", "http://b.test").WithSessionAffinity();
            });
        var browsers = new[] { new Browser(app, "http://localhost/orders/"), new Browser(app) };

        var names = new List<string>();
        foreach (var browser in browsers)
        {
            await browser.GetAsync();
            names.Add(Assert.Single(browser.Cookies).Key);
        }

        Assert.All(names, name => Assert.Matches("^\\.ProxyKit\\.Affinity\\.[0-9a-f]{8}$", name));
        Assert.NotEqual(names[0], names[1]);
        Assert.Equal(CookieKeys.DefaultName("SECRET-orders"), names[0]);

        // Both in one browser: each cluster keeps to its own.
        var both = browsers.SelectMany(b => b.Cookies).ToArray();
        foreach (var browser in browsers)
        {
            foreach (var (name, value) in both)
                browser.Cookies[name] = value;
            Assert.Single(await browser.NextAsync());
        }
    }

    [Fact]
    public void One_that_comes_thousands_of_times_is_taken_off_all_the_same()
    {
        var line = "a=1; " + string.Concat(Enumerable.Repeat("k=x;", 8000)) + " b=2";
        string? rest = null;

        var thread = new Thread(() => rest = CookieHeader.Remove(line, "k"), 256 * 1024);
        thread.Start();
        thread.Join();

        Assert.Equal("a=1; b=2", rest);
    }

    [Theory]
    [InlineData("k=1", "")]
    [InlineData("k=1; a=2", "a=2")]
    [InlineData("a=2; k=1", "a=2")]
    [InlineData("k=1; k=2; a=2;k=3; b=4", "a=2; b=4")]
    [InlineData("a=2; kk=1; k", "a=2; kk=1; k")]
    public void It_is_taken_off_the_request(string line, string rest) => Assert.Equal(rest, CookieHeader.Remove(line, "k").ToString());

    [Fact]
    public async Task The_applications_own_cookies_stay()
    {
        await using var app = await AffinityApp.StartAsync(_ => { }, request =>
        {
            var response = AffinityApp.Answer(request);
            response.Headers.TryAddWithoutValidation("Set-Cookie", ["x=1", "y=2"]);
            return response;
        });

        var visit = await new Browser(app).GetAsync();

        Assert.Equal(["stay", "x", "y"], visit.SetCookies.Select(c => c.Split('=')[0]).Order());
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public async Task Without_consent_it_is_set_only_if_essential(bool isEssential, int expected)
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.Configure<CookiePolicyOptions>(o => o.CheckConsentNeeded = _ => true);
                services.AddReverseProxy();
                services.AddProxyTestDestinations(AffinityApp.Destinations(AffinityApp.Answer));
            },
            app =>
            {
                app.UseCookiePolicy();
                app.MapProxy("/{**path}", "http://a.test").WithSessionAffinity(o => o.Cookie.IsEssential = isEssential);
            });

        Assert.Equal(expected, (await new Browser(app).GetAsync()).SetCookies.Length);
    }

    [Fact]
    public async Task An_answer_of_the_proxys_own_ties_nobody_to_anything()
    {
        await using var app = await AffinityApp.StartAsync(_ => { }, _ => throw new HttpRequestException("down"));

        var visit = await new Browser(app).GetAsync();

        Assert.Equal(502, (int)visit.Response.StatusCode);
        Assert.Empty(visit.SetCookies);
    }
}
