using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>php-fpm as it is, with as few workers as a mistake needs to be noticed.</summary>
[Collection("alone")]
public class FpmTests
{
    private const string Echo = "<?php $b = file_get_contents('php://input'); echo $_SERVER['REQUEST_METHOD'], ' ', strlen($b), ' ', hash('sha256', $b);";

    [Theory]
    [InlineData(Protocols.Wire.Http1, false)]
    [InlineData(Protocols.Wire.Http1, true)]
    [InlineData(Protocols.Wire.H2C, false)]
    [InlineData(Protocols.Wire.H2C, true)]
    public async Task Bodies_of_any_length_known_or_not_arrive_byte_for_byte(Protocols.Wire wire, bool tcp)
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.IsTcp = tcp);
        fpm.With("echo.php", Echo);
        await using var proxy = await PhpProxy.StartAsync(fpm, wire: wire);
        using var client = proxy.CreateClient(wire);

        foreach (var length in (int[])[0, 1, 65_535, 65_536, 3_000_000])
        {
            var body = Peers.Bytes(length, length);
            foreach (var method in (HttpMethod[])[HttpMethod.Post, HttpMethod.Put])
            {
                foreach (var isKnown in (bool[])[true, false])
                {
                    using var request = new HttpRequestMessage(method, "/echo.php") { Version = wire.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = isKnown ? new ByteArrayContent(body) : new UnknownLength(body) };
                    using var response = await client.SendAsync(request);
                    Assert.Equal($"{method} {length} {Convert.ToHexStringLower(SHA256.HashData(body))}", await response.Content.ReadAsStringAsync());
                }
            }
        }
    }

    [Fact]
    public async Task Forms_and_uploaded_files_are_what_php_makes_of_them()
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("form.php", "<?php echo json_encode([$_POST, array_map(fn($f) => [$f['name'], $f['type'], $f['size'], md5_file($f['tmp_name'])], $_FILES), $_GET, $_COOKIE]);");
        await using var proxy = await PhpProxy.StartAsync(fpm);
        using var client = proxy.CreateClient();

        var file = Peers.Bytes(5_000_000, 1);
        var form = new MultipartFormDataContent { { new StringContent("Grüße & mehr"), "text" } };
        var part = new ByteArrayContent(file) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } };
        form.Add(part, "photo", "a b.png");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/form.php?q=1%2B1&list[]=a&list[]=b") { Content = form };
        request.Headers.Add("Cookie", "one=1; two=2");
        using var response = await client.SendAsync(request);
#pragma warning disable CA5351 // a checksum
        Assert.Equal(
            $$$"""[{"text":"Gr\u00fc\u00dfe & mehr"},{"photo":["a b.png","image\/png",5000000,"{{{Convert.ToHexStringLower(MD5.HashData(file))}}}"]},{"q":"1+1","list":["a","b"]},{"one":"1","two":"2"}]""",
            await response.Content.ReadAsStringAsync());
#pragma warning restore CA5351
    }

    [Fact]
    public async Task Status_header_fields_and_cookies_are_the_scripts()
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("moved.php", "<?php header('Location: /elsewhere'); setcookie('a', '1'); setcookie('b', '2');")
            .With("teapot.php", "<?php http_response_code(418); header('X-Made-By: hand'); echo 'short and stout';")
            .With("none.php", "<?php http_response_code(204);")
            .With("fatal.php", "<?php this_is_not_there();");
        await using var proxy = await PhpProxy.StartAsync(fpm);
        using var client = proxy.CreateClient();

        using (var moved = await client.GetAsync("/moved.php"))
        {
            Assert.Equal((HttpStatusCode.Found, "/elsewhere"), (moved.StatusCode, moved.Headers.Location!.OriginalString));
            Assert.Equal(["a=1", "b=2"], moved.Headers.GetValues("Set-Cookie"));
        }
        using (var teapot = await client.GetAsync("/teapot.php"))
        {
            Assert.Equal((418, "short and stout"), ((int)teapot.StatusCode, await teapot.Content.ReadAsStringAsync()));
            Assert.Equal(["hand"], teapot.Headers.GetValues("X-Made-By"));
        }
        using (var head = await client.SendAsync(new(HttpMethod.Head, "/teapot.php")))
            Assert.Equal((418, ""), ((int)head.StatusCode, await head.Content.ReadAsStringAsync()));
        Assert.Equal(HttpStatusCode.NoContent, (await client.GetAsync("/none.php")).StatusCode);
        Assert.Equal(HttpStatusCode.InternalServerError, (await client.GetAsync("/fatal.php")).StatusCode);
        Assert.Contains("this_is_not_there", (await proxy.LoggedAsync("FastCgiStandardError")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_worker_is_free_as_soon_as_it_has_answered_however_slow_the_client_is()
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.Workers = 1);
        fpm.With("big.php", "<?php mt_srand(1); for ($i = 0; $i < 50; $i++) echo str_repeat(chr(mt_rand(65, 90)), 100000);").With("hello.php", "<?php echo 'hello';");
        await using var proxy = await PhpProxy.StartAsync(fpm);
        using var client = proxy.CreateClient();
        var whole = await client.GetStringAsync("/big.php");

        using var slow = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await slow.ConnectAsync(IPAddress.Loopback, proxy.Port);
        await slow.SendAsync("GET /big.php HTTP/1.0\r\nHost: x\r\n\r\n"u8.ToArray());
        await fpm.UntilAsync(s => s.Requests >= 2 && s.Busy == 0); // and nothing has been read
        Assert.Equal("hello", await client.GetStringAsync("/hello.php"));

        var rest = new MemoryStream();
        await new NetworkStream(slow).CopyToAsync(rest).WaitAsync(Peers.Patience);
        Assert.EndsWith("\r\n\r\n" + whole, Encoding.ASCII.GetString(rest.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Kept_connections_are_used_again_and_others_are_not_kept()
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.Workers = 3);
        fpm.With("hello.php", "<?php echo 'hello';").With("echo.php", Echo);
        await using var kept = await PhpProxy.StartAsync(fpm, r => r.WithFastCgiConnections(c => (c.KeepConnections, c.MaxConnections) = (true, 2)));
        await using var once = await PhpProxy.StartAsync(fpm);
        using var client = kept.CreateClient();
        using var other = once.CreateClient();

        for (var i = 0; i < 20; i++)
            Assert.Equal("hello", await other.GetStringAsync("/hello.php"));
        await fpm.UntilAsync(s => s.Busy == 0);
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal("hello", await client.GetStringAsync("/hello.php"));
            using var posted = await client.PostAsync("/echo.php", new ByteArrayContent(Peers.Bytes(200_000, i)));
            Assert.StartsWith("POST 200000 ", await posted.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
        // One worker waits for the next request, and for nobody else's; it has answered all of them.
        var status = await fpm.UntilAsync(s => s.Busy == 1);
        Assert.True(status.Processes.Single(p => p.State != "Idle").Requests >= 40, status.ToString());
    }

    [Fact]
    public async Task Many_requests_share_few_kept_connections_and_none_starves()
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.Workers = 3);
        fpm.With("hello.php", "<?php usleep(2000); echo 'hello';");
        await using var proxy = await PhpProxy.StartAsync(fpm, r => r.WithFastCgiConnections(c => (c.KeepConnections, c.MaxConnections) = (true, 2)));
        using var client = proxy.CreateClient();

        Assert.All(await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => client.GetStringAsync("/hello.php"))), a => Assert.Equal("hello", a));
        var status = await fpm.StatusAsync();
        Assert.Equal(2, status.Busy);
        Assert.True(status.Processes.Where(p => p.State != "Idle").Sum(p => p.Requests) >= 200, status.ToString());
    }

    [Fact]
    public async Task Never_more_scripts_at_once_than_connections_although_there_are_more_workers()
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.Workers = 4);
        fpm.With("slow.php", """
            <?php
            function add($d) { $f = fopen(__DIR__ . '/n', 'c+'); flock($f, LOCK_EX); $n = (int)fgets($f) + $d; rewind($f); ftruncate($f, 0); fwrite($f, $n); fclose($f); return $n; }
            $n = add(1); usleep(20000); add(-1); echo $n;
            """);
        await using var proxy = await PhpProxy.StartAsync(fpm, r => r.WithFastCgiConnections(2));
        using var client = proxy.CreateClient();

        Assert.Equal("2", (await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => client.GetStringAsync("/slow.php")))).Max());
    }

    [Fact]
    public async Task A_full_listen_backlog_fails_nobody()
    {
        await using var fpm = await PhpFpm.StartAsync(o => (o.Workers, o.Backlog) = (1, 1));
        fpm.With("slow.php", "<?php usleep(20000); echo 'slow';");
        await using var proxy = await PhpProxy.StartAsync(fpm);
        using var client = proxy.CreateClient();

        Assert.All(await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => client.GetStringAsync("/slow.php"))), a => Assert.Equal("slow", a));
        await proxy.LoggedAsync("FastCgiBacklogFull"); // it was
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_answer_that_does_not_wait_for_the_body_arrives_and_the_next_request_too(bool buffered)
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("early.php", "<?php http_response_code(413); echo 'no, thanks';").With("hello.php", "<?php echo 'hello';");
        await using var proxy = await PhpProxy.StartAsync(fpm, r => r.WithRequestBuffering(b => b.Enabled = buffered));
        using var client = proxy.CreateClient();

        for (var i = 0; i < 5; i++)
        {
            using var response = await client.PutAsync("/early.php", new ByteArrayContent(new byte[5_000_000]));
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
            Assert.Equal("no, thanks", await response.Content.ReadAsStringAsync());
            Assert.Equal("hello", await client.GetStringAsync("/hello.php"));
        }
        await fpm.UntilAsync(s => s.Busy == 0);
    }

    [Fact]
    public async Task Large_bodies_both_ways_need_no_more_memory_than_small_ones()
    {
        const long Upload = 100_000_000, Download = 1_000_000_000;
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("up.php", "<?php echo $_SERVER['CONTENT_LENGTH'], ' ', filesize_of('php://input'); function filesize_of($f) { $h = fopen($f, 'r'); $n = 0; while (!feof($h)) $n += strlen(fread($h, 1 << 20)); return $n; }")
            .With("down.php", "<?php $mb = str_repeat('0123456789', 100000); for ($i = 0; $i < 1000; $i++) echo $mb;");
        await using var proxy = await PhpProxy.StartAsync(fpm);
        using var client = proxy.CreateClient();
        await client.PostAsync("/up.php", new ByteArrayContent(new byte[100])); // the code is there

        var before = GC.GetTotalMemory(forceFullCollection: true);
        long peak = 0;
        using (var response = await client.PostAsync("/up.php", new Endless(Upload, Look)))
            Assert.Equal($"{Upload} {Upload}", await response.Content.ReadAsStringAsync());
        using (var response = await client.GetAsync("/down.php", HttpCompletionOption.ResponseHeadersRead))
        {
            await using var body = await response.Content.ReadAsStreamAsync();
            var buffer = new byte[1 << 20];
            long total = 0;
            for (int read; (read = await body.ReadAsync(buffer)) > 0; total += read)
            {
                Assert.Equal((byte)('0' + (total % 10)), buffer[0]);
                Look();
            }
            Assert.Equal(Download, total);
        }
        Assert.True(peak < 200_000_000, $"{peak} bytes"); // with what the collector has not come to yet

        void Look() => peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: false) - before);
    }

    private sealed class UnknownLength(byte[] body) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(body).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    private sealed class Endless(long size, Action look) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var piece = new byte[100_000];
            for (long sent = 0; sent < size; sent += piece.Length)
            {
                await stream.WriteAsync(piece);
                look();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
