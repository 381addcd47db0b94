namespace ProxyKit.IntegrationTests.Wire;

/// <summary>What upstreams reply (acceptance/forwarding.md, 4e).</summary>
public class ReplyTests : WireTests
{
    private static string Reply(string headers, string body) => $"HTTP/1.1 200 OK\r\n{headers}\r\n{body}";

    public static TheoryData<string, string> NotHttp => new()
    {
        { "CL dup differ", Reply("Content-Length: 4\r\nContent-Length: 2\r\n", "okok") },
        { "CL -1", Reply("Content-Length: -1\r\n", "ok") },
        { "CL list that differs", Reply("Content-Length: 4, 2\r\n", "okok") },
        { "CL +2", Reply("Content-Length: +2\r\n", "ok") },
        { "CL 0x2", Reply("Content-Length: 0x2\r\n", "ok") },
        { "CL 2 2", Reply("Content-Length: 2 2\r\n", "ok") },
        { "CL empty", Reply("Content-Length:\r\n", "ok") },
        { "CL 2^64+2", Reply("Content-Length: 18446744073709551618\r\n", "ok") },
        { "header name that is no token", Reply("X(A): b\r\nContent-Length: 2\r\n", "ok") },
        { "HTTP/2.0", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok" },
        { "http/1.1", "http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
        { "status 1000", "HTTP/1.1 1000 OK\r\nContent-Length: 2\r\n\r\nok" },
        { "status -20", "HTTP/1.1 -20 OK\r\nContent-Length: 2\r\n\r\nok" },
        { "two spaces before the status", "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok" },
        { "TE: xchunked", Reply("Transfer-Encoding: xchunked\r\n", "2\r\nok\r\n0\r\n\r\n") },
        { "TE: gzip, chunked", Reply("Transfer-Encoding: gzip, chunked\r\n", "2\r\nok\r\n0\r\n\r\n") },
        { "TE: chunked, gzip", Reply("Transfer-Encoding: chunked, gzip\r\n", "2\r\nok\r\n0\r\n\r\n") },
        { "TE: identity", Reply("Transfer-Encoding: identity\r\n", "ok") },
        { "TE: identity + CL", Reply("Transfer-Encoding: identity\r\nContent-Length: 2\r\n", "ok") },
        { "TE: gzip + CL", Reply("Transfer-Encoding: gzip\r\nContent-Length: 2\r\n", "ok") },
        { "TE twice", Reply("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n") },
        { "TE: chunked, chunked", Reply("Transfer-Encoding: chunked, chunked\r\n", "2\r\nok\r\n0\r\n\r\n") },
        { "TE with a control", Reply("Transfer-Encoding: \vchunked\r\n", "2\r\nok\r\n0\r\n\r\n") },
        { "HTTP/0.9", "hello\n" },
        { "SSH banner", "SSH-2.0-OpenSSH_9.2\r\n" },
        { "status 99", "HTTP/1.1 99 Odd\r\nContent-Length: 2\r\n\r\nok" },
        { "status 20x", "HTTP/1.1 20x Odd\r\nContent-Length: 2\r\n\r\nok" },
        { "header 70 KB", Reply($"X-A: {new string('a', 70 * 1024)}\r\nContent-Length: 2\r\n", "ok") },
        { "header section without end", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" },
        { "nothing at all", "" },
        { "unsolicited 101", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw" },
        { "101 without Upgrade", "HTTP/1.1 101 Switching Protocols\r\n\r\nraw" },
        { "bad first chunk", Reply("Transfer-Encoding: chunked\r\n", "xyz\r\nok\r\n0\r\n\r\n") },
        { "bad first chunk: +2", Reply("Transfer-Encoding: chunked\r\n", "+2\r\nok\r\n0\r\n\r\n") },
        { "bad first chunk: 0x2", Reply("Transfer-Encoding: chunked\r\n", "0x2\r\nok\r\n0\r\n\r\n") },
        { "bad first chunk: -2", Reply("Transfer-Encoding: chunked\r\n", "-2\r\nok\r\n0\r\n\r\n") },
        { "bad first chunk: empty", Reply("Transfer-Encoding: chunked\r\n", "\r\nok\r\n0\r\n\r\n") },
        { "bad first chunk: overflow", Reply("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nok\r\n0\r\n\r\n") },
        { "none of a CL body", Reply("Content-Length: 2\r\n", "") },
        { "header line without colon", Reply("Nonsense\r\nContent-Length: 2\r\n", "ok") },
    };

    [Theory, MemberData(nameof(NotHttp))]
    public async Task That_is_not_sound_HTTP_is_502_and_none_of_it_reaches_the_client(string row, string reply)
    {
        await using var wire = await StartAsync(reply);

        var response = await wire.GetAsync("/");

        Assert.True(Raw.Status(response) == 502, $"{row}: {response}");
        Assert.Equal("", Raw.Body(response));
        Assert.Equal("0", Raw.Value(response, "Content-Length"));
        Assert.False(Raw.Has(response, "X-A"));
        Assert.False(Raw.Has(response, "Upgrade"));
    }

    public static TheoryData<string, string> Lenient => new()
    {
        { "Content-Length : 2", Reply("Content-Length : 2\r\n", "ok") },
        { "Transfer-Encoding : chunked", Reply("Transfer-Encoding : chunked\r\n", "2\r\nok\r\n0\r\n\r\n") },
        { "bad first chunk: bare LF", Reply("Transfer-Encoding: chunked\r\n", "2\nok\r\n0\r\n\r\n") },
    };

    // RFC 9112 §5.1 lets a proxy choose for the first two.
    [Theory, MemberData(nameof(Lenient))]
    public async Task That_only_HttpClient_understands_is_502_or_framed_anew(string row, string reply)
    {
        await using var wire = await StartAsync(reply);

        var response = await wire.GetAsync("/");

        Assert.True(Raw.Status(response) == (OverHttpClient ? 200 : 502), $"{row}: {response}");
        Assert.Equal(!OverHttpClient ? "" : Raw.Has(response, "Content-Length") ? "ok" : "2\r\nok\r\n0\r\n\r\n", Raw.Body(response));
    }

    public static TheoryData<string, string, string> Sound => new()
    {
        { "CL+TE: TE wins", Reply("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n"), "2\r\nok\r\n0\r\n\r\n" },
        { "TE in capitals", Reply("transfer-encoding: Chunked\r\n", "2\r\nok\r\n0\r\n\r\n"), "2\r\nok\r\n0\r\n\r\n" },
        { "close-delimited", Reply("", "ok"), "2\r\nok\r\n0\r\n\r\n" },
        { "HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nok", "2\r\nok\r\n0\r\n\r\n" },
        { "empty chunked", Reply("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), "" },
        { "empty close-delimited", Reply("", ""), "" },
        { "chunk extensions", Reply("Transfer-Encoding: chunked\r\n", "2;a=b\r\nok\r\n0;c\r\n\r\n"), "2\r\nok\r\n0\r\n\r\n" },
        { "CL 0", Reply("Content-Length: 0\r\n", ""), "" },
        { "CL", Reply("Content-Length: 2\r\n", "ok"), "ok" },
        { "103 first", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + Reply("Content-Length: 2\r\n", "ok"), "ok" },
        { "many 1xx first", string.Concat(Enumerable.Repeat("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n", 8)) + Reply("Content-Length: 2\r\n", "ok"), "ok" },
        { "1xx with CL", "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + Reply("Content-Length: 2\r\n", "ok"), "ok" },
        { "100 unasked", "HTTP/1.1 100 Continue\r\n\r\n" + Reply("Content-Length: 2\r\n", "ok"), "ok" },
        { "500 headers", Reply(string.Concat(Enumerable.Range(0, 500).Select(i => $"X-{i}: a\r\n")) + "Content-Length: 2\r\n", "ok"), "ok" },
        { "bare LF lines", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "ok" },
        { "no reason phrase", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok" },
    };

    [Theory, MemberData(nameof(Sound))]
    public async Task That_is_sound_is_framed_anew(string row, string reply, string body)
    {
        await using var wire = await StartAsync(reply);

        var response = Raw.Final(await wire.GetAsync("/"));

        Assert.True(Raw.Status(response) == 200, $"{row}: {response}");
        Assert.Equal(1, Raw.Responses(response));
        Assert.Equal(body, body.Length == 0 && Raw.Has(response, "Transfer-Encoding") ? Raw.Body(response).Replace("0\r\n\r\n", "", StringComparison.Ordinal) : Raw.Body(response));
        Assert.NotEqual(Raw.Has(response, "Content-Length"), Raw.Has(response, "Transfer-Encoding"));
    }

    public static TheoryData<string, string, string, string?> WithoutBody => new()
    {
        { "204 + CL", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", null },
        { "204 + CL 0", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", null },
        { "204 + TE", "GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", null },
        { "205 + CL", "GET", "HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello", "0" },
        { "205 + CL 0", "GET", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", "0" },
        { "304 + CL", "GET", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n", "5" },
        { "304", "GET", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", null },
        { "HEAD + CL", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "5" },
        { "HEAD + TE", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", null },
        { "HEAD, 404 + CL", "HEAD", "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n", "5" },
        { "HEAD with a body", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "5" },
    };

    [Theory, MemberData(nameof(WithoutBody))]
    public async Task Without_a_body_keeps_the_connection_in_step(string row, string method, string reply, string? length)
    {
        var requests = 0;
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync(Interlocked.Increment(ref requests) == 1 ? reply : WireProxy.Ok);
        }));

        var response = await wire.SendAsync($"{method} / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        var next = response.LastIndexOf("HTTP/1.1 ", StringComparison.Ordinal);
        var first = response[..next];
        Assert.True(first.Split(' ')[1] == reply.Split(' ')[1], $"{row}: {response}");
        Assert.Equal("", Raw.Body(first));
        // 205 needs an explicit end (RFC 9110 §15.3.6); 1xx and 204 must not have one (§8.6).
        Assert.Equal(length, Raw.Value(first, "Content-Length"));
        Assert.Equal("ok", Raw.Body(response[next..]));
    }

    [Fact]
    public async Task Bytes_behind_the_end_of_a_response_never_become_the_next_one()
    {
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            while (true)
            {
                var target = Raw.Target(await connection.ReadRequestAsync());
                await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{target}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
            }
        }));

        for (var i = 0; i < 4; i++)
        {
            var response = await wire.GetAsync($"/{i}{i}{i}");
            Assert.Equal($"/{i}{i}{i}", Raw.Body(response));
        }
        Assert.Equal(4, wire.Upstream.Connections);
    }

    [Theory]
    [InlineData("NUL", "a\0b")]
    [InlineData("0x01", "a\u0001b")]
    [InlineData("0x7f", "a\u007fb")]
    [InlineData("bare CR", "a\rb")]
    [InlineData("escape", "a\u001bb")]
    public async Task A_control_in_a_header_is_made_a_space(string row, string value)
    {
        await using var wire = await StartAsync(Reply($"X-A: {value}\r\nContent-Length: 2\r\n", "ok"));

        var response = await wire.GetAsync("/");

        Assert.True(Raw.Status(response) == 200, $"{row}: {response}");
        Assert.Equal("a b", Raw.Value(response, "X-A"));
    }

    [Fact]
    public async Task A_folded_header_is_never_passed_on_folded()
    {
        await using var wire = await StartAsync(Reply("X-A: a\r\n  b\r\nContent-Length: 2\r\n", "ok"));

        var response = await wire.GetAsync("/");

        // RFC 9112 §5.2 leaves the choice.
        Assert.DoesNotContain("\r\n ", response, StringComparison.Ordinal);
        if (Raw.Status(response) != 502)
            Assert.Equal("a b", System.Text.RegularExpressions.Regex.Replace(Raw.Value(response, "X-A")!, " +", " "));
    }

    [Theory]
    [InlineData("Location: http://{upstream}/x?y#z", "Location: http://public.example/x?y#z")]
    [InlineData("Location: //{upstream}/x", "Location: http://public.example/x")]
    [InlineData("Content-Location: http://{upstream}/x", "Content-Location: http://public.example/x")]
    [InlineData("Refresh: 5; url=http://{upstream}/x", "Refresh: 5; url=http://public.example/x")]
    [InlineData("Location: http://elsewhere.example/x", "Location: http://elsewhere.example/x")]
    [InlineData("Location: /x", "Location: /x")]
    [InlineData("Location: //elsewhere.example/x", "Location: //elsewhere.example/x")]
    [InlineData("Set-Cookie: a=b; Domain=127.0.0.1; Path=/; HttpOnly", "Set-Cookie: a=b; Path=/; HttpOnly")]
    [InlineData("Set-Cookie: a=b; Domain=.elsewhere.example", "Set-Cookie: a=b; Domain=.elsewhere.example")]
    public async Task Internal_addresses_become_public_ones(string sent, string expected)
    {
        string? reply = null;
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync(reply!);
        }));
        reply = $"HTTP/1.1 302 Found\r\n{sent.Replace("{upstream}", $"127.0.0.1:{wire.Upstream.Port}", StringComparison.Ordinal)}\r\nContent-Length: 0\r\n\r\n";

        var response = await wire.GetAsync("/");

        Assert.Contains($"\r\n{expected}\r\n", response, StringComparison.Ordinal);
        Assert.DoesNotContain($"{wire.Upstream.Port}", response, StringComparison.Ordinal);
    }

    // A backend that puts the request's path into its redirects must not send the client to another host.
    [Theory]
    [InlineData("/base//evil.com/x")]
    [InlineData("/base/\\evil.com/x")]
    [InlineData("/base///evil.com/x")]
    [InlineData("/base/\t/evil.com/x")]
    public async Task A_path_in_Location_never_becomes_a_host(string location)
    {
        await using var wire = await StartAsync(new RawUpstream($"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"), "/base");

        var response = await wire.GetAsync("//evil.com/x");

        Assert.DoesNotMatch(@"^/[/\\\t]", Raw.Value(response, "Location"));
    }

    [Fact]
    public async Task What_runs_behind_the_proxy_is_hidden()
    {
        await using var wire = await StartAsync(Reply("Server: Apache/2.2\r\nX-Powered-By: PHP/5\r\nX-AspNet-Version: 1\r\nX-AspNetMvc-Version: 2\r\nContent-Length: 2\r\n", "ok"));

        var response = await wire.GetAsync("/");

        foreach (var name in new[] { "Server", "X-Powered-By", "X-AspNet-Version", "X-AspNetMvc-Version" })
            Assert.False(Raw.Has(response, name), name);
    }

    [Theory]
    [InlineData("gzip", "this is no gzip")]
    [InlineData("br", "nor this brotli")]
    [InlineData("gzip, unknown", "junk")]
    public async Task Content_that_is_encoded_unasked_passes_untouched(string coding, string body)
    {
        await using var wire = await StartAsync(Reply($"Content-Encoding: {coding}\r\nContent-Length: {body.Length}\r\n", body));

        var response = await wire.GetAsync("/");

        Assert.Equal([coding], Raw.Values(response, "Content-Encoding"));
        Assert.Equal([$"{body.Length}"], Raw.Values(response, "Content-Length"));
        Assert.Equal(body, Raw.Body(response));
        Assert.False(Raw.Has(wire.Forwarded, "Accept-Encoding"));
    }

    [Theory]
    [InlineData("none sent", "")]
    [InlineData("sent", "X-Checksum: abc\r\n")]
    public async Task Trailers_are_not_announced_to_a_client_that_gets_none(string row, string trailer)
    {
        await using var wire = await StartAsync(Reply("Trailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n", $"2\r\nok\r\n0\r\n{trailer}\r\n"));

        var response = await wire.GetAsync("/");

        Assert.False(Raw.Has(response, "Trailer"), row);
        Assert.Equal("2\r\nok\r\n0\r\n\r\n", Raw.Body(response));
    }

    [Theory]
    [InlineData("Date: Tue, 15 Nov 1994 08:12:31 GMT")]
    [InlineData("Date: not a date")]
    [InlineData("Age: 77")]
    [InlineData("Expires: -1")]
    [InlineData("ETag: unquoted")]
    [InlineData("Last-Modified: ?")]
    [InlineData("Content-Type: ///")]
    [InlineData("Vary: ,,")]
    [InlineData("Allow: get, ,X")]
    [InlineData("Retry-After: soon")]
    [InlineData("WWW-Authenticate: Negotiate, Basic realm=\"a, b\"")]
    [InlineData("Content-Disposition: attachment; filename=\"\u00e9\"")]
    [InlineData("Accept-Ranges: bytes")]
    [InlineData("X-Empty: ")]
    [InlineData("Link: <a>; rel=x, <b>; rel=y")]
    public async Task A_value_is_not_parsed_on_its_way_to_the_client(string header)
    {
        await using var wire = await StartAsync(Reply($"{header}\r\nContent-Length: 2\r\n", "ok"));

        var response = await wire.GetAsync("/");

        Assert.Contains($"\r\n{header}\r\n", response, StringComparison.Ordinal);
        Assert.Single(Raw.Values(response, header.Split(':')[0]));
    }

    [Theory]
    [InlineData(200, "Fine")]
    [InlineData(299, "")]
    [InlineData(404, "Niet gevonden")]
    [InlineData(418, "I'm a teapot")]
    [InlineData(599, "Odd")]
    public async Task Status_and_reason_phrase_are_kept(int status, string reason)
    {
        await using var wire = await StartAsync($"HTTP/1.1 {status} {reason}\r\nContent-Length: 2\r\n\r\nok");

        var response = await wire.GetAsync("/");

        Assert.StartsWith($"HTTP/1.1 {status} {reason}\r\n", response);
    }

    [Fact]
    public async Task A_partial_response_passes()
    {
        await using var wire = await StartAsync("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-2/9\r\nContent-Length: 2\r\n\r\nok");

        var response = await wire.GetAsync("/", "Range: bytes=1-2", "If-Range: \"a\"");

        Assert.Equal(206, Raw.Status(response));
        Assert.Equal(["bytes 1-2/9"], Raw.Values(response, "Content-Range"));
        Assert.Equal(["bytes=1-2"], Raw.Values(wire.Forwarded, "Range"));
        Assert.Equal(["\"a\""], Raw.Values(wire.Forwarded, "If-Range"));
    }
}

public sealed class ReplyOverHttpClientTests : ReplyTests
{
    protected override bool OverHttpClient => true;
}
