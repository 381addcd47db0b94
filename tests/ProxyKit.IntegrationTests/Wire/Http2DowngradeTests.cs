using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>HTTP/2 can carry bytes that would be framing in HTTP/1.1: none of them may get there.</summary>
public class Http2DowngradeTests : WireTests
{
    private const string Smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

    private static readonly (string, string)[] s_get = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
    private static readonly (string, string)[] s_post = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/")];

    private static (string, string)[] With((string, string)[] fields, string name, string value) => [.. fields.Where(f => f.Item1 != name), (name, value)];

    private static (string, string)[] Replace(string name, string value) => [.. s_get.Select(f => f.Item1 == name ? (name, value) : f)];

    private static readonly Dictionary<string, ((string, string)[] Fields, string[] Data)> s_rows = new()
    {
        ["H2.CL, body too long"] = (With(s_post, "content-length", "3"), ["abc" + Smuggled]),
        ["H2.CL, body too long in a second frame"] = (With(s_post, "content-length", "3"), ["abc", Smuggled]),
        ["H2.CL 0 with a body"] = (With(s_post, "content-length", "0"), [Smuggled]),
        ["H2.CL, body too short"] = (With(s_post, "content-length", "100"), ["abc"]),
        ["H2.CL without a body"] = (With(s_post, "content-length", "3"), []),
        ["H2.TE"] = (With(s_post, "transfer-encoding", "chunked"), ["0\r\n\r\n" + Smuggled]),
        ["connection"] = (With(s_get, "connection", "x-foo"), []),
        ["CRLF in a value"] = (With(s_get, "x-a", "b\r\nX-Inj: 1"), []),
        ["LF in a value"] = (With(s_get, "x-a", "b\nX-Inj: 1"), []),
        ["CR in a value"] = (With(s_get, "x-a", "b\rX-Inj: 1"), []),
        ["NUL in a value"] = (With(s_get, "x-a", "b\0c"), []),
        ["CRLF in a name"] = (With(s_get, "x-a: b\r\nx-inj", "1"), []),
        ["colon in a name"] = (With(s_get, "x-inj: a", "b"), []),
        ["space in a name"] = (With(s_get, "x-a x-inj", "b"), []),
        ["capital in a name"] = (With(s_get, "X-A", "b"), []),
        ["empty name"] = (With(s_get, "", "b"), []),
        ["request line in the path"] = (Replace(":path", "/a HTTP/1.1\r\nX-Inj: 1\r\n\r\n" + Smuggled), []),
        ["space in the path"] = (Replace(":path", "/a b"), []),
        ["TAB in the path"] = (Replace(":path", "/a\tb"), []),
        ["path without a slash"] = (Replace(":path", "@evil"), []),
        ["asterisk path"] = (Replace(":path", "*"), []),
        ["address as path"] = (Replace(":path", "http://evil/"), []),
        ["request line in the method"] = (Replace(":method", "GET /smuggled HTTP/1.1\r\nX-Inj: 1\r\nX-A:"), []),
        ["space in the method"] = (Replace(":method", "GET /smuggled"), []),
        ["CRLF in the authority"] = (Replace(":authority", "a\r\nX-Inj: 1"), []),
        ["userinfo in the authority"] = (Replace(":authority", "u@a"), []),
        ["path in the authority"] = (Replace(":authority", "a/b"), []),
        ["scheme with an address"] = (Replace(":scheme", "http://evil/?"), []),
        ["two paths"] = ([.. s_get, (":path", "/smuggled")], []),
        ["pseudo-header after a field"] = ([.. s_get.Take(3), ("x-a", "b"), (":path", "/")], []),
        ["unknown pseudo-header"] = ([.. s_get, (":evil", "b")], []),
        ["CONNECT"] = ([(":method", "CONNECT"), (":authority", "evil:80")], []),
        ["TRACE"] = (Replace(":method", "TRACE"), []),
    };

    public static TheoryData<string> Rows => [.. s_rows.Keys];

    [Theory, MemberData(nameof(Rows))]
    public async Task Nothing_of_it_becomes_a_request_over_HTTP11(string row)
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await KestrelApp.StartProxyAsync(upstream.Url, HttpClientIfAsked, protocols: HttpProtocols.Http2);
        var (fields, data) = s_rows[row];

        await RawHttp2.SendAsync(proxy.Port, fields, data);

        Assert.Empty(upstream.Requests);
        Assert.DoesNotContain("smuggled", upstream.Received, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("x-inj", upstream.Received, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task The_authority_counts_and_not_a_Host_that_differs()
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await KestrelApp.StartProxyAsync(
            upstream.Url, r => HttpClientIfAsked(r.WithTransforms(t => t.UseOriginalHost(true))), protocols: HttpProtocols.Http2);

        await RawHttp2.SendAsync(proxy.Port, With(s_get, "host", "evil"));

        Assert.Equal(["a"], Raw.Values(Assert.Single(upstream.Requests), "Host"));
        Assert.DoesNotContain("evil", upstream.Received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cookies_that_HTTP2_splits_are_one_line()
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await KestrelApp.StartProxyAsync(upstream.Url, HttpClientIfAsked, protocols: HttpProtocols.Http2);

        await RawHttp2.SendAsync(proxy.Port, [.. s_get, ("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]);

        Assert.Equal(["a=1; b=2; c=3"], Raw.Values(Assert.Single(upstream.Requests), "Cookie"));
    }

    [Theory]
    [InlineData("trailers", "trailers")]
    [InlineData("trailers, gzip", null)]
    public async Task TE_says_trailers_or_nothing(string te, string? expected)
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await KestrelApp.StartProxyAsync(upstream.Url, HttpClientIfAsked, protocols: HttpProtocols.Http2);

        await RawHttp2.SendAsync(proxy.Port, [.. s_get, ("te", te)]);

        Assert.Equal(expected is null ? [] : [expected], upstream.Requests.SelectMany(r => Raw.Values(r, "TE")));
    }

    [Theory]
    [InlineData("with a length", "content-length", "3", "Content-Length", "3")]
    [InlineData("without a length", "x-a", "b", "Transfer-Encoding", "chunked")]
    public async Task A_body_is_framed_for_HTTP11(string row, string name, string value, string framing, string expected)
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await KestrelApp.StartProxyAsync(upstream.Url, HttpClientIfAsked, protocols: HttpProtocols.Http2);

        await RawHttp2.SendAsync(proxy.Port, With(s_post, name, value), "a", "bc");

        var request = Assert.Single(upstream.Requests);
        Assert.Equal([expected], Raw.Values(request, framing));
        Assert.Single(Raw.Values(request, "Content-Length").Concat(Raw.Values(request, "Transfer-Encoding")));
        Assert.EndsWith(row == "with a length" ? "abc" : "0\r\n\r\n", request);
    }

    [Fact]
    public async Task The_path_arrives_byte_for_byte()
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await KestrelApp.StartProxyAsync(upstream.Url, HttpClientIfAsked, protocols: HttpProtocols.Http2);

        await RawHttp2.SendAsync(proxy.Port, Replace(":path", "/a%2fb/%ff%27?x=%zz&y=a|b"));

        Assert.Equal("/a%2fb/%ff%27?x=%zz&y=a|b", Raw.Target(Assert.Single(upstream.Requests)));
    }
}

public sealed class Http2DowngradeOverHttpClientTests : Http2DowngradeTests
{
    protected override bool OverHttpClient => true;
}
