using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Forwarding;

/// <summary>The URLs in Destination and If are mapped like the request's own (RFC 4918 §10.3, §10.4).</summary>
public class WebDavTests
{
    private readonly Recorder _upstream = new();

    [Theory]
    [InlineData("COPY", "http://localhost/b", "http://upstream.test/b")]
    [InlineData("MOVE", "http://localhost:80/b?q=%2F", "http://upstream.test/b?q=%2F")]
    [InlineData("MOVE", "https://localhost/a%2Fb", "http://upstream.test/a%2Fb")]
    [InlineData("MOVE", "/b", "http://upstream.test/b")]
    [InlineData("MOVE", "http://localhost", "http://upstream.test/")]
    [InlineData("MOVE", "http://other.test/b", "http://other.test/b")]
    [InlineData("PUT", "http://localhost/b", "http://localhost/b")]
    public async Task Destination_names_the_upstream(string method, string destination, string expected) =>
        Assert.Equal(expected, (await SendAsync(method, ("Destination", destination)))["Destination"]);

    [Theory]
    [InlineData("http://localhost/dav/shop/b%20c", "http://upstream.test/base/api/b%20c")]
    [InlineData("http://localhost/dav/other/b", "http://localhost/dav/other/b")]
    [InlineData("/dav/shop", "http://upstream.test/base/api/")]
    public async Task Destination_goes_the_way_of_the_path(string destination, string expected) =>
        Assert.Equal(expected, (await SendAsync(
            "MOVE", ProxyApp.Upstream + "/base", r => r.WithTransforms(t => t.RemovePathPrefix("/shop").AddPathPrefix("/api")), c => (c.Request.PathBase, c.Request.Path) = ("/dav", "/shop/a"),
            ("Destination", destination)))["Destination"]);

    [Fact]
    public async Task Behind_a_balancer_that_ends_TLS_the_public_URL_is_the_one_it_names()
    {
        var sent = await SendAsync("MOVE", ProxyApp.Upstream, _ => { }, c => c.Connection.RemoteIpAddress = System.Net.IPAddress.Loopback,
            ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "svn.example"), ("Destination", "https://svn.example/repo/b"));

        Assert.Equal("http://upstream.test/repo/b", sent["Destination"]);
        Assert.Equal("https", sent["X-Forwarded-Proto"]);
        Assert.Null(sent["X-Forwarded-Host"]); // by this the upstream would call itself, and refuse the Destination
    }

    [Fact]
    public async Task The_original_host_stays_where_the_upstream_is_sent_it() =>
        Assert.Equal("http://localhost/b", (await SendAsync("MOVE", ProxyApp.Upstream, r => r.WithTransforms(t => t.UseOriginalHost(true)), _ => { }, ("Destination", "https://localhost/b")))["Destination"]);

    [Fact]
    public async Task An_upstream_that_is_told_its_prefix_gets_the_public_URL() =>
        Assert.Equal("http://localhost/shop/b", (await SendAsync(
            "MOVE", ProxyApp.Upstream, r => r.WithTransforms(t => t.RemovePathPrefix("/shop").SetRequestHeader("X-Script-Name", "/shop")), c => c.Request.Path = "/shop/a",
            ("Destination", "http://localhost/shop/b")))["Destination"]);

    [Fact]
    public async Task The_resources_in_If_are_mapped_and_the_tokens_are_not() =>
        Assert.Equal("<http://upstream.test/b> (<http://localhost/shop/token> [\"e\"]) <http://other.test/c> (Not <t>)", (await SendAsync(
            "PUT", ProxyApp.Upstream, r => r.WithTransforms(t => t.RemovePathPrefix("/shop")), c => c.Request.Path = "/shop/a",
            ("If", "<http://localhost/shop/b> (<http://localhost/shop/token> [\"e\"]) <http://other.test/c> (Not <t>)")))["If"]);

    [Theory]
    [InlineData("http://localhost/shop/../secret")]
    [InlineData("http://localhost/shop/%2e%2e/secret")]
    [InlineData("/shop/..%5csecret")]
    [InlineData("shop/b")]
    public async Task A_Destination_that_would_leave_the_prefix_is_400(string destination)
    {
        await using var app = await ProxyApp.StartAsync(_upstream, r => r.WithTransforms(t => t.RemovePathPrefix("/shop")));

        var context = await app.GetRawAsync("/shop/a", c => (c.Request.Method, c.Request.Headers["Destination"]) = ("MOVE", destination));

        Assert.Equal(400, context.Response.StatusCode);
        Assert.Empty(_upstream.Requests);
    }

    [Fact]
    public async Task With_locations_it_is_switched_off() =>
        Assert.Equal("http://localhost/b", (await SendAsync("MOVE", ProxyApp.Upstream, r => r.WithTransforms(t => t.RewriteLocation(false)), _ => { }, ("Destination", "http://localhost/b")))["Destination"]);

    private Task<Received> SendAsync(string method, params (string Name, string Value)[] headers) => SendAsync(method, ProxyApp.Upstream, _ => { }, _ => { }, headers);

    private async Task<Received> SendAsync(string method, string address, Action<ProxyRouteBuilder> route, Action<HttpContext> configure, params (string Name, string Value)[] headers)
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy(o => o.TrustedProxies.Add("127.0.0.1"));
                var destinations = new TestDestinations();
                destinations.Map(address, _upstream.Handle);
                services.AddProxyTestDestinations(destinations);
            },
            app => route(app.MapProxy("/{**path}", address)));
        await app.GetRawAsync("/a", c =>
        {
            c.Request.Method = method;
            foreach (var (name, value) in headers)
                c.Request.Headers[name] = value;
            configure(c);
        });
        return _upstream.Last;
    }
}
