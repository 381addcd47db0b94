using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>The handler alone, without the proxy, and the real php-fpm.</summary>
public class FastCgiHandlerTests
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task Php_sees_the_request_as_it_was_and_the_client_its_answer(bool tcp, bool keep)
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.IsTcp = tcp);
        fpm.With("echo.php", """
            <?php
            http_response_code(201);
            setcookie('a', '1'); setcookie('b', '2');
            header('X-Seen: ' . $_SERVER['REQUEST_METHOD'] . ' ' . $_SERVER['REQUEST_URI'] . ' ' . ($_GET['q'] ?? '-') . ' ' . ($_COOKIE['x'] ?? '-') . ' ' . ($_COOKIE['y'] ?? '-')
                . ' ' . ($_SERVER['HTTP_X_TAG'] ?? '-') . ' ' . ($_POST['field'] ?? '-') . ' ' . $_SERVER['CONTENT_TYPE'] . ' ' . (getenv('HTTP_PROXY') ?: '-'));
            $body = file_get_contents('php://input');
            echo strlen($body), ' ', md5($body);
            """);
        using var client = new HttpClient(new FastCgiHandler(fpm.Address) { Connections = new() { KeepConnections = keep, MaxConnections = 1 } });
        var body = new byte[1_000_000];
        new Random(1).NextBytes(body);

        foreach (var (content, seen) in new (HttpContent?, string)[]
        {
            (null, "GET /echo.php?q=%C3%A9 é 1 2 tag -  -"),
            (new ByteArrayContent(body), "POST /echo.php?q=%C3%A9 é 1 2 tag -  -"),
            (new FormUrlEncodedContent([new("field", "value")]), "POST /echo.php?q=%C3%A9 é 1 2 tag value application/x-www-form-urlencoded -"),
        })
        {
            var request = Request(content is null ? HttpMethod.Get : HttpMethod.Post, "/echo.php?q=%C3%A9", fpm, "echo.php");
            request.Content = content;
            request.Headers.Add("Cookie", ["x=1", "y=2"]);
            request.Headers.Add("X-Tag", "tag");
            request.Headers.Add("Proxy", "evil");
            var sent = content is null ? [] : await content.ReadAsByteArrayAsync();

            using var response = await client.SendAsync(request);

            Assert.Equal(201, (int)response.StatusCode);
            Assert.Equal(["a=1", "b=2"], response.Headers.GetValues("Set-Cookie"));
            Assert.Equal(seen, System.Text.Encoding.UTF8.GetString(System.Text.Encoding.Latin1.GetBytes(response.Headers.GetValues("X-Seen").Single())));
            Assert.Equal($"{sent.Length} {Convert.ToHexStringLower(System.Security.Cryptography.MD5.HashData(sent))}", await response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task A_long_answer_arrives_whole_and_its_worker_is_free_before_it_is_read()
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("long.php", "<?php for ($i = 0; $i < 1000; $i++) echo str_repeat(chr(97 + $i % 26), 10000);")
            .With("short.php", "<?php echo str_repeat('x', 8000);");
        using var client = new HttpClient(new FastCgiHandler(fpm.Address));

        var body = await (await client.SendAsync(Request(HttpMethod.Get, "/long.php", fpm, "long.php"))).Content.ReadAsStringAsync();
        Assert.Equal(string.Concat(Enumerable.Range(0, 1000).Select(i => new string((char)(97 + i % 26), 10000))), body);

        using var response = await client.SendAsync(Request(HttpMethod.Get, "/short.php", fpm, "short.php"), HttpCompletionOption.ResponseHeadersRead);
        await fpm.UntilAsync(s => s.Active == 0);
        Assert.Equal(8000, (await response.Content.ReadAsStringAsync()).Length);
    }

    [Fact]
    public async Task A_worker_that_is_killed_in_the_middle_leaves_half_an_answer()
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("dies.php", "<?php echo str_repeat('x', 100000); flush(); posix_kill(getmypid(), 9);");
        using var client = new HttpClient(new FastCgiHandler(fpm.Address));

        using var response = await client.SendAsync(Request(HttpMethod.Get, "/dies.php", fpm, "dies.php"), HttpCompletionOption.ResponseHeadersRead);

        Assert.Equal(200, (int)response.StatusCode);
        await Assert.ThrowsAsync<HttpIOException>(async () =>
        {
            await using var stream = await response.Content.ReadAsStreamAsync();
            await stream.CopyToAsync(Stream.Null);
        });
    }

    [Fact]
    public async Task What_php_writes_to_its_log_is_logged()
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.Ini["log_errors"] = "1");
        fpm.With("errors.php", "<?php error_log('first thing'); error_log('second thing'); echo 'done';");
        var logger = new FakeLogger();
        using var client = new HttpClient(new FastCgiHandler(fpm.Address) { Logger = logger });

        using var response = await client.SendAsync(Request(HttpMethod.Get, "/errors.php", fpm, "errors.php"));

        Assert.Equal("done", await response.Content.ReadAsStringAsync());
        var lines = logger.Collector.GetSnapshot();
        Assert.Equal(2, lines.Count);
        Assert.All(lines, line => Assert.Equal(LogLevel.Warning, line.Level));
        Assert.EndsWith("/errors.php: PHP message: first thing", lines[0].Message);
        Assert.EndsWith("/errors.php: PHP message: second thing", lines[1].Message);
    }

    [Fact]
    public async Task Errors_of_php_are_answers()
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("fatal.php", "<?php nothing_of_the_kind();").With("moved.php", "<?php header('Location: /there');").With("head.php", "<?php header('Content-Length: 5'); echo 'hello';");
        using var client = new HttpClient(new FastCgiHandler(fpm.Address) { Connections = new() { StandardError = LogLevel.None } });

        using var fatal = await client.SendAsync(Request(HttpMethod.Get, "/fatal.php", fpm, "fatal.php"));
        using var missing = await client.SendAsync(Request(HttpMethod.Get, "/missing.php", fpm, "missing.php"));
        using var moved = await client.SendAsync(Request(HttpMethod.Get, "/moved.php", fpm, "moved.php"));
        using var head = await client.SendAsync(Request(HttpMethod.Head, "/head.php", fpm, "head.php"));

        Assert.Equal((500, 404, 302), ((int)fatal.StatusCode, (int)missing.StatusCode, (int)moved.StatusCode));
        Assert.Equal("/there", moved.Headers.Location?.OriginalString);
        Assert.Equal(200, (int)head.StatusCode);
        Assert.Equal("", await head.Content.ReadAsStringAsync());
    }

    private static HttpRequestMessage Request(HttpMethod method, string path, PhpFpm fpm, string script)
    {
        var request = new HttpRequestMessage(method, "http://localhost" + path);
        request.Options.Set(FastCgiHandler.Parameters, [new("SCRIPT_FILENAME", Path.Combine(fpm.Root, script)), new("SCRIPT_NAME", "/" + script)]);
        return request;
    }
}
