namespace ProxyKit.IntegrationTests.Wire;

/// <summary>The bytes of the request target (acceptance/forwarding.md, 3.5 and 4b).</summary>
public class PathTests : WireTests
{
    [Theory]
    [InlineData("encoded slash", "/a/..%2f..%2fetc")]
    [InlineData("encoded slash, upper case", "/a%2Fb")]
    [InlineData("bytes that are not UTF-8", "/%ff%fe")]
    [InlineData("malformed escape in the path", "/a%zz")]
    [InlineData("malformed escape in the query", "/?x=%zz&y=a|b")]
    [InlineData("encoded CRLF", "/a%0d%0aX-Inj:1")]
    [InlineData("encoded unreserved", "/%41bc")]
    [InlineData("encoded apostrophe and parentheses", "/a%27b%28c%29")]
    [InlineData("pipe", "/a|b")]
    [InlineData("doubly encoded slash", "/a%252Fb")]
    [InlineData("doubly encoded dots", "/a/%252e%252e/b")]
    [InlineData("encoded UTF-8", "/caf%c3%a9")]
    [InlineData("encoded question mark and hash", "/a%3fb%23c")]
    [InlineData("encoded semicolon and parameters", "/a%3bx;y=1/b")]
    [InlineData("double slashes", "/a//b///c")]
    [InlineData("trailing slash", "/a/")]
    [InlineData("network path", "//evil.com/x")]
    [InlineData("network path with userinfo", "//@evil")]
    [InlineData("dot file", "/.evil.com")]
    [InlineData("three dots", "/.../a")]
    [InlineData("at sign", "/@evil/x:80")]
    [InlineData("curly braces, quotes, caret", "/{a}\"b\"^`<c>")]
    [InlineData("dots in the query", "/a?x=/../../etc&y=%2e%2e/\\")]
    [InlineData("empty query", "/a?")]
    [InlineData("query with plus and encoded space", "/a?b+c=%20%2B&d&=e&&f=")]
    [InlineData("second question mark", "/a?b?c")]
    [InlineData("address in the query", "/?http://evil/")]
    public async Task Arrives_byte_for_byte(string row, string target)
    {
        await using var wire = await StartAsync();

        var response = await wire.GetAsync(target);

        Assert.True(Raw.Status(response) == 200, $"{row}: {response}");
        Assert.Equal(target, Raw.Target(wire.Forwarded));
        Assert.Equal($"127.0.0.1:{wire.Upstream.Port}", Raw.Value(wire.Forwarded, "Host"));
    }

    // Routing and authorization have seen the resolved path: the upstream must see no other.
    [Theory]
    [InlineData("dot segments", "/a/../../etc/passwd", "/etc/passwd")]
    [InlineData("encoded dot segments", "/x/%2e%2e/y", "/y")]
    [InlineData("half encoded dot segments", "/x/.%2E/y", "/y")]
    [InlineData("single dot", "/a/./b", "/a/b")]
    [InlineData("encoded single dot at the end", "/a/%2e", "/a/")]
    [InlineData("dot segments at the end", "/a/b/..", "/a/")]
    [InlineData("behind a parameter", "/a;x=/../b", "/b")]
    [InlineData("only dots", "/..", "/")]
    [InlineData("with a query", "/a/../b?c=/../d", "/b?c=/../d")]
    [InlineData("backslash", "/a\\b", "/a%5Cb")]
    [InlineData("backslash and dots", "/a\\..\\b", "/a%5C..%5Cb")]
    [InlineData("encoded backslash", "/a%5cb", "/a%5Cb")]
    [InlineData("an encoded slash beside dot segments", "/x/../a%2fb", "/a%2Fb")]
    [InlineData("a doubly encoded slash beside dot segments", "/x/../a%252fb", "/a%252fb")]
    [InlineData("an encoded percent sign beside dot segments", "/x/../a%2541", "/a%2541")]
    [InlineData("a space beside dot segments", "/x/../a%20b", "/a%20b")]
    [InlineData("UTF-8 beside dot segments", "/x/../caf%c3%a9", "/caf%C3%A9")]
    public async Task That_routing_saw_differently_arrives_as_routing_saw_it(string row, string target, string expected)
    {
        await using var wire = await StartAsync();

        var response = await wire.GetAsync(target);

        Assert.True(Raw.Status(response) == 200, $"{row}: {response}");
        Assert.Equal(expected, Raw.Target(wire.Forwarded));
    }

    [Theory]
    [InlineData("NUL", "GET /a%00b HTTP/1.1")]
    [InlineData("NUL, raw", "GET /a\0b HTTP/1.1")]
    [InlineData("raw TAB", "GET /a\tb HTTP/1.1")]
    [InlineData("raw TAB in the query", "GET /a?b\tc HTTP/1.1")]
    [InlineData("raw control", "GET /a\u0001b HTTP/1.1")]
    [InlineData("raw DEL", "GET /a\u007fb HTTP/1.1")]
    [InlineData("raw UTF-8", "GET /caf\u00c3\u00a9 HTTP/1.1")]
    [InlineData("raw UTF-8 in the query", "GET /?caf\u00c3\u00a9 HTTP/1.1")]
    [InlineData("raw space", "GET /a b HTTP/1.1")]
    [InlineData("OPTIONS *", "OPTIONS * HTTP/1.1")]
    [InlineData("GET *", "GET * HTTP/1.1")]
    [InlineData("no slash", "GET a HTTP/1.1")]
    [InlineData("only a query", "GET ?a HTTP/1.1")]
    [InlineData("an authority", "GET evil:80 HTTP/1.1")]
    [InlineData("bare CR", "GET /a\rb HTTP/1.1")]
    public async Task That_no_server_should_see_is_refused(string row, string line)
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync($"{line}\r\nHost: a\r\nConnection: close\r\n\r\n");

        // Kestrel answers some of them itself, with 405 when the form belongs to another method (RFC 9112 §3.2).
        Assert.True(Raw.Status(response) is 400 or 405, $"{row}: {response}");
        Assert.Equal("", wire.Upstream.Received);
    }

    [Theory]
    [InlineData("network path", "//@evil", "evil", "//@evil")]
    [InlineData("network path with port", "//evil:80/x", "a", "//evil:80/x")]
    [InlineData("absolute-form", "http://evil/", "evil", "/")]
    [InlineData("absolute-form with a path", "http://evil/x%2fy?z=1", "evil", "/x/y?z=1")] // Kestrel decodes it, and routing sees that
    [InlineData("absolute-form without a path", "http://evil", "evil", "/")]
    [InlineData("dot host", "/.evil.com", "a", "/.evil.com")]
    [InlineData("leading at sign", "/@evil", "a", "/@evil")]
    [InlineData("backslashes", "/\\evil.com/x", "a", "/%5Cevil.com/x")]
    public async Task Never_chooses_the_server_that_is_asked(string row, string target, string host, string expected)
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync($"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");

        Assert.True(Raw.Status(response) == 200, $"{row}: {response}");
        Assert.Equal(expected, Raw.Target(wire.Forwarded));
        Assert.Equal($"127.0.0.1:{wire.Upstream.Port}", Raw.Value(wire.Forwarded, "Host"));
    }

    [Theory]
    [InlineData("/base", "/x", "/base/x")]
    [InlineData("/base/", "/x", "/base/x")]
    [InlineData("/base", "/", "/base/")]
    [InlineData("/base", "//@evil", "/base//@evil")]
    [InlineData("/base", "/../x", "/base/x")]
    [InlineData("/base", "/%2e%2e/x", "/base/x")]
    [InlineData("/base", "/..%2fx", "/base/..%2fx")]
    [InlineData("/base", "/a%27%2fb?c", "/base/a%27%2fb?c")]
    [InlineData("/base", "/.evil.com", "/base/.evil.com")]
    [InlineData("/ba%20se", "/x", "/ba%20se/x")]
    public async Task Stays_below_the_base_path_of_the_destination(string basePath, string target, string expected)
    {
        await using var wire = await StartAsync(RawUpstream.KeepAlive(WireProxy.Ok), basePath);

        var response = await wire.GetAsync(target);

        Assert.Equal(200, Raw.Status(response));
        Assert.Equal(expected, Raw.Target(wire.Forwarded));
    }

    [Theory]
    [InlineData("/%41bc", "/Abc")]
    [InlineData("/a%2fb", "/a%2Fb")]
    [InlineData("/a%252fb", "/a%252fb")]
    [InlineData("/a%25zz", "/a%25zz")]
    [InlineData("/a%zz", "/a%25zz")]
    [InlineData("/a%ff", "/a%FF")]
    [InlineData("/a%5c%2e%2e%5cb", "/a%5C..%5Cb")]
    [InlineData("/a/../b", "/b")]
    [InlineData("/caf%c3%a9", "/caf%C3%A9")]
    [InlineData("/a%27b", "/a'b")]
    [InlineData("/a|b", "/a%7Cb")]
    [InlineData("/a%3fb%23c", "/a%3Fb%23c")]
    [InlineData("/a?x=%zz|%41", "/a?x=%zz|%41")]
    public async Task Is_canonical_with_PathForwarding_Normalized(string target, string expected)
    {
        await using var wire = await StartAsync(o => o.PathForwarding = PathForwarding.Normalized);

        await wire.GetAsync(target);

        Assert.Equal(expected, Raw.Target(wire.Forwarded));
    }

    [Theory]
    [InlineData(EncodedCharacters.Slash, "/a%2fb", 400)]
    [InlineData(EncodedCharacters.Slash, "/a%2Fb", 400)]
    [InlineData(EncodedCharacters.Slash, "/a%5cb", 200)]
    [InlineData(EncodedCharacters.Slash, "/a?b%2fc", 200)]
    [InlineData(EncodedCharacters.Backslash, "/a%5Cb", 400)]
    [InlineData(EncodedCharacters.Semicolon, "/a%3bb", 400)]
    [InlineData(EncodedCharacters.Percent, "/a%252fb", 400)]
    [InlineData(EncodedCharacters.QuestionMark, "/a%3Fb", 400)]
    [InlineData(EncodedCharacters.Hash, "/a%23", 400)]
    [InlineData(EncodedCharacters.Slash | EncodedCharacters.Hash, "/%23", 400)]
    [InlineData(EncodedCharacters.Slash | EncodedCharacters.Hash, "/%20", 200)]
    public async Task With_an_encoded_character_that_is_configured_to_be_refused_is_400(EncodedCharacters rejected, string target, int status)
    {
        await using var wire = await StartAsync(o => o.RejectedEncodedCharacters = rejected);

        var response = await wire.GetAsync(target);

        Assert.Equal(status, Raw.Status(response));
        Assert.Equal(status == 200 ? 1 : 0, wire.Upstream.Requests.Count);
    }
}

public sealed class PathOverHttpClientTests : PathTests
{
    protected override bool OverHttpClient => true;
}
