using System.Security.Claims;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.StaticSites;

/// <summary>How a folder's files are answered with: caching, conditions, ranges, the page that stands for all others.</summary>
public class StaticFilesAnswerTests
{
    private const string Year = "public, max-age=31536000, immutable";

    [Theory]
    [InlineData("/app.3f2a9c1b.js", Year)]
    [InlineData("/main-BXk3d9aQ.css", Year)]
    [InlineData("/index-B_kV3a-9.js", Year)]
    [InlineData("/logo.4c1f88d2e0a7.svg", Year)]
    [InlineData("/app.js?v=3", Year)]
    [InlineData("/app.js?1718000000", Year)]
    [InlineData("/app.js", "no-cache")]
    [InlineData("/app.js?utm_source=mail", "no-cache")]
    [InlineData("/app-holidays.js", "no-cache")]
    [InlineData("/module-fileUploader.js", "no-cache")]
    [InlineData("/photo-20240115.jpg", "no-cache")]
    [InlineData("/index.html", "no-cache")]
    [InlineData("/page.3f2a9c1b.html", "no-cache")]
    [InlineData("/report-INV20240001.pdf", "no-cache")]
    [InlineData("/font.woff2", "no-cache")]
    public async Task What_never_changes_is_kept_and_all_else_is_checked(string target, string expected)
    {
        using var folder = new StaticFolder().Add(target[1..].Split('?')[0]);
        await using var app = await folder.StartAsync();

        var answer = await SiteAnswer.GetAsync(app, target);

        Assert.Equal((200, expected, "nosniff"), (answer.Status, answer["Cache-Control"], answer["X-Content-Type-Options"]));
    }

    [Fact]
    public async Task What_never_changes_and_what_is_said_of_the_rest_can_be_configured()
    {
        using var folder = new StaticFolder().Add("font.woff2").Add("assets/a/index-DiwrgTda.js").Add("assets/data.json").Add("other/data.json").Add("page.html");
        await using var app = await folder.StartAsync(o =>
        {
            o.MaxAge = TimeSpan.FromMinutes(1);
            o.ImmutableFiles.Add("*.woff2");
            o.ImmutablePaths.Add("/assets/");
            o.CacheControl = "public, max-age=10, s-maxage=20";
        });

        foreach (var target in (string[])["/font.woff2", "/assets/a/index-DiwrgTda.js", "/assets/data.json"])
            Assert.Equal("public, max-age=60, immutable", (await SiteAnswer.GetAsync(app, target))["Cache-Control"]);
        foreach (var target in (string[])["/other/data.json", "/page.html"])
            Assert.Equal("public, max-age=10, s-maxage=20", (await SiteAnswer.GetAsync(app, target))["Cache-Control"]);
        Assert.Equal("private, max-age=60, immutable", (await SignedInAsync(app, "/font.woff2"))["Cache-Control"]);
        Assert.Equal("max-age=10, private", (await SignedInAsync(app, "/page.html"))["Cache-Control"]);
    }

    [Fact]
    public async Task Nothing_is_said_if_nothing_is_to_be_said()
    {
        using var folder = new StaticFolder().Add("app.js").Add("app.3f2a9c1b.js");
        await using var app = await folder.StartAsync(o =>
        {
            o.CacheControl = "";
            o.MaxAge = TimeSpan.Zero;
        });

        Assert.Null((await SiteAnswer.GetAsync(app, "/app.js"))["Cache-Control"]);
        Assert.Equal("no-cache", (await SiteAnswer.GetAsync(app, "/app.3f2a9c1b.js"))["Cache-Control"]);
    }

    // RFC 9111 §3.5: "public" would let a cache that many share keep what was given to one.
    [Fact]
    public async Task What_a_user_was_given_after_signing_in_is_not_for_shared_caches()
    {
        using var folder = new StaticFolder().Add("app.3f2a9c1b.js").Add("page.html");
        await using var app = await folder.StartAsync();

        Assert.Equal("private, max-age=31536000, immutable", (await SignedInAsync(app, "/app.3f2a9c1b.js"))["Cache-Control"]);
        Assert.Equal("no-cache", (await SignedInAsync(app, "/page.html"))["Cache-Control"]);
    }

    [Fact]
    public async Task Conditions_are_answered()
    {
        using var folder = new StaticFolder().Add("style.css");
        await using var app = await folder.StartAsync();
        var answer = await SiteAnswer.GetAsync(app, "/style.css");

        Assert.Equal(("text/css", "Fri, 02 Jan 2026 03:04:05 GMT", "20", "bytes"), (answer["Content-Type"], answer["Last-Modified"], answer["Content-Length"], answer["Accept-Ranges"]));
        var notModified = await SiteAnswer.GetAsync(app, "/style.css", configure: r => r.Headers.IfNoneMatch = answer["ETag"]);
        Assert.Equal((304, "", "no-cache", answer["ETag"]), (notModified.Status, notModified.Body, notModified["Cache-Control"], notModified["ETag"]));
        Assert.Equal(304, (await SiteAnswer.GetAsync(app, "/style.css", configure: r => r.Headers.IfModifiedSince = answer["Last-Modified"])).Status);
        Assert.Equal(200, (await SiteAnswer.GetAsync(app, "/style.css", configure: r => r.Headers.IfRange = "\"other\"")).Status);
    }

    // A refusal that caches keep for a year would take the file from everybody.
    [Theory]
    [InlineData("Range", "bytes=100-", 416)]
    [InlineData("If-Match", "\"other\"", 412)]
    [InlineData("If-Unmodified-Since", "Fri, 02 Jan 2015 03:04:05 GMT", 412)]
    public async Task A_refusal_is_never_kept(string header, string value, int status)
    {
        using var folder = new StaticFolder().Add("app.3f2a9c1b.js");
        await using var app = await folder.StartAsync();
        using var site = new PhpSite().Add("app.3f2a9c1b.js");
        await using var php = await site.StartAsync();

        foreach (var each in (ProxyApp[])[app, php])
        {
            var answer = await SiteAnswer.GetAsync(each, "/app.3f2a9c1b.js", configure: r => r.Headers[header] = value);
            Assert.Equal((status, "no-store"), (answer.Status, answer["Cache-Control"]));
        }
    }

    [Theory]
    [InlineData("GET", "/", "text/html", true)]
    [InlineData("GET", "/orders/17", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true)]
    [InlineData("GET", "/orders/", "text/html", true)]
    [InlineData("GET", "/a%2Fb", "text/html", true)]
    [InlineData("HEAD", "/orders", "text/html", true)]
    [InlineData("GET", "/apiary", "text/html", true)]
    [InlineData("GET", "/orders", "application/json", false)]
    [InlineData("GET", "/orders", "*/*", false)]
    [InlineData("GET", "/orders", null, false)]
    [InlineData("GET", "/orders", "text/html;q=0", false)]
    [InlineData("POST", "/orders", "text/html", false)]
    [InlineData("GET", "/missing.js", "text/html", false)]
    [InlineData("GET", "/api", "text/html", false)]
    [InlineData("GET", "/api/orders", "text/html", false)]
    [InlineData("GET", "/API/orders", "text/html", false)]
    [InlineData("GET", "/api%2Forders", "text/html", false)]
    [InlineData("GET", "/swagger/index", "text/html", false)]
    [InlineData("GET", "/.well-known/change-password", "text/html", false)]
    public async Task Pages_that_are_no_files_are_the_fallback_and_all_else_is_the_upstreams(string method, string target, string? accept, bool isFallback)
    {
        using var folder = new StaticFolder().Add("shell/index.html", "the shell");
        await using var app = await folder.StartAsync(o =>
        {
            o.Fallback = "shell/index.html";
            o.NoFallbackPaths.Add("/swagger/");
        });

        var answer = await SiteAnswer.GetAsync(app, target, method, r => r.Headers.Accept = accept);

        Assert.Equal((200, isFallback), (answer.Status, answer.IsFile));
        if (isFallback)
        {
            Assert.Equal(("no-cache", "Accept", "text/html"), (answer["Cache-Control"], answer["Vary"], answer["Content-Type"]));
            Assert.Equal(method == "GET" ? "the shell" : "", answer.Body);
        }
    }

    [Fact]
    public async Task The_fallback_can_be_compressed_and_a_file_goes_before_it()
    {
        using var folder = new StaticFolder().Add("index.html", "the shell").Add("index.html.br", "compressed shell", DateTime.UtcNow).Add("about.html", "about");
        await using var app = await folder.StartAsync(o =>
        {
            o.Fallback = "index.html";
            o.ImmutableFiles.Add("*.html");
        });

        var fallback = await SiteAnswer.GetAsync(app, "/x", configure: r => (r.Headers.Accept, r.Headers.AcceptEncoding) = ("text/html", "br"));

        Assert.Equal(("compressed shell", "br", "Accept,Accept-Encoding", "no-cache"), (fallback.Body, fallback["Content-Encoding"], fallback["Vary"], fallback["Cache-Control"]));
        Assert.Equal("about", (await SiteAnswer.GetAsync(app, "/about.html", configure: r => r.Headers.Accept = "text/html")).Body);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Compression_on_the_way_is_put_around_files_and_leaves_those_that_are_compressed(bool isTheAppsOwn)
    {
        using var folder = new StaticFolder().Add("app.js", new('x', 10_000)).Add("lib.js", new('y', 10_000)).Add("lib.js.br", "as br", DateTime.UtcNow);
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddResponseCompression();
                services.AddProxyTestDestinations(new());
            },
            app =>
            {
                if (isTheAppsOwn)
                    app.UseResponseCompression();
                var route = app.MapProxy("/{**path}", ProxyApp.Upstream).WithStaticFiles(folder.Root);
                if (!isTheAppsOwn)
                    route.WithCompression();
            });

        var compressed = await SiteAnswer.GetAsync(app, "/app.js", configure: r => r.Headers.AcceptEncoding = "br");
        Assert.Equal(("br", "Accept-Encoding"), (compressed["Content-Encoding"], compressed["Vary"]));
        Assert.InRange(compressed.Body.Length, 1, 1000);
        Assert.Equal(10_000, (await app.OutcomeAsync()).ResponseBodyBytes);

        var precompressed = await SiteAnswer.GetAsync(app, "/lib.js", configure: r => r.Headers.AcceptEncoding = "br");
        Assert.Equal(("br", "as br", "Accept-Encoding"), (precompressed["Content-Encoding"], precompressed.Body, precompressed["Vary"]));

        foreach (var (target, answer) in new[] { ("/app.js", compressed), ("/lib.js", precompressed) })
        {
            if (!isTheAppsOwn)
                Assert.EndsWith("-br\"", answer["ETag"]);
            var again = await SiteAnswer.GetAsync(app, target, configure: r => (r.Headers.AcceptEncoding, r.Headers.IfNoneMatch) = ("br", answer["ETag"]));
            Assert.Equal((304, answer["ETag"]), (again.Status, again["ETag"]));
            if (!isTheAppsOwn)
                Assert.Equal("Accept-Encoding", again["Vary"]);
        }
        Assert.Equal("yyyy", (await SiteAnswer.GetAsync(app, "/lib.js", configure: r => r.Headers.Range = "bytes=0-3")).Body);
        Assert.Null((await SiteAnswer.GetAsync(app, "/lib.js", configure: r => (r.Headers.AcceptEncoding, r.Headers.Range) = ("gzip", "bytes=0-3")))["Content-Encoding"]);
    }

    [Fact]
    public async Task The_cache_of_a_route_has_no_files_in_it()
    {
        using var folder = new StaticFolder().Add("app.3f2a9c1b.js", "first");
        await using var app = await folder.StartAsync(route: r => r.WithCache());
        await SiteAnswer.GetAsync(app, "/app.3f2a9c1b.js");

        folder.Add("app.3f2a9c1b.js", "second");
        var answer = await SiteAnswer.GetAsync(app, "/app.3f2a9c1b.js");

        Assert.Equal(("second", null, null), (answer.Body, answer["Cache-Status"], answer["Age"]));
    }

    private static Task<SiteAnswer> SignedInAsync(ProxyApp app, string target) =>
        SiteAnswer.GetAsync(app, target, configure: r => r.HttpContext.User = new(new ClaimsIdentity("Cookies")));
}
