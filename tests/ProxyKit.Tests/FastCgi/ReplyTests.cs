using System.Net;
using System.Text;
using ProxyKit.Forwarding;
using static ProxyKit.Tests.FastCgi.Records;

namespace ProxyKit.Tests.FastCgi;

/// <summary>What applications answer, right and wrong.</summary>
public class ReplyTests
{
    [Theory]
    [InlineData("Status: 404 Not Found\r\nContent-type: text/plain\r\n\r\nhi", 404, "hi")]
    [InlineData("X-Powered-By: PHP\r\nStatus: 599\r\n\r\nhi", 599, "hi")]
    [InlineData("Content-type: text/html\r\n\r\nhi", 200, "hi")]
    [InlineData("Location: /there\r\n\r\n", 302, "")]
    [InlineData("Location: /there\r\nStatus: 201 Created\r\n\r\n", 201, "")]
    [InlineData("Content-type: text/plain\n\nline\r\n\r\n", 200, "line\r\n\r\n")]
    [InlineData("Content-type: text/plain\nX: y\r\n\r\nhi", 200, "hi")]
    [InlineData("STATUS:204\n\n", 204, "")]
    [InlineData("Content-Length: 2\n\nhi", 200, "hi")]
    [InlineData("Content-Length: 2\nContent-Length: 2\n\nhi", 200, "hi")]
    [InlineData("X:\n\n", 200, "")]
    [InlineData("\n", 200, "")]
    [InlineData("\r\nX: a\r\n\r\n", 200, "X: a\r\n\r\n")]
    [InlineData("Status: 103 Early Hints\r\nLink: </a.css>\r\n\r\nStatus: 201\r\n\r\nhi", 201, "hi")]
    [InlineData("Status: 100 Continue\r\n\r\nStatus: 103\r\n\r\nX: y\r\n\r\nhi", 200, "hi")]
    public async Task The_head_gives_the_status_and_the_rest_is_the_body(string output, int status, string body)
    {
        using var app = FastCgiApp.Answering(Answer(output));

        Assert.Equal((status, body), await app.GetTextAsync());
    }

    [Fact]
    public async Task The_reason_and_the_fields_are_passed_on_and_the_status_field_is_not()
    {
        using var app = FastCgiApp.Answering(Answer(
            "Status: 404 Gone fishing\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nAuthorization: Bearer x\r\nLast-Modified: never\r\nX-Latin: \xe9\r\nContent-Length: 0\r\n\r\n"));

        using var response = await app.GetAsync();

        Assert.Equal("Gone fishing", response.ReasonPhrase);
        Assert.Equal(["a=1", "b=2"], response.Headers.GetValues("Set-Cookie"));
        Assert.Equal(["Bearer x"], response.Headers.GetValues("Authorization"));
        Assert.Equal(["never"], response.Content.Headers.NonValidated["Last-Modified"]);
        Assert.Equal(["\xe9"], response.Headers.GetValues("X-Latin"));
        Assert.Equal(0, response.Content.Headers.ContentLength);
        Assert.False(response.Headers.Contains("Status"));
        Assert.Equal(5, response.Headers.NonValidated.Count + response.Content.Headers.NonValidated.Count);
    }

    [Theory]
    [InlineData("abc")]
    [InlineData("99")]
    [InlineData("1000")]
    [InlineData("600")]
    [InlineData("099 Low")]
    [InlineData("101 Switching Protocols")]
    [InlineData("100 Continue")]
    [InlineData("103")]
    [InlineData("20")]
    [InlineData("200OK")]
    [InlineData("-200")]
    [InlineData("")]
    [InlineData("200\nStatus: 404")]
    public async Task A_status_that_is_none_is_refused(string status)
    {
        using var app = FastCgiApp.Answering(Answer($"Status: {status}\r\nContent-type: text/plain\r\n\r\nhi"));

        await app.FailsAsync(HttpRequestError.InvalidResponse);
    }

    [Fact]
    public async Task What_is_refused_is_repeated_in_part_and_without_what_terminals_obey()
    {
        using var app = FastCgiApp.Answering(Answer($"Status: \u009b31m{new string('x', 60_000)}\r\n\r\nhi"));

        var message = (await app.FailsAsync(HttpRequestError.InvalidResponse)).Message;

        Assert.InRange(message.Length, 1, 400);
        Assert.DoesNotContain('\u009b', message);
        Assert.Contains(" 31mxxx", message);
    }

    [Theory]
    [InlineData("X: a\rSet-Cookie: b=2\r\n\r\n")] // a bare CR
    [InlineData("X: a\r\r\n\r\n")]
    [InlineData("X: a\0b\r\n\r\n")]
    [InlineData("X: a\x01b\r\n\r\n")]
    [InlineData("X: a\x7f\r\n\r\n")]
    [InlineData("X: a\r\n folded\r\n\r\n")]
    [InlineData("X: a\r\n\tfolded: b\r\n\r\n")]
    [InlineData("X : a\r\n\r\n")]
    [InlineData(" X: a\r\n\r\n")]
    [InlineData("no colon\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nX: a\r\n\r\n")]
    [InlineData(": a\r\n\r\n")]
    [InlineData("X\xe9: a\r\n\r\n")]
    [InlineData("<html>\n\n")]
    [InlineData("Content-Length: ten\n\n")]
    [InlineData("Content-Length: -1\n\n")]
    [InlineData("Content-Length: 2, 2\n\nhi")]
    [InlineData("Content-Length: 99999999999999999999\n\n")]
    [InlineData("Content-Length: 2\nContent-Length: 3\n\nhi")]
    public async Task A_head_that_is_none_is_refused(string output)
    {
        using var app = FastCgiApp.Answering(Answer(output));

        var exception = await app.FailsAsync(HttpRequestError.InvalidResponse);

        Assert.Equal((ProxyError.InvalidResponse, FailureClass.Answered), Upstream(exception));
    }

    [Fact]
    public async Task An_end_before_the_head_is_complete_is_refused()
    {
        foreach (var output in new[] { "", "Content-type: text/plain\r\n", "X: a" })
        {
            using var app = FastCgiApp.Answering(output.Length == 0 ? End() : Answer(output));

            await app.FailsAsync(HttpRequestError.InvalidResponse);
        }
    }

    [Fact]
    public async Task A_connection_that_is_closed_in_the_head_is_refused()
    {
        using var app = new FastCgiApp(new(FastCgiApp.ReplyingAndClosing(Output("Content-type: text/pl"))));

        await app.FailsAsync(HttpRequestError.InvalidResponse);
    }

    [Fact]
    public async Task A_connection_that_is_closed_before_the_answer_is_one_that_gave_none()
    {
        using var app = new FastCgiApp(new(FastCgiApp.ReplyingAndClosing([])));

        var exception = await app.FailsAsync(HttpRequestError.ResponseEnded);

        Assert.Equal((ProxyError.Request, FailureClass.Unanswered), Upstream(exception));
    }

    [Fact]
    public async Task A_head_may_have_64_KB_and_2000_fields()
    {
        foreach (var (head, isAllowed) in new[]
        {
            (Field(65_536), true),
            (Field(65_537), false),
            (Field(70_000), false),
            (string.Concat(Enumerable.Range(0, 2000).Select(i => $"X-{i}: a\n")) + "\n", true),
            (string.Concat(Enumerable.Range(0, 2001).Select(i => $"X-{i}: a\n")) + "\n", false),
        })
        {
            byte[] reply = [.. (head + "hi").Chunk(60_000).SelectMany(chunk => Output(new string(chunk))), .. End()];
            using var app = FastCgiApp.Answering(reply);
            if (isAllowed)
                Assert.Equal((200, "hi"), await app.GetTextAsync());
            else
                await app.FailsAsync(HttpRequestError.InvalidResponse);
        }

        static string Field(int length) => "X: " + new string('a', length - 5) + "\n\n";
    }

    [Fact]
    public async Task A_head_without_an_end_is_not_collected_for_ever()
    {
        using var app = new FastCgiApp(new(async connection =>
        {
            await connection.ReadRequestAsync();
            while (!connection.IsDisposed)
                await connection.WriteAsync(Output(new string('a', 1000)));
        }));

        await app.FailsAsync(HttpRequestError.InvalidResponse);
    }

    [Fact]
    public async Task What_a_script_says_of_the_connection_is_dropped()
    {
        // The body is the stream, whatever it looks like.
        using var app = FastCgiApp.Answering(Answer("Transfer-Encoding: chunked\r\nConnection: close\r\nKeep-Alive: x\r\nTE: y\r\nUpgrade: z\r\n\r\n2\r\nhi\r\n0\r\n\r\n"));

        using var response = await app.GetAsync();

        Assert.Equal("2\r\nhi\r\n0\r\n\r\n", await FastCgiApp.ReadAsync(response));
        Assert.Equal(0, response.Headers.NonValidated.Count + response.Content.Headers.NonValidated.Count);
    }

    [Fact]
    public async Task Records_may_be_cut_and_padded_in_any_way()
    {
        var large = new string('x', 65_535);
        var output = "Content-type: text/plain\r\n\r\nhi";
        foreach (var (reply, body) in new (byte[], string)[]
        {
            (OneByteRecords(output), "hi"),
            ([.. Output(output[..5], 255), .. Output(output[5..], 255), .. End(padding: 255)], "hi"),
            ([.. Output(output), .. Output(large), .. Output(large, 255), .. End()], "hi" + large + large),
            ([.. Output("X: y\n\n" + large[6..]), .. End()], large[6..]),
            ([.. Output(output), .. Output(""), .. Output("", 7), .. End()], "hi"), // the stream's end, as the specification has it
        })
        {
            foreach (var limit in new[] { 1, 7, 1000, int.MaxValue })
            {
                using var app = new FastCgiApp(new(FastCgiApp.Replying(reply)) { ReceiveLimit = limit });
                Assert.Equal((200, body), await app.GetTextAsync());
            }
        }
    }

    public static TheoryData<string, byte[]> StrangeRecords => new()
    {
        { "request 2", Record(6, "X: y\n"u8, id: 2) },
        { "request 257", Record(6, "X: y\n"u8, id: 257) },
        { "version 2", Record(6, "X: y\n"u8, version: 2) },
        { "version 0", Record(6, "X: y\n"u8, version: 0) },
        { "END_REQUEST of 7", Record(3, new byte[7]) },
        { "END_REQUEST of 0", Record(3, []) },
        { "HTTP", "HTTP/1.1 200 OK\r\n\r\n"u8.ToArray() },
    };

    // Management records, and types that the specification does not have (§3.3).
    [Theory]
    [InlineData(11, 1)]
    [InlineData(99, 1)]
    [InlineData(99, 2)]
    [InlineData(5, 1)]
    [InlineData(0, 1)]
    [InlineData(10, 0)]
    [InlineData(6, 0)]
    public async Task A_management_record_or_one_of_an_unknown_type_is_ignored(byte type, ushort id)
    {
        var record = Record(type, "X: z\n"u8, padding: 3, id: id);
        foreach (var limit in new[] { 1, 9, int.MaxValue })
        {
            using var app = new FastCgiApp(new(FastCgiApp.Replying([.. record, .. Output("X: y\n"), .. record, .. Output("\nhi"), .. record, .. Answer("!")])) { ReceiveLimit = limit });

            using var response = await app.GetAsync();

            Assert.Equal(["y"], response.Headers.GetValues("X"));
            Assert.Equal("hi!", await FastCgiApp.ReadAsync(response));
        }
    }

    [Theory]
    [InlineData(7, 0)]
    [InlineData(6, 0)]
    [InlineData(99, 0)]
    [InlineData(7, 60_000)]
    public async Task A_flood_of_records_without_output_is_refused(byte type, int length)
    {
        var flood = Enumerable.Repeat(Record(type, new byte[length]), 100_000 / (length + 8) + 1).SelectMany(r => r).ToArray();
        using var app = new FastCgiApp(new(async connection =>
        {
            await connection.ReadRequestAsync();
            while (!connection.IsDisposed)
                await connection.WriteAsync(flood);
        }));

        await app.FailsAsync(HttpRequestError.InvalidResponse);
    }

    [Theory]
    [MemberData(nameof(StrangeRecords))]
    public async Task A_record_that_does_not_belong_there_is_refused(string what, byte[] record)
    {
        Assert.NotEmpty(what);
        // In front of an answer that would be good.
        using var app = FastCgiApp.Answering([.. record, .. Answer("X: y\n\nhi")]);

        await app.FailsAsync(HttpRequestError.InvalidResponse);
    }

    [Theory]
    [MemberData(nameof(StrangeRecords))]
    public async Task A_record_that_does_not_belong_there_breaks_the_body_off(string what, byte[] record)
    {
        Assert.NotEmpty(what);
        using var app = new FastCgiApp(new(FastCgiApp.Replying([.. Output("X: y\n\nhi"), .. record, .. Answer("more")])) { ReceiveLimit = 16 });

        using var response = await app.GetAsync();
        var exception = await Assert.ThrowsAsync<HttpIOException>(() => FastCgiApp.ReadAsync(response));

        Assert.Equal(HttpRequestError.InvalidResponse, exception.HttpRequestError);
        Assert.True(app.Connections.Last.IsDisposed);
    }

    [Theory]
    [InlineData(2, ProxyError.Overloaded, FailureClass.NothingSent)]
    [InlineData(1, ProxyError.InvalidResponse, FailureClass.Answered)]
    [InlineData(3, ProxyError.InvalidResponse, FailureClass.Answered)]
    [InlineData(4, ProxyError.InvalidResponse, FailureClass.Answered)]
    public async Task An_application_that_declines_says_why(byte status, ProxyError error, FailureClass failureClass)
    {
        using var app = FastCgiApp.Answering(End(status));

        var exception = await app.FailsAsync(error == ProxyError.Overloaded ? HttpRequestError.Unknown : HttpRequestError.InvalidResponse);

        Assert.Equal((error, failureClass), Upstream(exception));
    }

    [Fact]
    public async Task An_answer_that_is_declined_at_its_end_has_not_been_one()
    {
        using var app = FastCgiApp.Answering([.. Output("X: y\n\nhi"), .. End(2)]);

        var exception = await app.FailsAsync(HttpRequestError.InvalidResponse);

        Assert.Equal((ProxyError.InvalidResponse, FailureClass.Answered), Upstream(exception)); // the script has run: not a case of nothing sent
    }

    [Theory]
    [InlineData("GET", "Status: 204\r\nContent-Length: 4\r\n\r\nbody")]
    [InlineData("GET", "Status: 304\r\nContent-Length: 4\r\n\r\nbody")]
    [InlineData("HEAD", "Content-Length: 4\r\n\r\nbody")]
    public async Task A_body_where_there_can_be_none_is_dropped_and_the_connection_closed(string method, string output)
    {
        foreach (var limit in new[] { 9, int.MaxValue })
        {
            using var app = new FastCgiApp(new(FastCgiApp.Replying(Answer(output))) { KeepsConnections = true, ReceiveLimit = limit });

            Assert.Equal("", (await app.GetTextAsync(method)).Body);

            Assert.True(app.Connections.Last.IsDisposed);
            Assert.Equal(0, app.Connections.Last.Returns);
        }
    }

    [Theory]
    [InlineData("GET", "Status: 204\r\nContent-Length: 4\r\n\r\n", null)]
    [InlineData("GET", "Status: 304\r\nContent-Length: 4\r\n\r\n", 4L)]
    [InlineData("HEAD", "Content-Length: 4\r\n\r\n", 4L)]
    public async Task No_body_where_there_can_be_none_is_a_whole_answer(string method, string output, long? length)
    {
        using var app = new FastCgiApp(new(FastCgiApp.Replying(Answer(output))) { KeepsConnections = true });

        using var response = await app.GetAsync(method);

        Assert.Equal(length, response.Content.Headers.ContentLength);
        Assert.Equal(1, app.Connections.Last.Returns); // before anybody has read
        Assert.Equal("", await FastCgiApp.ReadAsync(response));
    }

    [Fact]
    public async Task A_body_shorter_than_announced_breaks_off()
    {
        using var app = new FastCgiApp(new(FastCgiApp.Replying(Answer("Content-Length: 10\r\n\r\nhi"))) { KeepsConnections = true });

        using var response = await app.GetAsync();
        var (body, exception) = await ReadUntilItBreaksAsync(response);

        Assert.Equal("hi", body);
        Assert.Equal(HttpRequestError.ResponseEnded, Assert.IsType<HttpIOException>(exception).HttpRequestError);
        Assert.True(app.Connections.Last.IsDisposed);
        Assert.Equal(0, app.Connections.Last.Returns);
    }

    // nginx delivers the same.
    [Theory]
    [InlineData("Content-Length: 3\r\n\r\nhig", "\n\n\n")]
    [InlineData("Content-Length: 3\r\n\r\nhigher", "")]
    [InlineData("Content-Length: 3\r\n\r\nhi", "gher")]
    [InlineData("Content-Length: 0\r\n\r\n", "\n")]
    public async Task A_body_longer_than_announced_is_cut_with_one_warning_and_the_connection_closed(string output, string more)
    {
        foreach (var limit in new[] { 5, int.MaxValue })
        {
            using var app = new FastCgiApp(new(FastCgiApp.Replying([.. Output(output), .. Output(more), .. Output("\n"), .. End()])) { KeepsConnections = true, ReceiveLimit = limit });

            var expected = output.EndsWith("\r\n\r\n", StringComparison.Ordinal) ? "" : "hig";
            Assert.Equal((200, expected), await app.GetTextAsync());

            var warning = Assert.Single(app.Logger.Collector.GetSnapshot());
            Assert.Equal("FastCgiBodyCut", warning.Id.Name);
            Assert.Contains("/index.php", warning.Message);
            Assert.True(app.Connections.Last.IsDisposed);
            Assert.Equal(0, app.Connections.Last.Returns);
        }
    }

    [Fact]
    public async Task A_field_that_Connection_names_is_not_passed_on()
    {
        using var app = FastCgiApp.Answering(Answer("X-Hop: 1\r\nConnection: X-Hop, close\r\nX-Hop: 2\r\nConnection: X-Other\r\nX-Other: 3\r\nX-End: 4\r\n\r\nhi"));

        using var response = await app.GetAsync();

        Assert.Equal("X-End", Assert.Single(response.Headers.NonValidated).Key);
    }

    [Fact]
    public async Task An_answer_without_END_REQUEST_is_half_of_one()
    {
        using var app = new FastCgiApp(new(FastCgiApp.ReplyingAndClosing(Output("X: y\r\n\r\nhi"))));

        using var response = await app.GetAsync();
        var (body, exception) = await ReadUntilItBreaksAsync(response);

        Assert.Equal("hi", body);
        Assert.Equal(HttpRequestError.ResponseEnded, Assert.IsType<HttpIOException>(exception).HttpRequestError);
    }

    [Fact]
    public async Task An_answer_that_is_cut_in_a_record_is_half_of_one()
    {
        using var app = new FastCgiApp(new(FastCgiApp.ReplyingAndClosing(Output("X: y\r\n\r\nhi there")[..^4])));

        using var response = await app.GetAsync();
        var (body, exception) = await ReadUntilItBreaksAsync(response);

        Assert.Equal("hi t", body);
        Assert.IsType<HttpIOException>(exception);
    }

    [Fact]
    public async Task An_answer_without_END_REQUEST_is_whole_if_it_has_its_length()
    {
        using var app = new FastCgiApp(new(FastCgiApp.ReplyingAndClosing(Output("Content-Length: 2\r\n\r\nhi"))));

        Assert.Equal((200, "hi"), await app.GetTextAsync());
    }

    [Fact]
    public async Task HttpClient_can_use_it()
    {
        using var app = FastCgiApp.Answering(Answer("Content-type: text/plain\r\nContent-Length: 5\r\n\r\nhello"));
        using var handler = new FastCgiHandler(new ProxyKit.FastCgi.FastCgiSettings("app", app.Connections, new(), TimeProvider.System, app.Logger));
        using var client = new HttpClient(handler);

        Assert.Equal("hello", await client.GetStringAsync("http://localhost/"));

        // Half an answer is none, also where HttpClient reads the body before it gives the response.
        using var half = FastCgiApp.Answering(Answer("Content-Length: 10\r\n\r\nhello"));
        using var halfClient = new HttpClient(new FastCgiHandler(new ProxyKit.FastCgi.FastCgiSettings("app", half.Connections, new(), TimeProvider.System, app.Logger)));
        await Assert.ThrowsAsync<HttpRequestException>(() => halfClient.GetAsync("http://localhost/"));
    }

    [Fact]
    public async Task A_read_of_nothing_waits_for_something()
    {
        var go = new TaskCompletionSource();
        using var app = new FastCgiApp(new(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync(Output("X: y\n\n"));
            await go.Task;
            await connection.WriteAsync([.. Output("hi"), .. End()]);
        }));
        using var response = await app.GetAsync();
        await using var stream = await response.Content.ReadAsStreamAsync();

        var reading = stream.ReadAsync(Memory<byte>.Empty).AsTask();
        Assert.False(reading.IsCompleted);
        go.SetResult();

        Assert.Equal(0, await reading);
        var buffer = new byte[2000];
        Assert.Equal(2, await stream.ReadAsync(buffer));
        Assert.Equal("hi", Encoding.ASCII.GetString(buffer, 0, 2));
        Assert.Equal(0, await stream.ReadAsync(buffer));
    }

    internal static async Task<(string Body, Exception? Exception)> ReadUntilItBreaksAsync(HttpResponseMessage response)
    {
        var stream = await response.Content.ReadAsStreamAsync();
        var body = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            while (await stream.ReadAsync(buffer) is > 0 and var read)
                body.Append(Encoding.Latin1.GetString(buffer, 0, read));
            return (body.ToString(), null);
        }
        catch (Exception e)
        {
            return (body.ToString(), e);
        }
    }

    internal static (ProxyError, FailureClass) Upstream(HttpRequestException exception)
    {
        var upstream = Assert.IsType<UpstreamException>(exception.InnerException);
        return (upstream.Error, upstream.FailureClass);
    }
}
