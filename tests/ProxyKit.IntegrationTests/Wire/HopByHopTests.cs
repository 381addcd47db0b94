using Microsoft.AspNetCore.Builder;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>What is this hop's business and what is the next one's (acceptance/forwarding.md, 4c and 4.1).</summary>
public class HopByHopTests : WireTests
{
    [Theory]
    [InlineData("Keep-Alive: timeout=5")]
    [InlineData("Proxy-Connection: keep-alive")]
    [InlineData("Proxy-Authorization: Basic eDp5")]
    [InlineData("Proxy-Authenticate: Basic")]
    [InlineData("Proxy-Authentication-Info: a")]
    [InlineData("Proxy-Features: a")]
    [InlineData("Proxy-Instruction: a")]
    [InlineData("Security-Scheme: a")]
    [InlineData("ALPN: h2")]
    [InlineData("Close: a")]
    [InlineData("HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")]
    [InlineData("TE: trailers")]
    [InlineData("Trailer: X-Checksum")]
    [InlineData("Upgrade: h2c")]
    [InlineData("Alt-Svc: h3")]
    [InlineData("Proxy: http://evil")]
    public async Task A_request_header_of_one_hop_is_not_forwarded(string header)
    {
        await using var wire = await StartAsync();

        await wire.GetAsync("/", header, "X-End-To-End: kept");

        Assert.False(Raw.Has(wire.Forwarded, header.Split(':')[0]));
        Assert.False(Raw.Has(wire.Forwarded, "Connection"));
        Assert.Equal("kept", Raw.Value(wire.Forwarded, "X-End-To-End"));
    }

    [Theory]
    [InlineData("Keep-Alive: timeout=5")]
    [InlineData("Proxy-Authenticate: Basic")]
    [InlineData("Proxy-Authentication-Info: a")]
    [InlineData("Proxy-Connection: keep-alive")]
    [InlineData("Security-Scheme: a")]
    [InlineData("Upgrade: h2c")]
    [InlineData("Trailer: X-Checksum")]
    [InlineData("TE: trailers")]
    [InlineData("Close: a")]
    [InlineData("Alt-Svc: h3=\":443\"")]
    public async Task A_response_header_of_one_hop_is_not_forwarded(string header)
    {
        await using var wire = await StartAsync($"HTTP/1.1 200 OK\r\n{header}\r\nX-End-To-End: kept\r\nContent-Length: 2\r\n\r\nok");

        var response = await wire.GetAsync("/");

        Assert.False(Raw.Has(response, header.Split(':')[0]));
        Assert.Equal("kept", Raw.Value(response, "X-End-To-End"));
    }

    [Theory]
    [InlineData("close, X-Foo")]
    [InlineData("X-Foo, close")]
    [InlineData("close,x-foo")]
    [InlineData("close, ,\tX-FOO ,")]
    [InlineData("close\r\nConnection: X-Foo")]
    [InlineData("X-Foo\r\nConnection: close")]
    [InlineData("X-Foo")]
    [InlineData("keep-alive, X-Foo")]
    [InlineData("keep-alive\r\nConnection: X-Foo")]
    [InlineData("TE, X-Foo, Upgrade, HTTP2-Settings, close")]
    public async Task A_field_that_Connection_names_is_dropped(string connection)
    {
        await using var wire = await StartAsync();

        await wire.SendAsync($"GET / HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\nX-Foo: hop\r\nX-Bar: end\r\n\r\n");

        Assert.DoesNotContain("X-Foo", wire.Forwarded, StringComparison.OrdinalIgnoreCase);
        Assert.False(Raw.Has(wire.Forwarded, "Connection"));
        Assert.Equal("end", Raw.Value(wire.Forwarded, "X-Bar"));
    }

    [Theory]
    [InlineData("keep-alive")]
    [InlineData("TE, keep-alive")]
    [InlineData("Keep-Alive, Cookie, Authorization")]
    public async Task A_connection_on_which_no_field_of_consequence_is_named_is_kept(string connection)
    {
        await using var wire = await StartAsync();
        using var client = await wire.ConnectAsync();

        for (var i = 0; i < 3; i++)
        {
            await client.SendAsync($"GET /{i} HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n");
            Assert.Equal(200, Raw.Status(await client.ReadUntilAsync("ok")));
        }
    }

    [Theory]
    [InlineData("X-Secret")]
    [InlineData("keep-alive, x-secret")]
    [InlineData("close\r\nConnection: X-Secret")]
    public async Task A_field_that_the_upstreams_Connection_names_is_dropped(string connection)
    {
        await using var wire = await StartAsync($"HTTP/1.1 200 OK\r\nConnection: {connection}\r\nX-Secret: hop\r\nX-Bar: end\r\nContent-Length: 2\r\n\r\nok");

        var response = await wire.GetAsync("/");

        Assert.False(Raw.Has(response, "X-Secret"));
        Assert.Equal("end", Raw.Value(response, "X-Bar"));
        Assert.Equal(["close"], Raw.Values(response, "Connection")); // the client's own wish
    }

    [Theory]
    [InlineData("Cookie", "a=b")]
    [InlineData("Authorization", "Basic eDp5")]
    [InlineData("Content-Type", "text/plain")]
    [InlineData("Content-Length", "3")]
    [InlineData("Content-Encoding", "gzip")]
    [InlineData("X-Forwarded-For", "127.0.0.1")]
    [InlineData("X-Forwarded-Proto", "http")]
    [InlineData("X-Forwarded-Host", "public.example")]
    [InlineData("Via", "1.1 wire")]
    public async Task A_client_cannot_strip_what_the_upstream_relies_on(string name, string expected)
    {
        await using var wire = await StartAsync(o => o.Pseudonym = "wire");

        await wire.SendAsync(
            $"POST / HTTP/1.1\r\nHost: public.example\r\nConnection: close, {name}, Host\r\nCookie: a=b\r\nAuthorization: Basic eDp5\r\n"
            + "Content-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc");

        Assert.Equal([expected], Raw.Values(wire.Forwarded, name));
        Assert.Equal("abc", Raw.Body(wire.Forwarded));
    }

    [Theory]
    [InlineData("Content-Length", "2")]
    [InlineData("Set-Cookie", "a=b")]
    [InlineData("Content-Type", "text/plain")]
    [InlineData("Cache-Control", "private")]
    public async Task An_upstream_cannot_strip_what_the_client_relies_on(string name, string expected)
    {
        await using var wire = await StartAsync(
            $"HTTP/1.1 200 OK\r\nConnection: {name}\r\nSet-Cookie: a=b\r\nContent-Type: text/plain\r\nCache-Control: private\r\nContent-Length: 2\r\n\r\nok");

        var response = await wire.GetAsync("/");

        Assert.Equal([expected], Raw.Values(response, name));
        Assert.Equal("ok", Raw.Body(response));
    }

    private static readonly string[] s_spoofed =
    [
        "X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 7.7.7.7", "X-Forwarded-Host: evil", "X-Forwarded-Proto: https", "X-Forwarded-Port: 6666",
        "X-Forwarded-Prefix: /evil", "X-Forwarded-Anything: evil", "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Original-URL: /evil", "X-Rewrite-URL: /evil",
        "X-Original-Host: evil", "X-Client-Cert: evil", "Proxy: http://evil",
    ];

    [Fact]
    public async Task Forwarding_headers_of_a_stranger_are_replaced()
    {
        await using var wire = await StartAsync();

        await wire.GetAsync("/", s_spoofed);

        var head = Raw.Head(wire.Forwarded);
        Assert.Equal(["127.0.0.1"], Raw.Values(head + "\r\n", "X-Forwarded-For"));
        Assert.Equal(["public.example"], Raw.Values(head + "\r\n", "X-Forwarded-Host"));
        Assert.Equal(["http"], Raw.Values(head + "\r\n", "X-Forwarded-Proto"));
        Assert.DoesNotContain("evil", head, StringComparison.Ordinal);
        Assert.DoesNotContain("6.6.6.6", head, StringComparison.Ordinal);
        Assert.DoesNotContain("6666", head, StringComparison.Ordinal);
        Assert.False(Raw.Has(wire.Forwarded, "Forwarded"));
    }

    [Fact]
    public async Task Forwarding_headers_of_a_trusted_peer_are_appended_to_on_the_right()
    {
        await using var wire = await StartAsync(o => o.TrustedProxies.Add("127.0.0.0/8"));

        await wire.GetAsync("/", s_spoofed);

        Assert.Equal(["6.6.6.6, 7.7.7.7, 127.0.0.1"], Raw.Values(wire.Forwarded, "X-Forwarded-For"));
        Assert.Equal(["https"], Raw.Values(wire.Forwarded, "X-Forwarded-Proto"));
        Assert.Equal(["6.6.6.6"], Raw.Values(wire.Forwarded, "X-Real-IP"));
        Assert.False(Raw.Has(wire.Forwarded, "Proxy")); // nobody may set a CGI program's proxy
    }

    [Fact]
    public async Task Even_a_trusted_peer_cannot_strip_the_forwarding_headers_by_naming_them_in_Connection()
    {
        await using var wire = await StartAsync(o => o.TrustedProxies.Add("127.0.0.1"));

        await wire.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Forwarded-For\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n");

        Assert.Equal(["6.6.6.6, 127.0.0.1"], Raw.Values(wire.Forwarded, "X-Forwarded-For"));
    }

    [Theory]
    [InlineData(UnderscoreHeaders.Keep, 200, true)]
    [InlineData(UnderscoreHeaders.Drop, 200, false)]
    [InlineData(UnderscoreHeaders.Reject, 400, false)]
    public async Task Header_names_with_an_underscore_or_a_dot_follow_the_option(UnderscoreHeaders option, int status, bool forwarded)
    {
        foreach (var name in new[] { "X_Auth_User", "X.Auth.User", "Content_Length" })
        {
            await using var wire = await StartAsync(o => o.UnderscoreHeaders = option);

            var response = await wire.GetAsync("/", "X-Auth-User: good", $"{name}: 5");

            Assert.Equal(status, Raw.Status(response));
            Assert.Equal(forwarded, wire.Upstream.Received.Contains($"{name}: 5", StringComparison.Ordinal));
            Assert.Equal(status == 200, wire.Upstream.Received.Contains("X-Auth-User: good", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task The_upstream_is_sent_its_own_Host()
    {
        await using var wire = await StartAsync();

        await wire.GetAsync("/");

        Assert.Equal([$"127.0.0.1:{wire.Upstream.Port}"], Raw.Values(wire.Forwarded, "Host"));
    }

    [Theory]
    [InlineData("public.example")]
    [InlineData("public.example:8080")]
    [InlineData("[::1]:5000")]
    public async Task The_upstream_is_sent_the_original_Host_when_asked_for(string host)
    {
        await using var wire = await StartAsync(RawUpstream.KeepAlive(WireProxy.Ok), route: r => r.WithTransforms(t => t.UseOriginalHost(true)));

        await wire.SendAsync($"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");

        Assert.Equal([host], Raw.Values(wire.Forwarded, "Host"));
    }

    [Fact]
    public async Task Header_bytes_above_7F_pass_both_ways()
    {
        var every = new string([.. Enumerable.Range(0x80, 0x80).Select(i => (char)i)]);
        await using var wire = await StartAsync($"HTTP/1.1 200 OK\r\nX-All: {every}\r\nLocation: /caf\u00c3\u00a9?\u00e9\r\nContent-Length: 2\r\n\r\nok");

        var response = await wire.GetAsync("/", $"X-All: {every}", "X-Utf8: caf\u00c3\u00a9", "Cookie: a=\u00e9");

        Assert.Equal(every, Raw.Value(wire.Forwarded, "X-All"));
        Assert.Equal("caf\u00c3\u00a9", Raw.Value(wire.Forwarded, "X-Utf8"));
        Assert.Equal("a=\u00e9", Raw.Value(wire.Forwarded, "Cookie"));
        Assert.Equal(every, Raw.Value(response, "X-All"));
        Assert.Equal("/caf\u00c3\u00a9?\u00e9", Raw.Value(response, "Location"));
    }

    [Fact]
    public async Task Repeated_and_empty_headers_arrive_as_they_are()
    {
        await using var wire = await StartAsync("HTTP/1.1 200 OK\r\nX-Multi: a\r\nX-Multi: b, c\r\nX-Empty:\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Expires=Wed, 21 Oct 2015 07:28:00 GMT\r\nWarning: 199 - \"a\"\r\nContent-Length: 2\r\n\r\nok");

        var response = await wire.GetAsync("/", "X-Multi: a", "X-Multi: b, c", "X-Empty:", "X-Empties:", "X-Empties: ", "Accept: text/html;q=0.1", "Accept: */*", "User-Agent: a (b; c) d/1");

        Assert.Equal("a, b, c", string.Join(", ", Raw.Values(wire.Forwarded, "X-Multi")));
        Assert.Equal([""], Raw.Values(wire.Forwarded, "X-Empty"));
        Assert.True(Raw.Has(wire.Forwarded, "X-Empties"));
        Assert.Equal("text/html;q=0.1, */*", string.Join(", ", Raw.Values(wire.Forwarded, "Accept")));
        Assert.Equal(["a (b; c) d/1"], Raw.Values(wire.Forwarded, "User-Agent"));
        Assert.Equal(["a", "b, c"], Raw.Values(response, "X-Multi"));
        Assert.Equal([""], Raw.Values(response, "X-Empty"));
        Assert.Equal(["a=1", "b=2; Expires=Wed, 21 Oct 2015 07:28:00 GMT"], Raw.Values(response, "Set-Cookie"));
    }

    [Theory]
    [InlineData("If-Modified-Since: not a date")]
    [InlineData("If-None-Match: unquoted, \"a\", W/\"b\"")]
    [InlineData("Range: bytes=0-1,4-5, -3")]
    [InlineData("Range: nonsense")]
    [InlineData("Accept-Encoding: br;q=1.0, *;q=0")]
    [InlineData("User-Agent: ((broken")]
    [InlineData("Referer: not a url | at all")]
    [InlineData("Date: yesterday")]
    [InlineData("From: ???")]
    [InlineData("Authorization: Negotiate ==")]
    [InlineData("Expires: -1")]
    [InlineData("Last-Modified: ?")]
    [InlineData("Content-Type: ///")]
    [InlineData("Cache-Control: ,,=")]
    [InlineData("Pragma: a=b=c")]
    [InlineData("Warning: nonsense")]
    public async Task A_value_is_not_parsed_on_its_way_to_the_upstream(string header)
    {
        await using var wire = await StartAsync();

        await wire.GetAsync("/", header);

        Assert.Contains($"\r\n{header}\r\n", wire.Forwarded, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_trace_goes_on_below_the_clients()
    {
        await using var wire = await StartAsync();

        await wire.GetAsync("/", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate: a=b");

        Assert.StartsWith("00-0af7651916cd43dd8448eb211c80319c-", Assert.Single(Raw.Values(wire.Forwarded, "traceparent")));
        Assert.Equal(["a=b"], Raw.Values(wire.Forwarded, "tracestate"));
    }

    [Fact]
    public async Task Cookies_in_several_lines_become_one()
    {
        await using var wire = await StartAsync();

        await wire.GetAsync("/", "Cookie: a=1; b=2", "Cookie: c=\"3,4\"");

        Assert.Equal(["a=1; b=2; c=\"3,4\""], Raw.Values(wire.Forwarded, "Cookie"));
    }

    [Fact]
    public async Task Upgrade_Insecure_Requests_is_forwarded()
    {
        await using var wire = await StartAsync();

        await wire.GetAsync("/", "Upgrade-Insecure-Requests: 1");

        Assert.Equal(["1"], Raw.Values(wire.Forwarded, "Upgrade-Insecure-Requests"));
    }
}

public sealed class HopByHopOverHttpClientTests : HopByHopTests
{
    protected override bool OverHttpClient => true;
}
