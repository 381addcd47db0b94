namespace ProxyKit.IntegrationTests.Wire;

/// <summary>Requests whose end, or whose meaning, two servers could see differently (acceptance/forwarding.md, 4a).</summary>
public class SmugglingTests : WireTests
{
    private const string Smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

    private static string Post(string headers, string body = "") => $"POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}";

    private static string Chunked(string body) => Post("Transfer-Encoding: chunked\r\n", body);

    public static TheoryData<string, string, int> Ambiguous => new()
    {
        { "CL.TE", Post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"), 400 },
        { "TE.CL", Post("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", "0\r\n\r\nG"), 400 },
        { "CL+TE with a second request after the last chunk", Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + Smuggled), 400 },
        { "CL+TE with a body and a second request", Post("Content-Length: 13\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n" + Smuggled), 400 },
        { "TE list: gzip, chunked", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n" + Smuggled), 501 },
        { "TE list: identity, chunked", Post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n" + Smuggled), 501 },
        { "TE list: chunked, chunked", Post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n" + Smuggled), 501 },
        { "TE twice", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + Smuggled), 501 },
        { "TE twice, gzip first", Post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + Smuggled), 501 },
        { "TE chunked, gzip", Post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n" + Smuggled), 400 },
        { "TE gzip only", Post("Transfer-Encoding: gzip\r\n", "0\r\n\r\n" + Smuggled), 400 },
        { "TE empty and CL", Post("Transfer-Encoding:\r\nContent-Length: 5\r\n", "0\r\n\r\n" + Smuggled), 400 },
        { "TE on HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Smuggled, 400 },
        { "TE on HTTP/1.0, kept alive", "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Smuggled, 400 },
        { "TE on HTTP/1.0 with CL", "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Smuggled, 400 },
        { "Transfer-Encoding : chunked", Post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n" + Smuggled), 400 },
        { "Transfer-Encoding: xchunked", Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n" + Smuggled), 400 },
        { "Transfer-Encoding: \\x0bchunked", Post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n" + Smuggled), 400 },
        { "Transfer-Encoding quoted", Post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n" + Smuggled), 400 },
        { "TE obs-fold + CL", Post("Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n" + Smuggled), 400 },
        { "CL dup differ", Post("Content-Length: 3\r\nContent-Length: 5\r\n", "abcde"), 400 },
        { "CL dup same", Post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400 },
        { "CL list 3, 3", Post("Content-Length: 3, 3\r\n", "abc"), 400 },
        { "CL 0x3", Post("Content-Length: 0x3\r\n", "abc"), 400 },
        { "CL -1", Post("Content-Length: -1\r\n", "abc"), 400 },
        { "CL empty", Post("Content-Length:\r\n", "abc"), 400 },
        { "CL 2^64+3", Post("Content-Length: 18446744073709551619\r\n", "abc"), 400 },
        { "obs-fold in a value", Post("X-A: b\r\n c\r\nContent-Length: 0\r\n"), 400 },
        { "NUL in a value", Post("X-A: b\0c\r\nContent-Length: 0\r\n"), 400 },
        { "bare CR in a value", Post("X-A: b\rc\r\nContent-Length: 0\r\n"), 400 },
        { "bare CR before a header", Post("X-A: b\rContent-Length: 3\r\n", Smuggled), 400 },
        { "space in a header name", Post("X A: b\r\nContent-Length: 0\r\n"), 400 },
        { "header without colon", Post("X-A\r\nContent-Length: 0\r\n"), 400 },
        { "Host: a@b", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400 },
        { "Host: a/b", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
        { "Host: a?b", "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", 400 },
        { "Host: a,b", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400 },
        { "Host: a:80x", "GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n", 400 },
        { "Host missing", "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400 },
        { "Host dup", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400 },
        { "absolute-form differs from Host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "40 KB header", $"GET / HTTP/1.1\r\nHost: a\r\nX-A: {new string('a', 40 * 1024)}\r\n\r\n", 431 },
        { "300 headers", $"GET / HTTP/1.1\r\nHost: a\r\n{string.Concat(Enumerable.Range(0, 300).Select(i => $"X-{i}: a\r\n"))}\r\n", 431 },
        { "CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + Smuggled, 405 },
    };

    [Theory, MemberData(nameof(Ambiguous))]
    public async Task Is_refused_the_connection_closed_and_nothing_reaches_the_upstream(string row, string request, int status)
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync(request);

        Assert.True(Raw.Status(response) == status, $"{row}: {response}");
        Assert.Equal(1, Raw.Responses(response));
        Assert.Equal("", wire.Upstream.Received);
    }

    public static TheoryData<string, string> BadChunks => new()
    {
        { "chunk size 0x3", "0x3\r\nabc\r\n0\r\n\r\n" },
        { "chunk size -3", "-3\r\nabc\r\n0\r\n\r\n" },
        { "chunk size +3", "+3\r\nabc\r\n0\r\n\r\n" },
        { "chunk size overflow", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n" },
        { "chunk size 2^32+3", "100000003\r\nabc\r\n0\r\n\r\n" },
        { "chunk size empty", "\r\nabc\r\n0\r\n\r\n" },
        { "chunk size 0_2e", "0_2e\r\nabc\r\n0\r\n\r\n" },
        { "chunk size with leading space", " 3\r\nabc\r\n0\r\n\r\n" },
        { "wrong terminator", "3\r\nabcXX0\r\n\r\n" },
        { "chunk size bare LF", "3\nabc\r\n0\r\n\r\n" },
        { "chunk size bare CR", "3\rabc\r\n0\r\n\r\n" },
        { "data LF end", "3\r\nabc\n0\r\n\r\n" },
        { "TERM.EXT", "3;a\nxx\r\nabc\r\n0\r\n\r\n" },
        { "chunk ext bare CR", "3;a\rb\r\nabc\r\n0\r\n\r\n" },
        { "last chunk with data", "0\r\nabc\r\n\r\n" },
        { "last chunk bare LF", "3\r\nabc\r\n0\n\n" },
    };

    [Theory, MemberData(nameof(BadChunks))]
    public async Task A_malformed_chunk_is_400_and_never_a_whole_request_for_the_upstream(string row, string body)
    {
        await using var wire = await StartAsync();
        using var client = await wire.ConnectAsync();

        await client.SendAsync(Chunked(body + Smuggled));
        if (row == "chunk size 2^32+3") // a legal size: what is missing is the rest
            client.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
        var response = await client.ReadToEndAsync();

        if (row != "chunk size 2^32+3")
            Assert.True(Raw.Status(response) == 400, $"{row}: {response}");
        Assert.True(Raw.Responses(response) <= 1, response);
        Assert.Empty(wire.Upstream.Requests);
        Assert.DoesNotContain("\r\n0\r\n\r\n", wire.Upstream.Received, StringComparison.Ordinal);
        if (row != "chunk size 2^32+3")
            Assert.DoesNotContain("smuggled", wire.Upstream.Received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Content_Length_with_a_plus_sign_is_emitted_clean()
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync(Post("Connection: close\r\nContent-Length: +3\r\n", "abc"));

        // Kestrel parses it before anybody sees it.
        Assert.Equal(200, Raw.Status(response));
        Assert.Equal(["3"], Raw.Values(wire.Forwarded, "Content-Length"));
        Assert.Equal("abc", Raw.Body(wire.Forwarded));
    }

    [Fact]
    public async Task Bare_LF_header_lines_are_normalised_on_output()
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync("GET /a HTTP/1.1\nHost: a\nX-A: b\nConnection: close\n\n");

        Assert.Contains(Raw.Status(response), new[] { 200, 400 });
        Assert.DoesNotContain("\n", wire.Upstream.Received.Replace("\r\n", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\u0001")]
    [InlineData("\u0008")]
    [InlineData("\u001f")]
    [InlineData("\u007f")]
    public async Task A_control_in_a_value_is_400(string control)
    {
        await using var wire = await StartAsync();

        var response = await wire.GetAsync("/", $"X-A: a{control}b");

        Assert.Equal(400, Raw.Status(response));
        Assert.Equal("", wire.Upstream.Received);
    }

    [Theory]
    [InlineData("X\u0001A")]
    [InlineData("X(A)")]
    [InlineData("X\"A")]
    [InlineData("X{A}")]
    [InlineData("\u00e9")]
    public async Task A_header_whose_name_is_no_token_is_not_forwarded(string name)
    {
        await using var wire = await StartAsync();

        var response = await wire.GetAsync("/", $"{name}: marked", "X-B: c");

        Assert.Contains(Raw.Status(response), new[] { 200, 400 });
        Assert.DoesNotContain("marked", wire.Upstream.Received, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Content-Length: 9")]
    [InlineData("X-Forwarded-For: 6.6.6.6")]
    [InlineData("Transfer-Encoding: chunked")]
    [InlineData("Host: evil")]
    [InlineData("X-Anything: a")]
    public async Task A_request_trailer_is_not_forwarded_and_neither_is_its_announcement(string trailer)
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync(
            $"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTrailer: {trailer.Split(':')[0]}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n{trailer}\r\n\r\n");

        Assert.Equal(200, Raw.Status(response));
        Assert.Equal("3\r\nabc\r\n0\r\n\r\n", Raw.Body(wire.Forwarded));
        Assert.False(Raw.Has(wire.Forwarded, "Trailer"));
        Assert.False(Raw.Has(wire.Forwarded, "Content-Length"));
        Assert.Equal(["chunked"], Raw.Values(wire.Forwarded, "Transfer-Encoding"));
    }

    [Fact]
    public async Task Chunk_extensions_are_not_forwarded()
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync(Post("Connection: close\r\nTransfer-Encoding: chunked\r\n", "3;a=b\r\nabc\r\n0;c\r\n\r\n"));

        Assert.Equal(200, Raw.Status(response));
        Assert.Equal("3\r\nabc\r\n0\r\n\r\n", Raw.Body(wire.Forwarded));
    }

    [Theory]
    [InlineData("Upgrade: h2c", "GET", "h2c")]
    [InlineData("Upgrade: websocket on POST", "POST", "websocket")]
    [InlineData("Upgrade: websocket, h2c", "GET", "websocket, h2c")]
    [InlineData("Upgrade: tls/1.0", "GET", "TLS/1.0")]
    public async Task An_upgrade_that_is_not_a_WebSocket_handshake_is_stripped(string row, string method, string protocol)
    {
        await using var wire = await StartAsync();
        using var client = await wire.ConnectAsync();

        await client.SendAsync(
            $"{method} / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
            + (method == "POST" ? "Content-Length: 3\r\n\r\nabc" : "\r\n"));
        var response = await client.ReadUntilAsync("ok");

        Assert.True(Raw.Status(response) == 200, row);
        Assert.False(Raw.Has(wire.Forwarded, "Upgrade"));
        Assert.False(Raw.Has(wire.Forwarded, "HTTP2-Settings"));
        Assert.False(Raw.Has(wire.Forwarded, "Connection"));
        Assert.Equal(method == "POST" ? "abc" : "", Raw.Body(wire.Forwarded));
    }

    [Theory]
    [InlineData("TRACE", "/")]
    [InlineData("CONNECT", "evil:443")]
    public async Task TRACE_and_CONNECT_are_405_with_Allow(string method, string target)
    {
        await using var wire = await StartAsync();

        var response = await wire.SendAsync($"{method} {target} HTTP/1.1\r\nHost: {(target == "/" ? "a" : target)}\r\nConnection: close\r\n\r\n");

        Assert.Equal(405, Raw.Status(response));
        Assert.Equal("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", Raw.Value(response, "Allow"));
        Assert.Equal("", wire.Upstream.Received);
    }

    [Fact]
    public async Task Pipelined_GETs_are_answered_in_order()
    {
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            while (true)
            {
                var target = Raw.Target(await connection.ReadRequestAsync());
                await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {target.Length}\r\n\r\n{target}");
            }
        }));

        var response = await wire.SendAsync("GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\nGET /three HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.Equal(3, Raw.Responses(response));
        Assert.Matches("(?s)/one.*/two.*/three$", response);
        Assert.Equal(["/one", "/two", "/three"], wire.Upstream.Requests.Select(Raw.Target));
    }

    [Fact]
    public async Task What_follows_a_body_of_known_length_is_the_next_request_and_not_part_of_the_first()
    {
        await using var wire = await StartAsync();

        await wire.SendAsync(Post("Content-Length: 3\r\n", "abc" + "GET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));

        Assert.Equal(2, wire.Upstream.Requests.Count);
        Assert.Equal("abc", Raw.Body(wire.Upstream.Requests[0]));
        Assert.Equal("/two", Raw.Target(wire.Upstream.Requests[1]));
    }
}

public sealed class SmugglingOverHttpClientTests : SmugglingTests
{
    protected override bool OverHttpClient => true;
}
