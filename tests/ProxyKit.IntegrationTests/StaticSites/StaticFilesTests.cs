using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.StaticSites;

using Wire = ProxyKit.IntegrationTests.Protocols.Wire;

/// <summary>A folder's files over real connections: parts of large ones, every version of HTTP, and what strangers write into a target to get at what is not theirs.</summary>
public sealed class StaticFilesTests : IDisposable
{
    private const string Secret = "top-secret-password", Upstream = "from the upstream";

    private readonly string _parent = Directory.CreateTempSubdirectory("proxykit-static-").FullName;

    private string Root => Path.Join(_parent, "root");

    public void Dispose() => Directory.Delete(_parent, recursive: true);

    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    [InlineData(Wire.H2Tls)]
    public async Task A_large_file_is_sent_whole_and_in_parts(Wire wire)
    {
        var bytes = Peers.Bytes(5_000_000, 1);
        Write("film.mp4", bytes);
        await using var proxy = await Peers.StartProxyAsync(wire, "http://127.0.0.1:9", r => r.WithStaticFiles(Root).WithBuffering());
        using var http = proxy.CreateClient(wire);

        var whole = await http.GetAsync("/film.mp4");
        Assert.Equal((HttpStatusCode.OK, wire.Version()), (whole.StatusCode, whole.Version));
        Assert.Equal(bytes, await whole.Content.ReadAsByteArrayAsync());

        foreach (var (from, to) in new (long?, long?)[] { (0, 0), (4_000_000, 4_999_999), (4_999_999, null), (null, 1000) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/film.mp4") { Version = wire.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            request.Headers.Range = new(from, to);
            request.Headers.IfRange = new(whole.Headers.ETag!);
            var part = await http.SendAsync(request);

            var start = (int)(from ?? bytes.Length - to!.Value);
            var end = from is null ? bytes.Length : (int)(to ?? bytes.Length - 1) + 1;
            Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
            Assert.Equal(new ContentRangeHeaderValue(start, end - 1, bytes.Length), part.Content.Headers.ContentRange);
            Assert.Equal(bytes[start..end], await part.Content.ReadAsByteArrayAsync());
        }

        using var head = await http.SendAsync(new(HttpMethod.Head, "/film.mp4") { Version = wire.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact });
        Assert.Equal((HttpStatusCode.OK, 5_000_000L), (head.StatusCode, head.Content.Headers.ContentLength));
        using var conditional = new HttpRequestMessage(HttpMethod.Get, "/film.mp4") { Version = wire.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        conditional.Headers.IfNoneMatch.Add(whole.Headers.ETag!);
        Assert.Equal(HttpStatusCode.NotModified, (await http.SendAsync(conditional)).StatusCode);
    }

    [Fact]
    public async Task A_kept_connection_goes_on_after_every_kind_of_answer()
    {
        Write("app.js", "script"u8.ToArray());
        Write("app.js.gz", "zipped"u8.ToArray());
        await using var upstream = await KestrelApp.StartAsync(app => app.Run(context => context.Response.WriteAsync(Upstream)));
        await using var proxy = await KestrelApp.StartProxyAsync(upstream.Url, r => r.WithStaticFiles(Root));

        var answer = await RawClient.SendAsync(
            proxy.Port,
            "GET /app.js HTTP/1.1\r\nHost: a\r\n\r\nHEAD /app.js HTTP/1.1\r\nHost: a\r\n\r\nGET /app.js HTTP/1.1\r\nHost: a\r\nRange: bytes=99-\r\n\r\nGET /app.js HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
            + "GET /app.js HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\nGET /.env HTTP/1.1\r\nHost: a\r\n\r\nGET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.Equal(["200", "200", "416", "200", "304", "404", "200"], answer.Split("HTTP/1.1 ").Skip(1).Select(a => a[..3]));
        Assert.EndsWith(Upstream + "\r\n0\r\n\r\n", answer);
    }

    [Fact]
    public async Task A_pipe_is_no_file_and_nobody_waits_for_it()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs mkfifo.");
        Directory.CreateDirectory(Root);
        Write("app.js", "script"u8.ToArray());
        foreach (var name in (string[])["pipe.js", "app.js.br"])
        {
            using var mkfifo = Process.Start("mkfifo", [Path.Join(Root, name)])!;
            await mkfifo.WaitForExitAsync();
        }
        await using var upstream = await KestrelApp.StartAsync(app => app.Run(context => context.Response.WriteAsync(Upstream)));
        await using var proxy = await KestrelApp.StartProxyAsync(upstream.Url, r => r.WithStaticFiles(Root));

        Assert.Contains(Upstream, await GetAsync(proxy, "/pipe.js"));
        Assert.EndsWith("script", await GetAsync(proxy, "/app.js", "Accept-Encoding: br\r\n"));
    }

    [Theory]
    [InlineData("", PathForwarding.Raw)]
    [InlineData("/shop", PathForwarding.Normalized)]
    public async Task However_a_target_is_spelt_nothing_leaves_the_root_and_no_dot_file_is_shown(string prefix, PathForwarding forwarding)
    {
        string[] secrets = ["../outside.html", "../root2/x.html", ".env", ".git/config.txt", "a/.hidden/x.html", "appsettings.json", "page.html~", "x.php", "../outside.html.br", ".well-known/.secret.txt"];
        foreach (var name in secrets)
            Write(name, System.Text.Encoding.UTF8.GetBytes(Secret));
        Write("app.js", "script"u8.ToArray());
        Write("a/x.html", "page"u8.ToArray());
        Write("index.html", "shell"u8.ToArray());
        File.CreateSymbolicLink(Path.Join(Root, "out.html"), "../outside.html");
        File.CreateSymbolicLink(Path.Join(Root, "up"), "..");
        await using var upstream = await KestrelApp.StartAsync(app => app.Run(context => context.Response.WriteAsync(Upstream)));
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.MapGet(prefix + "/private/{**path}", () => Results.StatusCode(403));
                app.MapProxy(prefix + "/{**path}", upstream.Url).WithStaticFiles(Root, s =>
                {
                    s.Fallback = "index.html";
                    s.IndexFiles.Add("index.html");
                });
            },
            services => services.AddReverseProxy(o => o.PathForwarding = forwarding));
        Assert.EndsWith("script", await GetAsync(proxy, prefix + "/app.js"));

        string[] before =
        [
            "/", "//", "/./", "/%2e/", "/../", "/..%2f", "/%2e%2e/", "/%2e%2e%2f", "/a/../", "/a/..%2f..%2f", "/a/%2e%2e/%2e%2e/", "/..%5c", "/%5c", "/..\\", "/%2f", "/.%00/", "/app.js/../", "/app.js/..%2f", "/%252e%252e/",
            "/..%252f", "/%c0%ae%c0%ae/", "/..%c0%af", "/%e0%80%af..%e0%80%af", "/..;/", "/%u002e%u002e/", "/.%2e/", "/%20/", "/%ef%bc%8f", "/up/", "/up/root/", "/up/root/../", "/.well-known/../", "/.well-known/%2e%2e/",
        ];
        string[] after = ["", "/", "%2f", "%00", "%00.js", "%20", ".", "::$DATA", ";x.js", "%0d%0a", "%3fx.js", "?x.js", "/../app.js"];
        Func<string, string>[] spellings =
        [
            text => text, text => text.Replace(".", "%2e", StringComparison.Ordinal), text => text.Replace("/", "%2F", StringComparison.Ordinal), text => text.Replace("/", "%5c", StringComparison.Ordinal),
            text => text.ToUpperInvariant(), text => text.Replace("/", "//", StringComparison.Ordinal),
        ];
        var targets =
            from start in before from name in secrets from spell in spellings from end in after
            where Random.Shared.Next(6) == 0 // a different part of the 25,000 in each run
            select prefix + start + spell(name) + end;
        await Parallel.ForEachAsync(targets.Concat([prefix + "/out.html", prefix + "/up/outside.html"]), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (target, _) =>
        {
            var answer = await GetAsync(proxy, target, "Accept: text/html\r\nAccept-Encoding: br\r\n");
            Assert.True(answer.StartsWith("HTTP/1.1 ", StringComparison.Ordinal) && !answer.StartsWith("HTTP/1.1 500", StringComparison.Ordinal), target + "\n" + answer);
            Assert.False(answer.Contains(Secret, StringComparison.Ordinal), target + "\n" + answer);
        });
    }

    // The path that was routed and authorized is the one that is served.
    [Theory]
    [InlineData("/public%2F..%2Fprivate/report.html")]
    [InlineData("http://localhost/public%2F..%2Fprivate/report.html")]
    [InlineData("http://localhost/public%2f%2e%2e%2fprivate%2freport.html")]
    [InlineData("/private%2freport.html")]
    [InlineData("//private/report.html")]
    [InlineData("/public/..%5cprivate%5creport.html")]
    public async Task A_file_is_not_found_by_another_path_than_routing_saw(string target)
    {
        Write("private/report.html", System.Text.Encoding.UTF8.GetBytes(Secret));
        await using var upstream = await KestrelApp.StartAsync(app => app.Run(context => context.Response.WriteAsync(Upstream)));
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.MapGet("/private/{**path}", () => Results.StatusCode(403));
                app.MapProxy("/{**path}", upstream.Url).WithStaticFiles(Root);
            },
            services => services.AddReverseProxy());

        Assert.StartsWith("HTTP/1.1 403 ", await GetAsync(proxy, "/private/report.html"));
        Assert.DoesNotContain(Secret, await GetAsync(proxy, target));
    }

    private void Write(string file, byte[] content)
    {
        var path = Path.Join(Root, file);
        Directory.CreateDirectory(Root);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
    }

    private static Task<string> GetAsync(KestrelApp app, string target, string headers = "") =>
        RawClient.SendAsync(app.Port, $"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
}
