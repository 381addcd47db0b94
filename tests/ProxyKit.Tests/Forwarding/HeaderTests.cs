using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Forwarding;

/// <summary>Which headers cross the proxy (RFC 9110 §7.6.1), and which paths.</summary>
public class HeaderTests
{
    [Theory]
    [InlineData("Keep-Alive", "timeout=5")]
    [InlineData("Proxy-Connection", "keep-alive")]
    [InlineData("Proxy-Authorization", "Basic x")]
    [InlineData("TE", "trailers")]
    [InlineData("Trailer", "X-A")]
    [InlineData("Upgrade", "h2c")]
    [InlineData("HTTP2-Settings", "x")]
    [InlineData("Alt-Svc", "clear")]
    public async Task Hop_by_hop_headers_stay_on_their_hop(string name, string value)
    {
        var upstream = Recorder.WithHeaders((name, value));
        await using var app = await ProxyApp.StartAsync(upstream);

        var context = await app.GetRawAsync("/", c => c.Request.Headers[name] = value);

        Assert.Null(upstream.Last[name]);
        Assert.False(context.Response.Headers.ContainsKey(name));
    }

    [Fact]
    public async Task What_Connection_nominates_stays_on_its_hop_both_ways()
    {
        var upstream = Recorder.WithHeaders(("Connection", "X-Secret"), ("X-Secret", "1"));
        await using var app = await ProxyApp.StartAsync(upstream);

        var context = await app.GetRawAsync("/", c => (c.Request.Headers.Connection, c.Request.Headers["X-Foo"]) = ("close, X-Foo", "1"));

        Assert.Null(upstream.Last["X-Foo"]);
        Assert.False(context.Response.Headers.ContainsKey("X-Secret"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("admin")]
    [InlineData("alice")]
    public async Task Connection_cannot_strip_what_a_middleware_has_set(string? claimed)
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                var destinations = new TestDestinations();
                destinations.Map(ProxyApp.Upstream, upstream.Handle);
                services.AddProxyTestDestinations(destinations);
            },
            app =>
            {
                app.Use(next => context =>
                {
                    context.Request.Headers["X-Auth-User"] = new string("alice".ToCharArray());
                    return next(context);
                });
                app.MapProxy("/{**path}", ProxyApp.Upstream);
            });

        await app.GetRawAsync("/", c =>
        {
            c.Request.Headers.Connection = "close, X-Auth-User, X-Foo";
            c.Request.Headers["X-Foo"] = "1";
            if (claimed is not null)
                c.Request.Headers["X-Auth-User"] = claimed;
        });

        Assert.Equal("alice", upstream.Last["X-Auth-User"]);
        Assert.Null(upstream.Last["X-Foo"]);
    }

    [Theory]
    [InlineData("Cookie")]
    [InlineData("Authorization")]
    [InlineData("Content-Language")]
    [InlineData("X-Forwarded-For")]
    public async Task Connection_cannot_strip_what_the_upstream_relies_on(string name)
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream);

        await app.GetRawAsync("/", c =>
        {
            c.Connection.RemoteIpAddress = IPAddress.Loopback;
            (c.Request.Headers.Connection, c.Request.Headers[name]) = (name, "1");
        });

        Assert.NotNull(upstream.Last[name]);
    }

    [Theory]
    [InlineData(UnderscoreHeaders.Keep, 200, "1")]
    [InlineData(UnderscoreHeaders.Drop, 200, null)]
    [InlineData(UnderscoreHeaders.Reject, 400, null)]
    public async Task Names_with_underscores_are_treated_as_configured(UnderscoreHeaders option, int status, string? expected)
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream, options: o => o.UnderscoreHeaders = option);

        var context = await app.GetRawAsync("/", c => c.Request.Headers["X_User"] = "1");

        Assert.Equal(status, context.Response.StatusCode);
        if (status == 200)
            Assert.Equal(expected, upstream.Last["X_User"]);
    }

    [Fact]
    public async Task A_control_character_in_a_value_is_400()
    {
        await using var app = await ProxyApp.StartAsync(new Recorder());

        Assert.Equal(400, (await app.GetRawAsync("/", c => c.Request.Headers["X-A"] = "a\u0001b")).Response.StatusCode);
    }

    [Fact]
    public async Task A_204_has_no_length_and_a_HEAD_keeps_its()
    {
        var upstream = new Recorder { Answer = request => new(request.Method == HttpMethod.Head ? HttpStatusCode.OK : HttpStatusCode.NoContent) { Content = new StringContent("12345") } };
        await using var app = await ProxyApp.StartAsync(upstream);

        Assert.Equal(5, (await app.Client.SendAsync(new(HttpMethod.Head, "/"))).Content.Headers.ContentLength);
        Assert.False((await app.GetRawAsync("/")).Response.Headers.ContainsKey("Content-Length"));
    }

    [Fact]
    public async Task A_security_policy_of_the_proxy_wins_over_the_upstreams()
    {
        await using var app = await ProxyApp.StartAsync(Recorder.WithHeaders(("Strict-Transport-Security", "max-age=1"), ("X-A", "2")));

        var context = await app.Server.SendAsync(c =>
        {
            c.Request.Method = "GET";
            c.Request.Path = "/";
            c.Response.Headers.StrictTransportSecurity = "max-age=9";
            c.Response.Headers["X-A"] = "1";
        });

        Assert.Equal("max-age=9", context.Response.Headers.StrictTransportSecurity);
        Assert.Equal("1,2", context.Response.Headers["X-A"].ToString());
    }

    [Theory]
    [InlineData("/a%2Fb/%41?x=%zz&y=a|b", "/a%2Fb/%41?x=%zz&y=a|b")]
    [InlineData("/a%252Fb", "/a%252Fb")]
    [InlineData("/%ff%fe", "/%ff%fe")]
    [InlineData("/a;x=/b", "/a;x=/b")]
    [InlineData("//evil.test/x", "//evil.test/x")]
    [InlineData("/.evil.test", "/.evil.test")]
    [InlineData("/a%0d%0aX-Inj:1", "/a%0d%0aX-Inj:1")]
    [InlineData("/@evil.test", "/@evil.test")]
    [InlineData("/a%5Cb", "/a%5Cb")]
    public async Task A_path_crosses_byte_for_byte(string target, string expected)
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream);

        await app.GetRawAsync(target);

        Assert.Equal(ProxyApp.Upstream + expected, upstream.Last.Uri, ignoreCase: true);
    }

    [Theory]
    [InlineData("/public/../admin", "/admin")]
    [InlineData("/public/%2e%2e/admin", "/admin")]
    [InlineData("/other%41", "/admin")]
    public async Task A_raw_path_that_says_other_than_routing_saw_is_not_sent(string raw, string routed)
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream);

        await app.GetRawAsync(raw, c => c.Request.Path = routed);

        Assert.Equal(routed, upstream.Last.Target);
    }

    [Theory]
    [InlineData(EncodedCharacters.Slash, "/a%2fb", 400)]
    [InlineData(EncodedCharacters.Slash, "/a?b=%2f", 200)]
    [InlineData(EncodedCharacters.Backslash | EncodedCharacters.Percent, "/a%25b", 400)]
    [InlineData(EncodedCharacters.Backslash, "/a%25b", 200)]
    [InlineData(EncodedCharacters.None, "/a%2fb%5c%25%3b%3f%23", 200)]
    [InlineData(EncodedCharacters.Semicolon, "/a%3Bb", 400)]
    [InlineData(EncodedCharacters.QuestionMark, "/a%3Fb", 400)]
    [InlineData(EncodedCharacters.Hash, "/a%23b", 400)]
    public async Task Encoded_characters_can_be_refused(EncodedCharacters rejected, string target, int status)
    {
        await using var app = await ProxyApp.StartAsync(new Recorder(), options: o => o.RejectedEncodedCharacters = rejected);

        Assert.Equal(status, (await app.GetRawAsync(target)).Response.StatusCode);
    }

    [Fact]
    public async Task The_normalised_path_can_be_asked_for()
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream, options: o => o.PathForwarding = PathForwarding.Normalized);

        await app.GetRawAsync("/%41%7e/a%2Fb/%c3%a9");

        Assert.Equal("/A~/a%2Fb/%C3%A9", upstream.Last.Target);
    }
}
