using System.Text;
using static ProxyKit.Tests.FastCgi.Records;

namespace ProxyKit.Tests.FastCgi;

/// <summary>What an application is sent.</summary>
public class RequestTests
{
    [Fact]
    public async Task A_request_alone_says_what_CGI_demands()
    {
        var request = await SendAsync(new(HttpMethod.Get, "http://example.com:81/a%20b/c.php?x=%20&y"));

        Assert.Equal("CGI/1.1", request["GATEWAY_INTERFACE"]);
        Assert.Equal("GET", request["REQUEST_METHOD"]);
        Assert.Equal("/a%20b/c.php?x=%20&y", request["REQUEST_URI"]);
        Assert.Equal("x=%20&y", request["QUERY_STRING"]);
        Assert.Equal("/a b/c.php", request["SCRIPT_NAME"]);
        Assert.Equal("HTTP/1.1", request["SERVER_PROTOCOL"]);
        Assert.Equal("ProxyKit", request["SERVER_SOFTWARE"]);
        Assert.Equal("example.com", request["SERVER_NAME"]);
        Assert.Equal("81", request["SERVER_PORT"]);
        Assert.Equal("http", request["REQUEST_SCHEME"]);
        Assert.Null(request["HTTPS"]);
        Assert.Equal("127.0.0.1", request["REMOTE_ADDR"]);
        Assert.Equal("200", request["REDIRECT_STATUS"]);
        Assert.Equal("example.com:81", request["HTTP_HOST"]);
        Assert.Equal("", request["CONTENT_TYPE"]);
        Assert.Equal("", request["CONTENT_LENGTH"]);
        Assert.Empty(request.Input);
    }

    [Fact]
    public async Task Https_and_no_query_are_told()
    {
        var message = new HttpRequestMessage(HttpMethod.Get, "https://example.com/") { Version = new(2, 0) };
        message.Headers.Host = "other:8443";

        var request = await SendAsync(message);

        Assert.Equal(("on", "https", "443"), (request["HTTPS"], request["REQUEST_SCHEME"], request["SERVER_PORT"]));
        Assert.Equal(("other", "other:8443"), (request["SERVER_NAME"], request["HTTP_HOST"]));
        Assert.Equal("HTTP/2.0", request["SERVER_PROTOCOL"]);
        Assert.Equal("", request["QUERY_STRING"]);
    }

    [Fact]
    public async Task What_is_given_wins_and_an_empty_value_takes_away()
    {
        var message = new HttpRequestMessage(HttpMethod.Post, "http://localhost/x?y") { Content = new StringContent("body") };
        message.Headers.Add("X-Tag", "from the header");
        message.Headers.Add("X-Gone", "from the header");
        message.Options.Set(FastCgiHandler.Parameters,
        [
            new("SCRIPT_FILENAME", "/srv/é.php"), new("REQUEST_URI", "/raw"), new("HTTP_X_TAG", "given"), new("HTTP_X_GONE", ""), new("REDIRECT_STATUS", ""), new("SERVER_SOFTWARE", ""),
            new("QUERY_STRING", ""), new("SCRIPT_NAME", ""), new("CONTENT_LENGTH", "1000"), new("CONTENT_TYPE", "given/type"), new("TWICE", "first"), new("TWICE", "last"), new("", "nameless"),
        ]);

        var request = await SendAsync(message);

        Assert.Equal("/srv/é.php", Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(request["SCRIPT_FILENAME"]!)));
        Assert.Equal("/raw", request["REQUEST_URI"]);
        Assert.Equal("given", request["HTTP_X_TAG"]);
        Assert.Equal("given/type", request["CONTENT_TYPE"]);
        Assert.Equal("last", request["TWICE"]);
        Assert.Equal("4", request["CONTENT_LENGTH"]); // or php would wait for the rest
        Assert.Equal(("", ""), (request["QUERY_STRING"], request["SCRIPT_NAME"]));
        Assert.DoesNotContain(request.Parameters, p => p.Key is "HTTP_X_GONE" or "REDIRECT_STATUS" or "SERVER_SOFTWARE" or "");
        Assert.Equal(request.Parameters.Count, request.Parameters.DistinctBy(p => p.Key).Count());
    }

    [Fact]
    public async Task Fields_become_variables()
    {
        var message = new HttpRequestMessage(HttpMethod.Get, "http://localhost/");
        message.Headers.TryAddWithoutValidation("Cookie", ["a=1", "b=2"]);
        message.Headers.TryAddWithoutValidation("X-Several", ["1", "2"]);
        message.Headers.TryAddWithoutValidation("Authorization", "Basic abc");
        message.Headers.TryAddWithoutValidation("x-lower-123", "\xe9\xff");
        message.Headers.TryAddWithoutValidation("Accept", "*/*");
        foreach (var name in new[] { "Proxy", "Connection", "Keep-Alive", "TE", "Upgrade", "Transfer-Encoding", "Proxy-Authorization", "X_Under", "X.Dot", "X!", "Expect" })
            message.Headers.TryAddWithoutValidation(name, name == "Expect" ? "100-continue" : "x");

        var request = await SendAsync(message);

        Assert.Equal(
            ["HTTP_ACCEPT=*/*", "HTTP_AUTHORIZATION=Basic abc", "HTTP_COOKIE=a=1; b=2", "HTTP_HOST=localhost", "HTTP_X_LOWER_123=\xe9\xff", "HTTP_X_SEVERAL=1, 2"],
            request.Parameters.Where(p => p.Key.StartsWith("HTTP_", StringComparison.Ordinal)).Select(p => $"{p.Key}={p.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_contents_type_and_length_have_variables_of_their_own()
    {
        var content = new ByteArrayContent(Encoding.ASCII.GetBytes("a=1&b=2"));
        content.Headers.ContentType = new("application/x-www-form-urlencoded");
        content.Headers.ContentEncoding.Add("identity");

        var request = await SendAsync(new(HttpMethod.Post, "http://localhost/") { Content = content });

        Assert.Equal("application/x-www-form-urlencoded", request["CONTENT_TYPE"]);
        Assert.Equal("7", request["CONTENT_LENGTH"]);
        Assert.Equal("identity", request["HTTP_CONTENT_ENCODING"]);
        Assert.Null(request["HTTP_CONTENT_TYPE"]);
        Assert.Null(request["HTTP_CONTENT_LENGTH"]);
        Assert.Equal("a=1&b=2", Encoding.ASCII.GetString(request.Input));
    }

    [Fact]
    public async Task A_small_request_is_sent_at_once()
    {
        var app = FastCgiApp.Answering(Answer("X: y\n\n"));

        using var response = await app.SendAsync(new(HttpMethod.Post, "http://localhost/") { Content = new ByteArrayContent(new byte[8000]) });

        Assert.Equal(1, app.Connections.Last.Sends);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8000)]
    [InlineData(32_768)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    [InlineData(3_000_000)]
    public async Task A_body_arrives_as_it_was(int size)
    {
        var body = new byte[size];
        new Random(1).NextBytes(body);
        foreach (var content in new HttpContent[] { new ByteArrayContent(body), new StreamContent(new MemoryStream(body)), new UnknownLengthContent(body) })
        {
            var request = await SendAsync(new(HttpMethod.Put, "http://localhost/") { Content = content });

            Assert.Equal(size.ToString(), request["CONTENT_LENGTH"]);
            Assert.Equal(body, request.Input);
            Assert.Equal((5, 0), request.Records[^1]);
            Assert.Equal(1, request.Records.Count(r => r == (5, 0)));
        }
    }

    [Fact]
    public async Task A_content_of_unknown_length_is_refused_where_it_is_too_long_to_be_kept()
    {
        var app = new FastCgiApp(new(FastCgiApp.Replying(Answer("X: y\n\n"))), configure: settings => settings with { MaxBufferedContent = 1000 });

        using var response = await app.SendAsync(new(HttpMethod.Put, "http://localhost/") { Content = new UnknownLengthContent(new byte[1000]) });
        var exception = await Assert.ThrowsAsync<HttpRequestException>(() => app.SendAsync(new(HttpMethod.Put, "http://localhost/") { Content = new UnknownLengthContent(new byte[1001]) }));

        Assert.Equal((ProxyError.RequestRejected, FailureClass.Client), ReplyTests.Upstream(exception));
        Assert.Equal(1, app.Connections.Rented); // while it is being read nobody is kept from the connection
    }

    [Theory]
    [InlineData(10, 9)]
    [InlineData(10, 11)]
    [InlineData(100_000, 99_999)]
    [InlineData(100_000, 100_001)]
    public async Task A_content_of_another_length_than_it_says_fails_and_the_connection_is_closed(int announced, int size)
    {
        var app = new FastCgiApp(new(async connection =>
        {
            await connection.ReadParametersAsync();
            await Assert.ThrowsAsync<EndOfStreamException>(async () => await connection.ReadInputAsync(new()));
        }));
        var content = new UnknownLengthContent(new byte[size]);
        content.Headers.ContentLength = announced;

        await Assert.ThrowsAsync<HttpRequestException>(() => app.SendAsync(new(HttpMethod.Post, "http://localhost/") { Content = content }));

        await app.Connections.Last.Released;
        Assert.True(app.Connections.Last.IsDisposed);
        Assert.Equal(0, app.Connections.Last.Returns);
    }

    [Fact]
    public async Task A_pair_is_never_split_between_records()
    {
        // 1.2 MB; the reader fails at a split pair.
        var parameters = Enumerable.Range(0, 40).Select(i => new KeyValuePair<string, string>($"P{i}", new string((char)('a' + i % 26), 30_000 + i))).ToArray();
        var message = new HttpRequestMessage(HttpMethod.Get, "http://localhost/");
        message.Options.Set(FastCgiHandler.Parameters, parameters);

        var request = await SendAsync(message);

        Assert.All(parameters, p => Assert.Equal(p.Value, request[p.Key]));
        Assert.True(request.Records.Count(r => r.Type == 4) > 19);
    }

    [Fact]
    public async Task A_pair_that_fits_no_record_is_refused_before_anything_is_sent()
    {
        // One byte for the name's length, four for the value's.
        var largest = new string('v', 65_535 - 5 - "HTTP_X_LARGE".Length);
        var request = await SendAsync(With(largest));
        Assert.Equal(largest, request["HTTP_X_LARGE"]);
        Assert.Contains(request.Records, r => r == (4, 65_535));

        var app = FastCgiApp.Answering(Answer("X: y\n\n"));
        var exception = await Assert.ThrowsAsync<HttpRequestException>(() => app.SendAsync(With(largest + "v")));

        var upstream = Assert.IsType<ProxyKit.Forwarding.UpstreamException>(exception.InnerException);
        Assert.Equal((ProxyError.RequestRejected, FailureClass.Client, 431), (upstream.Error, upstream.FailureClass, upstream.Status));
        Assert.Equal(0, app.Connections.Rented);

        static HttpRequestMessage With(string value)
        {
            var message = new HttpRequestMessage(HttpMethod.Get, "http://localhost/");
            message.Headers.TryAddWithoutValidation("X-Large", value);
            return message;
        }
    }

    [Theory]
    [InlineData(127)]
    [InlineData(128)]
    public async Task Lengths_change_their_form_at_128(int length)
    {
        var (name, value) = (new string('N', length), new string('v', length));
        var message = new HttpRequestMessage(HttpMethod.Get, "http://localhost/");
        message.Options.Set(FastCgiHandler.Parameters, [new(name, value)]);

        Assert.Equal(value, (await SendAsync(message))[name]);
    }

    [Theory]
    [InlineData("http://localhost:9000")]
    [InlineData("localhost:9000")]
    [InlineData("fastcgi://localhost:9000/base")]
    [InlineData("")]
    public void An_address_that_is_none_is_said_at_once(string address) => Assert.Throws<ArgumentException>(() => new FastCgiHandler(address));

    [Fact]
    public async Task Options_that_are_none_are_said_at_once()
    {
        const string address = "fastcgi://unix:/run/app.sock";
        Assert.Throws<ArgumentOutOfRangeException>(() => new FastCgiHandler(address) { ConnectTimeout = TimeSpan.Zero });
        Assert.Throws<ArgumentOutOfRangeException>(() => new FastCgiHandler(address) { IdleTimeout = TimeSpan.FromSeconds(-1) });
        Assert.Throws<ArgumentOutOfRangeException>(() => new FastCgiHandler(address) { MaxBufferedContent = -1 });
        Assert.Throws<ArgumentNullException>(() => new FastCgiHandler(address) { Connections = null! });
        Assert.Throws<ArgumentNullException>(() => new FastCgiHandler(address) { Logger = null! });
        Assert.Throws<ArgumentNullException>(() => new FastCgiHandler(address) { TimeProvider = null! });
        using var invoker = new HttpMessageInvoker(new FastCgiHandler(address) { IdleTimeout = Timeout.InfiniteTimeSpan });
        await Assert.ThrowsAsync<InvalidOperationException>(() => invoker.SendAsync(new(HttpMethod.Get, "/relative"), default));
    }

    private static async Task<SentRequest> SendAsync(HttpRequestMessage message)
    {
        SentRequest? request = null;
        using var app = new FastCgiApp(new(async connection =>
        {
            request = await connection.ReadRequestAsync();
            await connection.WriteAsync(Answer("X: y\n\n"));
        }));
        using var response = await app.SendAsync(message);
        return request!;
    }

    /// <summary>As JSON or a form with files is.</summary>
    private sealed class UnknownLengthContent(byte[] body) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            foreach (var chunk in body.Chunk(5000))
            {
                await Task.Yield();
                await stream.WriteAsync(chunk);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
