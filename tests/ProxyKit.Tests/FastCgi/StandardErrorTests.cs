using Microsoft.Extensions.Logging;
using static ProxyKit.Tests.FastCgi.Records;

namespace ProxyKit.Tests.FastCgi;

/// <summary>What scripts write to their standard error.</summary>
public class StandardErrorTests
{
    private static readonly byte[] s_hello = Answer("X: y\r\n\r\nhello");

    [Fact]
    public async Task Each_line_is_logged()
    {
        using var app = FastCgiApp.Answering([.. Error("first\nsec"), .. Error("ond\r\n\n"), .. s_hello[..^16], .. Error("third"), .. End()]);

        Assert.Equal((200, "hello"), await app.GetTextAsync());

        Assert.Equal(["FastCGI app, /index.php: first", "FastCGI app, /index.php: second", "FastCGI app, /index.php: third"], Lines(app));
        Assert.All(app.Logger.Collector.GetSnapshot(), record => Assert.Equal((130, LogLevel.Warning), (record.Id.Id, record.Level)));
    }

    [Fact]
    public async Task Messages_that_php_fpm_joins_are_taken_apart()
    {
        using var app = FastCgiApp.Answering([.. Error("PHP message: one; two; PHP message: three"), .. s_hello]);

        await app.GetTextAsync();

        Assert.Equal(["FastCGI app, /index.php: PHP message: one; two", "FastCGI app, /index.php: PHP message: three"], Lines(app));
    }

    [Fact]
    public async Task Long_messages_that_php_fpm_joins_are_cut_one_by_one()
    {
        var messages = new[] { 'a', 'b', 'c' }.Select(c => "PHP message: " + new string(c, 6000)).ToArray();
        using var app = FastCgiApp.Answering([.. Error(string.Join("; ", messages) + "; PHP message: last"), .. s_hello]);

        await app.GetTextAsync();

        Assert.Equal([.. messages.Select(m => $"FastCGI app, /index.php: {m[..4096]}…"), "FastCGI app, /index.php: PHP message: last"], Lines(app));
    }

    [Fact]
    public async Task Nothing_in_a_line_fools_who_reads_the_log()
    {
        using var app = FastCgiApp.Answering([.. Error("a\rb\u001b[31mc\0d\u0085e\u2028f\u202eg\tü\n"), .. s_hello]);

        await app.GetTextAsync();

        Assert.Equal("FastCGI app, /index.php: a b [31mc d e f g ü", Assert.Single(Lines(app)));
    }

    [Fact]
    public async Task Many_lines_do_not_repeat_a_long_path()
    {
        using var app = FastCgiApp.Answering([.. Error("one\ntwo\n"), .. s_hello]);

        using var response = await app.SendAsync(new(HttpMethod.Get, "http://localhost/index.php/" + new string('a', 8000)));
        await response.Content.ReadAsStringAsync();

        Assert.Equal([$"FastCGI app, /index.php/{new string('a', 245)}…: one", $"FastCGI app, /index.php/{new string('a', 245)}…: two"], Lines(app));
    }

    [Fact]
    public async Task The_level_is_configured()
    {
        foreach (var (level, lines) in new[] { (LogLevel.Information, 1), (LogLevel.None, 0) })
        {
            using var app = new FastCgiApp(new(FastCgiApp.Replying([.. Error("oh"), .. s_hello])), new() { StandardError = level });
            await app.GetTextAsync();
            Assert.Equal(lines, app.Logger.Collector.Count);
            Assert.All(app.Logger.Collector.GetSnapshot(), record => Assert.Equal(level, record.Level));
        }
    }

    [Fact]
    public async Task A_flood_is_drained_and_little_of_it_is_kept()
    {
        var line = new string('e', 59_999) + "\n";
        using var app = new FastCgiApp(new(async connection =>
        {
            await connection.ReadRequestAsync();
            for (var i = 0; i < 140; i++) // 8 MB
                await connection.WriteAsync(Error(line));
            await connection.WriteAsync(s_hello);
        }));

        Assert.Equal((200, "hello"), await app.GetTextAsync());

        var records = app.Logger.Collector.GetSnapshot();
        Assert.Equal([130, 130, 131], records.Select(r => r.Id.Id));
        Assert.All(records, record => Assert.True(record.Message.Length < 5000));
        Assert.EndsWith("e…", records[0].Message);
        Assert.Contains((140 * 60_000 - 65_536).ToString(), records[2].Message);
    }

    [Fact]
    public async Task What_a_broken_answer_left_is_logged_as_well()
    {
        using var app = new FastCgiApp(new(FastCgiApp.ReplyingAndClosing(Error("segmentation fault"))));

        await app.FailsAsync(HttpRequestError.ResponseEnded);

        Assert.Equal("FastCGI app, /index.php: segmentation fault", Assert.Single(Lines(app)));
    }

    [Fact]
    public async Task It_means_failure_where_that_is_asked_for()
    {
        var config = new FastCgiConnectionConfig { FailOnStandardError = true };
        foreach (var limit in new[] { 5, int.MaxValue })
        {
            foreach (var reply in new byte[][] { [.. Error("oh"), .. s_hello], [.. Output("X: y\r\n\r"), .. Error("oh"), .. Output("\nhello"), .. End()] })
            {
                using var failing = new FastCgiApp(new(FastCgiApp.Replying(reply)) { KeepsConnections = true, ReceiveLimit = limit }, config);
                var exception = await failing.FailsAsync(HttpRequestError.InvalidResponse);
                Assert.Equal((ProxyError.InvalidResponse, FailureClass.Answered), ReplyTests.Upstream(exception));
            }

            // After the head it is too late to be anything else than an answer.
            using var app = new FastCgiApp(new(FastCgiApp.Replying([.. Output("X: y\r\n\r\n"), .. Error("oh"), .. Output("hello"), .. End()])) { ReceiveLimit = limit }, config);
            Assert.Equal((200, "hello"), await app.GetTextAsync());
        }
        using var usual = FastCgiApp.Answering([.. Error("oh"), .. s_hello]);
        Assert.Equal((200, "hello"), await usual.GetTextAsync());
    }

    private static IEnumerable<string> Lines(FastCgiApp app) => app.Logger.Collector.GetSnapshot().Select(r => r.Message);
}
