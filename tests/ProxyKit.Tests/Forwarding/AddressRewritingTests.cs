using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Forwarding;

/// <summary>A destination's own address does not reach the client: it gets the public one.</summary>
public class AddressRewritingTests
{
    [Theory]
    // The client asked http://localhost; the upstream is http://upstream.test.
    [InlineData("http://upstream.test/x?q=1#f", "http://localhost/x?q=1#f")]
    [InlineData("http://UPSTREAM.test/x", "http://localhost/x")]
    [InlineData("http://upstream.test:80/x", "http://localhost/x")]
    [InlineData("https://upstream.test/x", "http://localhost/x")]
    [InlineData("http://upstream.test", "http://localhost")]
    [InlineData("http://upstream.test?q", "http://localhost?q")]
    [InlineData("//upstream.test/x", "http://localhost/x")]
    [InlineData("/x", "/x")]
    [InlineData("x/y", "x/y")]
    [InlineData("?q", "?q")]
    [InlineData("http://upstream.test:8080/x", "http://upstream.test:8080/x")]
    [InlineData("http://upstream.test.evil.test/x", "http://upstream.test.evil.test/x")]
    [InlineData("http://user@upstream.test/x", "http://user@upstream.test/x")]
    [InlineData("http://other.test/x", "http://other.test/x")]
    [InlineData("//evil.test/x", "//evil.test/x")]
    [InlineData("mailto:a@b", "mailto:a@b")]
    [InlineData("", "")]
    public async Task In_Location(string location, string expected)
    {
        Assert.Equal(expected, await HeaderAsync("Location", location));
        Assert.Equal(expected, await HeaderAsync("Content-Location", location));
    }

    [Theory]
    [InlineData("/x", "/shop/x")]
    [InlineData("/", "/shop/")]
    [InlineData("/x?q=/y", "/shop/x?q=/y")]
    [InlineData("http://upstream.test/x", "http://localhost/shop/x")]
    [InlineData("//evil.test/x", "//evil.test/x")]
    public async Task A_removed_prefix_comes_back(string location, string expected) =>
        Assert.Equal(expected, await HeaderAsync("Location", location, route => route.WithTransforms(t => t.RemovePathPrefix("/shop"))));

    [Theory]
    [InlineData("/base/x", "/x")]
    [InlineData("/base", "/")]
    [InlineData("/base?q", "/?q")]
    [InlineData("/basement", "/basement")]
    [InlineData("/outside", "/outside")]
    [InlineData("http://upstream.test/base/x", "http://localhost/x")]
    [InlineData("http://upstream.test/outside", "http://localhost/outside")]
    [InlineData("/base//evil.test", "/base//evil.test")]
    [InlineData("/base/\\evil.test", "/base/\\evil.test")]
    public async Task A_base_path_goes(string location, string expected) =>
        Assert.Equal(expected, await HeaderAsync("Location", location, address: ProxyApp.Upstream + "/base"));

    [Theory]
    [InlineData("/api/x", "/app/shop/x")]
    [InlineData("/x", "/x")]
    public async Task All_of_the_paths_way_is_gone_back(string location, string expected) =>
        Assert.Equal(expected, await HeaderAsync("Location", location, route => route.WithTransforms(t => t.RemovePathPrefix("/shop").AddPathPrefix("/api")), "/app"));

    [Theory]
    [InlineData("/shop/x", "/shop/x")]
    [InlineData("/SHOP?q", "/SHOP?q")]
    [InlineData("/shop", "/shop")]
    [InlineData("/shopping", "/shop/shopping")]
    [InlineData("http://upstream.test/shop/x", "http://localhost/shop/x")]
    [InlineData("http://localhost/shop/x", "http://localhost/shop/x")]
    public async Task A_path_that_has_the_removed_prefix_already_is_left_alone(string location, string expected) =>
        Assert.Equal(expected, await HeaderAsync("Location", location, route => route.WithTransforms(t => t.RemovePathPrefix("/shop"))));

    [Theory]
    [InlineData("/pb/x", "", null, "/pb/x")]
    [InlineData("/x", "", null, "/pb/x")]
    [InlineData("/pb/x", "/base", null, "/pb/x")]
    [InlineData("/pb/base/x", "/base", null, "/pb/x")]
    [InlineData("/base/x", "/base", null, "/pb/x")]
    [InlineData("/pb/api/x", "/pb/api", null, "/pb/x")] // the longer one is the upstream's own
    [InlineData("/pb/shop/x", "", "/shop", "/pb/shop/x")]
    [InlineData("/x", "", "/shop", "/pb/shop/x")]
    public async Task A_path_that_has_the_path_base_already_is_left_alone(string location, string basePath, string? removed, string expected)
    {
        void Configure(ProxyRouteBuilder route)
        {
            if (removed is not null)
                route.WithTransforms(t => t.RemovePathPrefix(removed));
        }

        Assert.Equal(expected, await HeaderAsync("Location", location, Configure, "/pb", ProxyApp.Upstream + basePath));
        Assert.Equal($"a=1; Path={expected}", (await HeaderAsync("Set-Cookie", $"a=1; Path={location}", Configure, "/pb", ProxyApp.Upstream + basePath))!.Replace("=1;Path", "=1; Path", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://localhost/x", "http://localhost/shop/x")]
    [InlineData("http://localhost:80/x", "http://localhost:80/shop/x")]
    [InlineData("//localhost/x?q", "//localhost/shop/x?q")]
    [InlineData("https://localhost/x", "https://localhost/shop/x")]
    [InlineData("http://localhost", "http://localhost")]
    [InlineData("http://localhost:8080/x", "http://localhost:8080/x")]
    [InlineData("http://localhost.evil.test/x", "http://localhost.evil.test/x")]
    public async Task The_path_of_the_public_address_is_mapped_like_a_relative_one(string location, string expected) =>
        Assert.Equal(expected, await HeaderAsync("Location", location, route => route.WithTransforms(t => t.RemovePathPrefix("/shop"))));

    [Theory]
    [InlineData("http://upstream.test/x", "https://public.example/x")]
    [InlineData("http://public.example/x", "http://public.example/x")]
    [InlineData("/x", "/x")]
    public async Task What_a_trusted_balancer_says_of_scheme_and_host_is_the_public_address(string location, string expected)
    {
        await using var app = await ProxyApp.StartAsync(Recorder.WithHeaders(("Location", location)), options: o => o.TrustedProxies.Add("10.0.0.0/8"));

        var context = await app.GetRawAsync("/", c =>
        {
            c.Connection.RemoteIpAddress = System.Net.IPAddress.Parse("10.1.2.3");
            c.Request.Headers["X-Forwarded-Proto"] = "https";
            c.Request.Headers["X-Forwarded-Host"] = "public.example";
        });

        Assert.Equal(expected, context.Response.Headers.Location);
    }

    [Fact]
    public async Task Forwarded_names_the_public_address_as_well()
    {
        await using var app = await ProxyApp.StartAsync(
            Recorder.WithHeaders(("Location", "http://upstream.test/x")), route => route.WithTransforms(t => t.UseForwarded()), o => o.TrustedProxies.Add("10.0.0.0/8"));

        var context = await app.GetRawAsync("/", c =>
        {
            c.Connection.RemoteIpAddress = System.Net.IPAddress.Parse("10.1.2.3");
            c.Request.Headers["Forwarded"] = "for=192.0.2.1;proto=https;host=\"public.example:8443\"";
        });

        Assert.Equal("https://public.example:8443/x", context.Response.Headers.Location);
    }

    [Fact]
    public async Task A_redirect_from_http_to_https_is_not_undone_where_upstream_and_client_use_one_name() =>
        Assert.Equal("https://localhost/x", await HeaderAsync("Location", "https://localhost/x", route => route.ConfigureCluster("test", c => c with { Destinations = [c.Destinations[0] with { Host = "localhost" }] })));

    [Fact]
    public async Task A_path_that_was_made_anew_cannot_be_gone_back() =>
        Assert.Equal("/x", await HeaderAsync("Location", "/x", route => route.WithTransforms(t => t.SetPath("/fixed"))));

    [Fact]
    public async Task The_configured_host_of_a_destination_is_internal_too() =>
        Assert.Equal("http://localhost/x", await HeaderAsync("Location", "http://inner.test/x", route => route.ConfigureCluster("test", c => c with { Destinations = [c.Destinations[0] with { Host = "inner.test" }] })));

    [Theory]
    [InlineData("5; url=http://upstream.test/x", "5; url=http://localhost/x")]
    [InlineData("5;URL='http://upstream.test/x'", "5;URL='http://localhost/x'")]
    [InlineData("5; url=\"/x\"", "5; url=\"/x\"")]
    [InlineData("5; url=http://other.test/x", "5; url=http://other.test/x")]
    [InlineData("5", "5")]
    public async Task In_Refresh(string refresh, string expected) => Assert.Equal(expected, await HeaderAsync("Refresh", refresh));

    [Theory]
    [InlineData("a=1; Domain=upstream.test; Path=/; HttpOnly", "a=1; Path=/; HttpOnly")]
    [InlineData("a=1; domain=.Upstream.test", "a=1")]
    [InlineData("a=1; Domain=other.test", "a=1; Domain=other.test")]
    [InlineData("a=1;Path=/x;  Secure", "a=1;Path=/x;  Secure")]
    [InlineData("a=Domain=upstream.test", "a=Domain=upstream.test")]
    public async Task In_a_cookies_domain(string cookie, string expected) => Assert.Equal(expected, await HeaderAsync("Set-Cookie", cookie));

    [Theory]
    [InlineData("a=1; Path=/", "a=1; Path=/shop")]
    [InlineData("a=1; Path=/x; Secure", "a=1; Path=/shop/x; Secure")]
    [InlineData("a=1", "a=1")]
    [InlineData("a=1; Path=", "a=1; Path=")]
    public async Task In_a_cookies_path(string cookie, string expected) =>
        Assert.Equal(expected, await HeaderAsync("Set-Cookie", cookie, route => route.WithTransforms(t => t.RemovePathPrefix("/shop"))));

    [Fact]
    public async Task Several_cookies_stay_several()
    {
        var upstream = new Recorder
        {
            Answer = _ =>
            {
                var response = new HttpResponseMessage();
                response.Headers.Add("Set-Cookie", ["a=1; Domain=upstream.test", "b=2, c; Domain=other.test"]);
                return response;
            },
        };
        await using var app = await ProxyApp.StartAsync(upstream);

        Assert.Equal(["a=1", "b=2, c; Domain=other.test"], (await app.Client.GetAsync("/")).Headers.GetValues("Set-Cookie"));
    }

    [Theory]
    [InlineData("Location", "http://upstream.test/x")]
    [InlineData("Refresh", "5; url=http://upstream.test/x")]
    [InlineData("Set-Cookie", "a=1; Domain=upstream.test")]
    public async Task Rewriting_can_be_switched_off(string name, string value) =>
        Assert.Equal(value, await HeaderAsync(name, value, route => route.WithTransforms(t => t.RewriteLocation(false).RewriteCookies(false))));

    [Theory]
    [InlineData("Server")]
    [InlineData("X-Powered-By")]
    [InlineData("X-AspNet-Version")]
    [InlineData("x-aspnetmvc-version")]
    public async Task What_tells_of_the_software_behind_is_hidden(string header) => Assert.Null(await HeaderAsync(header, "internal/1.0"));

    [Fact]
    public async Task What_is_hidden_can_be_chosen()
    {
        await using var app = await ProxyApp.StartAsync(Recorder.WithHeaders(("Server", "shown"), ("X-Secret", "1")), options: o =>
        {
            o.HiddenResponseHeaders.Clear();
            o.HiddenResponseHeaders.Add("x-secret");
        });

        var response = await app.Client.GetAsync("/");

        Assert.Equal("shown", response.Headers.Server.ToString());
        Assert.False(response.Headers.Contains("X-Secret"));
    }

    private static async Task<string?> HeaderAsync(string name, string value, Action<ProxyRouteBuilder>? route = null, string? pathBase = null, string address = ProxyApp.Upstream)
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                var destinations = new TestDestinations();
                destinations.Map(address, Recorder.WithHeaders((name, value)).Handle);
                services.AddProxyTestDestinations(destinations);
            },
            app =>
            {
                var builder = app.MapProxy("/{**path}", address);
                route?.Invoke(builder);
            });
        var context = await app.GetRawAsync("/shop/page", c => c.Request.PathBase = pathBase);
        return context.Response.Headers.TryGetValue(name, out var values) ? values.ToString() : null;
    }
}
