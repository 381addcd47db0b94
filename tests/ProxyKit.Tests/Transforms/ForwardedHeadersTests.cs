using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Tests.Transforms;

/// <summary>X-Forwarded-* and Forwarded: set by default, believed only from trusted peers.</summary>
public class ForwardedHeadersTests
{
    private readonly Recorder _upstream = new();

    [Fact]
    public async Task They_are_set_by_default()
    {
        var sent = await SendAsync("10.1.2.3");

        Assert.Equal("10.1.2.3", sent["X-Forwarded-For"]);
        Assert.Equal("shop.test:8080", sent["X-Forwarded-Host"]);
        Assert.Equal("http", sent["X-Forwarded-Proto"]);
        Assert.Equal("8080", sent["X-Forwarded-Port"]);
        Assert.Null(sent["X-Forwarded-Prefix"]);
        Assert.Null(sent["Forwarded"]);
    }

    [Theory]
    [InlineData("http", "80")]
    [InlineData("https", "443")]
    public async Task The_port_is_the_schemes_when_the_host_names_none(string scheme, string port)
    {
        var sent = await SendAsync("10.1.2.3", configure: c => (c.Request.Host, c.Request.Scheme) = (new("shop.test"), scheme));

        Assert.Equal(port, sent["X-Forwarded-Port"]);
        Assert.Equal(scheme, sent["X-Forwarded-Proto"]);
    }

    [Theory]
    [InlineData("::ffff:10.1.2.3", "10.1.2.3")]
    [InlineData("2001:db8::1", "2001:db8::1")]
    [InlineData(null, null)]
    public async Task The_peer_is_named_by_its_plain_address(string? peer, string? expected) =>
        Assert.Equal(expected, (await SendAsync(peer))["X-Forwarded-For"]);

    [Fact]
    public async Task The_host_is_sent_in_its_ASCII_form() =>
        Assert.Equal("xn--mller-kva.test", (await SendAsync("10.1.2.3", configure: c => c.Request.Host = new("müller.test")))["X-Forwarded-Host"]);

    public static readonly TheoryData<string> Claims = new(
        "X-Forwarded-Prefix", "X-Forwarded-Server", "x-forwarded-user", "X-Forwarded", "X_Forwarded_For", "x_real.ip", "True-Client-IP", "CF-Connecting-IP", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL", "X-Original-For",
        "X-Original-Host", "X-Original-Proto", "X-Original-Prefix", "X-Client-Cert", "Client-IP", "Forwarded-For");

    [Theory]
    [MemberData(nameof(Claims))]
    public async Task What_a_stranger_claims_is_dropped(string header) =>
        Assert.Null((await SendAsync("10.1.2.3", trusted: "192.168.0.0/16", headers: (header, "spoofed")))[header]);

    [Theory]
    [MemberData(nameof(Claims))]
    public async Task What_a_trusted_peer_claims_is_passed_on(string header) =>
        Assert.Equal("claimed", (await SendAsync("10.1.2.3", trusted: "10.0.0.0/8", headers: (header, "claimed")))[header]);

    [Theory]
    [InlineData(false, "Forwarded")]
    [InlineData(true, "X-Forwarded-For")]
    [InlineData(true, "X-Forwarded-Prefix")]
    public async Task The_family_that_this_proxy_does_not_write_goes_even_from_a_trusted_peer(bool forwarded, string header) =>
        Assert.Null((await SendAsync("10.1.2.3", trusted: "10.0.0.0/8", transforms: forwarded ? t => t.UseForwarded() : null, headers: (header, "claimed")))[header]);

    [Theory]
    [InlineData("Proxy")]
    [InlineData("Proxy-Authorization")]
    [InlineData("X-Content-Length")]
    public async Task Some_headers_are_dropped_whoever_sends_them(string header) =>
        Assert.Null((await SendAsync("10.1.2.3", trusted: "10.0.0.0/8", headers: (header, "1")))[header]);

    [Fact]
    public async Task Spoofed_values_are_replaced_by_the_truth()
    {
        var sent = await SendAsync("10.1.2.3", headers:
            [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Host", "evil.test"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "1")]);

        Assert.Equal("10.1.2.3", sent["X-Forwarded-For"]);
        Assert.Equal("shop.test:8080", sent["X-Forwarded-Host"]);
        Assert.Equal("http", sent["X-Forwarded-Proto"]);
        Assert.Equal("8080", sent["X-Forwarded-Port"]);
    }

    [Theory]
    [InlineData("10.1.2.3", "10.1.2.3", true)]
    [InlineData("10.1.2.3", "10.1.2.4", false)]
    [InlineData("10.0.0.0/8", "10.1.2.3", true)]
    [InlineData("10.0.0.0/8", "::ffff:10.1.2.3", true)]
    [InlineData("10.0.0.0/8", "11.1.2.3", false)]
    [InlineData("fd00::/8", "fd12::1", true)]
    [InlineData("fd00::/8", "fe80::1", false)]
    [InlineData("unix", null, true)]
    [InlineData("unix", "10.1.2.3", false)]
    [InlineData("10.0.0.0/8", null, false)]
    public async Task A_peer_is_trusted_by_address_network_or_unix(string trusted, string? peer, bool isTrusted)
    {
        var sent = await SendAsync(peer, trusted, headers: ("X-Forwarded-For", "1.1.1.1"));

        var expected = string.Join(", ", new[] { isTrusted ? "1.1.1.1" : null, peer?.Replace("::ffff:", "", StringComparison.Ordinal) }.OfType<string>());
        Assert.Equal(expected.Length == 0 ? null : expected, sent["X-Forwarded-For"]);
    }

    [Fact]
    public async Task To_what_a_trusted_peer_sent_is_added_at_the_right()
    {
        var sent = await SendAsync("10.1.2.3", "10.0.0.0/8", headers:
            [("X-Forwarded-For", "1.1.1.1, 2.2.2.2"), ("X-Forwarded-Host", "public.test"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443")]);

        Assert.Equal("1.1.1.1, 2.2.2.2, 10.1.2.3", sent["X-Forwarded-For"]);
        Assert.Equal("public.test", sent["X-Forwarded-Host"]);
        Assert.Equal("https", sent["X-Forwarded-Proto"]);
        Assert.Equal("443", sent["X-Forwarded-Port"]);
    }

    [Theory]
    [InlineData("https", null, "443")]
    [InlineData("HTTPS", null, "443")]
    [InlineData("http", null, "80")]
    [InlineData("https", "public.test:8443", "8443")]
    [InlineData(null, "public.test", "80")]
    public async Task The_port_follows_what_a_trusted_peer_said_of_scheme_and_host(string? proto, string? host, string expected)
    {
        var headers = new List<(string, string)>();
        if (proto is not null)
            headers.Add(("X-Forwarded-Proto", proto));
        if (host is not null)
            headers.Add(("X-Forwarded-Host", host));

        var sent = await SendAsync("10.1.2.3", "10.0.0.0/8", configure: c => c.Request.Host = new("shop.test"), headers: [.. headers]);

        Assert.Equal(expected, sent["X-Forwarded-Port"]);
    }

    [Theory]
    [InlineData(null, "/shop", "/shop")]
    [InlineData("/app", "/shop", "/app/shop")]
    [InlineData(null, "/other", null)]
    public async Task The_prefix_that_the_route_takes_off_is_told_too(string? pathBase, string removed, string? expected)
    {
        var sent = await SendAsync("10.1.2.3", null, t => t.RemovePathPrefix(removed), configure: c => (c.Request.PathBase, c.Request.Path) = (pathBase, "/shop/x"));

        Assert.Equal(expected, sent["X-Forwarded-Prefix"]);
    }

    [Theory]
    [InlineData(null, null, null)]
    [InlineData("/app", null, "/app")]
    [InlineData("/a b", null, "/a%20b")]
    [InlineData(null, "/outer", "/outer")]
    [InlineData("/app", "/outer/", "/outer/app")]
    public async Task The_prefix_is_what_outer_proxies_and_this_app_took_off(string? pathBase, string? outer, string? expected)
    {
        var sent = await SendAsync("10.1.2.3", "10.0.0.0/8", configure: c => c.Request.PathBase = pathBase, headers: outer is null ? [] : [("X-Forwarded-Prefix", outer)]);

        Assert.Equal(expected, sent["X-Forwarded-Prefix"]);
    }

    [Fact]
    public async Task Set_replaces_what_a_trusted_peer_sent()
    {
        var sent = await SendAsync("10.1.2.3", "10.0.0.0/8", t => t.UseXForwarded(ForwardedHeaderAction.Set), headers:
            [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-Host", "public.test"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"), ("X-Forwarded-Prefix", "/outer")]);

        Assert.Equal("10.1.2.3", sent["X-Forwarded-For"]);
        Assert.Equal("shop.test:8080", sent["X-Forwarded-Host"]);
        Assert.Equal("http", sent["X-Forwarded-Proto"]);
        Assert.Equal("8080", sent["X-Forwarded-Port"]);
        Assert.Null(sent["X-Forwarded-Prefix"]);
    }

    [Fact]
    public async Task Set_leaves_nothing_of_a_trusted_peer_that_has_no_address() =>
        Assert.Null((await SendAsync(null, "unix", t => t.UseXForwarded(ForwardedHeaderAction.Set), headers: ("X-Forwarded-For", "1.1.1.1")))["X-Forwarded-For"]);

    [Theory]
    [InlineData(ForwardedHeaderAction.Remove, true, null)]
    [InlineData(ForwardedHeaderAction.Remove, false, null)]
    [InlineData(ForwardedHeaderAction.Off, true, "claimed")]
    [InlineData(ForwardedHeaderAction.Off, false, null)]
    public async Task Remove_sends_none_and_Off_leaves_a_trusted_peers(ForwardedHeaderAction action, bool trusted, string? expected)
    {
        foreach (var header in new[] { "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix" })
            Assert.Equal(expected, (await SendAsync("10.1.2.3", trusted ? "10.0.0.0/8" : null, t => t.UseXForwarded(action), headers: (header, "claimed")))[header]);
    }

    [Theory]
    [InlineData("'X-Forwarded':'Set','HeaderPrefix':'X-Fwd-'")]
    [InlineData("'X-Forwarded':'Append','HeaderPrefix':'X-Fwd-'")]
    [InlineData("'X-Forwarded':'Off','HeaderPrefix':'X-Fwd-'")]
    public async Task Under_another_name_they_are_no_more_believed(string transform)
    {
        await using var app = await JsonTransformsTests.StartAsync(_upstream, transform);
        var request = new HttpRequestMessage(HttpMethod.Get, "/");
        foreach (var name in new[] { "For", "Host", "Proto", "Port", "Prefix" })
            request.Headers.Add("X-Fwd-" + name, "spoofed");

        await app.Client.SendAsync(request);

        foreach (var name in new[] { "For", "Host", "Proto", "Port", "Prefix" })
            Assert.NotEqual("spoofed", _upstream.Last["X-Fwd-" + name]);
    }

    [Theory]
    [InlineData("10.1.2.3", ForwardedNodeFormat.Ip, "for=10.1.2.3;proto=http;host=\"shop.test:8080\"")]
    [InlineData("10.1.2.3", ForwardedNodeFormat.IpAndPort, "for=\"10.1.2.3:4711\";proto=http;host=\"shop.test:8080\"")]
    [InlineData("2001:db8::1", ForwardedNodeFormat.Ip, "for=\"[2001:db8::1]\";proto=http;host=\"shop.test:8080\"")]
    [InlineData("2001:db8::1", ForwardedNodeFormat.IpAndPort, "for=\"[2001:db8::1]:4711\";proto=http;host=\"shop.test:8080\"")]
    [InlineData("10.1.2.3", ForwardedNodeFormat.Unknown, "for=unknown;proto=http;host=\"shop.test:8080\"")]
    [InlineData("10.1.2.3", ForwardedNodeFormat.UnknownAndPort, "for=\"unknown:4711\";proto=http;host=\"shop.test:8080\"")]
    [InlineData("10.1.2.3", ForwardedNodeFormat.None, "proto=http;host=\"shop.test:8080\"")]
    [InlineData(null, ForwardedNodeFormat.Ip, "for=unknown;proto=http;host=\"shop.test:8080\"")]
    public async Task Forwarded_is_written_as_RFC_7239_quotes_it(string? peer, ForwardedNodeFormat format, string expected)
    {
        var sent = await SendAsync(peer, transforms: t => t.UseForwarded(format, ForwardedNodeFormat.None), configure: c => c.Connection.RemotePort = 4711);

        Assert.Equal(expected, sent["Forwarded"]);
        Assert.Null(sent["X-Forwarded-For"]);
    }

    [Theory]
    [InlineData(ForwardedNodeFormat.Random, "^for=_[A-Za-z0-9]+;")]
    [InlineData(ForwardedNodeFormat.RandomAndPort, "^for=\"_[A-Za-z0-9]+:4711\";")]
    [InlineData(ForwardedNodeFormat.RandomAndRandomPort, "^for=\"_[A-Za-z0-9]+:_[A-Za-z0-9]+\";")]
    [InlineData(ForwardedNodeFormat.UnknownAndRandomPort, "^for=\"unknown:_[A-Za-z0-9]+\";")]
    [InlineData(ForwardedNodeFormat.IpAndRandomPort, "^for=\"10.1.2.3:_[A-Za-z0-9]+\";")]
    public async Task Obfuscated_nodes_begin_with_an_underscore_and_are_new_for_each_request(ForwardedNodeFormat format, string pattern)
    {
        var first = (await SendAsync("10.1.2.3", transforms: t => t.UseForwarded(format, ForwardedNodeFormat.None), configure: c => c.Connection.RemotePort = 4711))["Forwarded"];
        var second = (await SendAsync("10.1.2.3", transforms: t => t.UseForwarded(format, ForwardedNodeFormat.None), configure: c => c.Connection.RemotePort = 4711))["Forwarded"];

        Assert.Matches(pattern, first);
        Assert.NotEqual(first, second);
    }

    [Fact]
    public async Task Forwarded_names_this_proxy_if_asked_to()
    {
        var sent = await SendAsync("10.1.2.3", transforms: t => t.UseForwarded(ForwardedNodeFormat.Ip, ForwardedNodeFormat.Ip), configure: c => c.Connection.LocalIpAddress = IPAddress.Parse("10.9.9.9"));

        Assert.StartsWith("for=10.1.2.3;by=10.9.9.9;", sent["Forwarded"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("10.0.0.0/8", "for=1.1.1.1, for=10.1.2.3;proto=http;host=\"shop.test:8080\"")]
    [InlineData(null, "for=10.1.2.3;proto=http;host=\"shop.test:8080\"")]
    public async Task Forwarded_is_added_to_only_when_the_peer_is_trusted(string? trusted, string expected) =>
        Assert.Equal(expected, (await SendAsync("10.1.2.3", trusted, t => t.UseForwarded(), headers: ("Forwarded", "for=1.1.1.1")))["Forwarded"]);

    private async Task<Received> SendAsync(string? peer, string? trusted = null, Action<TransformBuilder>? transforms = null, Action<HttpContext>? configure = null, params (string Name, string Value)[] headers)
    {
        await using var app = await ProxyApp.StartAsync(
            _upstream,
            route => route.WithTransforms(transforms ?? (static _ => { })),
            options =>
            {
                if (trusted is not null)
                    options.TrustedProxies.Add(trusted);
            });
        var context = await app.GetRawAsync("/", context =>
        {
            context.Connection.RemoteIpAddress = peer is null ? null : IPAddress.Parse(peer);
            context.Request.Host = new("shop.test:8080");
            foreach (var (name, value) in headers)
                context.Request.Headers[name] = value;
            configure?.Invoke(context);
        });
        Assert.Equal(200, context.Response.StatusCode);
        return _upstream.Last;
    }
}
