using System.Globalization;
using Microsoft.AspNetCore.Builder;

namespace ProxyKit.Tests.StaticSites;

/// <summary>How files are answered with: caching, validators, ranges, types.</summary>
public class SiteFilesTests
{
    private const string Year = "public, max-age=31536000";

    [Theory]
    [InlineData("style.css", "", Year)]
    [InlineData("style.css", "?ver=6.4.1", Year + ", immutable")]
    [InlineData("style.css", "?v=3", Year + ", immutable")]
    [InlineData("style.css", "?version=3&x=y", Year + ", immutable")]
    [InlineData("style.css", "?1718000000", Year + ", immutable")]
    [InlineData("style.css", "?utm_source=mail", Year)]
    [InlineData("app.3f2a9c1b.js", "", Year + ", immutable")]
    [InlineData("index-BkV3aXyz.css", "", Year + ", immutable")]
    [InlineData("app-holidays.js", "", Year)]
    [InlineData("photo-20240115.jpg", "", Year)]
    [InlineData("jquery.min.js", "", Year)]
    [InlineData("module.mjs", "", Year)]
    [InlineData("photo.jpg", "", Year)]
    [InlineData("photo.JPG", "", Year)]
    [InlineData("logo.svg", "", Year)]
    [InlineData("photo.avif", "", Year)]
    [InlineData("font.woff2", "", Year)]
    [InlineData("font.woff", "", Year)]
    [InlineData("font.ttf", "", Year)]
    [InlineData("film.mp4", "", Year)]
    [InlineData("sound.mp3", "", Year)]
    [InlineData("x.wasm", "", Year)]
    [InlineData("page.html", "", "no-cache")]
    [InlineData("page.html", "?ver=1", "no-cache")]
    [InlineData("robots.txt", "", "no-cache")]
    [InlineData("feed.xml", "", "no-cache")]
    [InlineData("data.json", "", "no-cache")]
    [InlineData("paper.pdf", "", "no-cache")]
    public async Task Assets_are_kept_and_pages_are_checked(string name, string query, string expected)
    {
        using var site = new PhpSite().Add(name);
        await using var app = await site.StartAsync();

        var answer = await SiteAnswer.GetAsync(app, "/" + name + query);

        Assert.Equal(200, answer.Status);
        Assert.Equal(expected, answer["Cache-Control"]);
        Assert.Equal("nosniff", answer["X-Content-Type-Options"]);
    }

    [Theory]
    [InlineData(0, "no-cache", "no-cache")]
    [InlineData(60, "public, max-age=60", "public, max-age=60, immutable")]
    public async Task How_long_assets_are_kept_can_be_said(int seconds, string plain, string versioned)
    {
        using var site = new PhpSite().Add("style.css");
        await using var app = await site.StartAsync(route => route.WithSite(s => s.AssetMaxAge = TimeSpan.FromSeconds(seconds)));

        Assert.Equal(plain, (await SiteAnswer.GetAsync(app, "/style.css"))["Cache-Control"]);
        Assert.Equal(versioned, (await SiteAnswer.GetAsync(app, "/style.css?ver=1"))["Cache-Control"]);
    }

    // RFC 9111 §3.5: "public" would let a cache that many share keep what was given to one.
    [Theory]
    [InlineData("/style.css", "private, max-age=31536000")]
    [InlineData("/style.css?ver=1", "private, max-age=31536000, immutable")]
    [InlineData("/page.html", "no-cache")]
    public async Task What_a_user_was_given_after_signing_in_is_not_for_shared_caches(string target, string expected)
    {
        using var site = new PhpSite().Add("style.css", "page.html");
        await using var app = await site.StartAsync();

        var answer = await SiteAnswer.GetAsync(app, target, configure: r => r.HttpContext.User = new(new System.Security.Claims.ClaimsIdentity("Cookies")));

        Assert.Equal((200, expected), (answer.Status, answer["Cache-Control"]));
    }

    [Fact]
    public async Task A_file_has_validators_and_answers_conditions()
    {
        using var site = new PhpSite().Add("style.css");
        File.SetLastWriteTimeUtc(site.PathOf("style.css"), new(2026, 1, 2, 3, 4, 5, 678, DateTimeKind.Utc));
        await using var app = await site.StartAsync();

        var answer = await SiteAnswer.GetAsync(app, "/style.css");

        Assert.Equal("text/css", answer["Content-Type"]);
        Assert.Equal("Fri, 02 Jan 2026 03:04:05 GMT", answer["Last-Modified"]);
        Assert.Equal(("20", "content of style.css"), (answer["Content-Length"], answer.Body));
        var etag = answer["ETag"]!;
        Assert.Matches("^\"[0-9a-f]+\"$", etag);

        var notModified = await SiteAnswer.GetAsync(app, "/style.css", configure: r => r.Headers.IfNoneMatch = etag);
        Assert.Equal((304, ""), (notModified.Status, notModified.Body));
        Assert.Equal(Year, notModified["Cache-Control"]); // RFC 9110 §15.4.5
        Assert.Equal(etag, notModified["ETag"]);
        Assert.Equal(304, (await SiteAnswer.GetAsync(app, "/style.css", configure: r => r.Headers.IfModifiedSince = answer["Last-Modified"])).Status);
        Assert.Equal(200, (await SiteAnswer.GetAsync(app, "/style.css", configure: r => r.Headers.IfNoneMatch = "\"other\"")).Status);
        Assert.Equal(412, (await SiteAnswer.GetAsync(app, "/style.css", configure: r => r.Headers.IfMatch = "\"other\"")).Status);

        File.WriteAllText(site.PathOf("style.css"), "changed");
        Assert.Equal("changed", (await SiteAnswer.GetAsync(app, "/style.css", configure: r => r.Headers.IfNoneMatch = etag)).Body);
    }

    [Theory]
    [InlineData("bytes=0-6", 206, "content", "bytes 0-6/20")]
    [InlineData("bytes=-9", 206, "style.css", "bytes 11-19/20")]
    [InlineData("bytes=11-", 206, "style.css", "bytes 11-19/20")]
    [InlineData("bytes=100-", 416, "", "bytes */20")]
    [InlineData("rubbish", 200, "content of style.css", null)]
    public async Task A_range_is_answered_with_a_part(string range, int status, string body, string? contentRange)
    {
        using var site = new PhpSite().Add("style.css");
        await using var app = await site.StartAsync();

        var answer = await SiteAnswer.GetAsync(app, "/style.css", configure: r => r.Headers.Range = range);

        Assert.Equal((status, body, contentRange), (answer.Status, answer.Body, answer["Content-Range"]));
    }

    [Fact]
    public async Task HEAD_has_the_headers_and_no_body()
    {
        using var site = new PhpSite().Add("style.css");
        await using var app = await site.StartAsync();

        var answer = await SiteAnswer.GetAsync(app, "/style.css", "HEAD");

        Assert.Equal((200, "", "20", "bytes"), (answer.Status, answer.Body, answer["Content-Length"], answer["Accept-Ranges"]));
    }

    [Fact]
    public async Task Names_can_be_denied_and_allowed_and_types_added()
    {
        using var site = new PhpSite().Add("index.php", "app.js.map", "openapi.yaml", "other.yaml", "model.glb", "blob.unknown", "docs.dump");
        await using var app = await site.StartAsync(route => route.WithSite(s =>
        {
            s.DeniedFiles.Add("*.map");
            s.AllowedFiles.Add("openapi.yaml");
            s.AllowedFiles.Add("docs.*");
            s.ContentTypes[".yaml"] = "application/yaml";
            s.ContentTypes[".glb"] = "model/gltf-binary";
        }));

        Assert.False((await SiteAnswer.GetAsync(app, "/app.js.map")).IsFile);
        Assert.Equal("application/yaml", (await SiteAnswer.GetAsync(app, "/openapi.yaml"))["Content-Type"]);
        Assert.False((await SiteAnswer.GetAsync(app, "/other.yaml")).IsFile);
        Assert.Equal("model/gltf-binary", (await SiteAnswer.GetAsync(app, "/model.glb"))["Content-Type"]);
        Assert.False((await SiteAnswer.GetAsync(app, "/blob.unknown")).IsFile);
        Assert.Equal("application/octet-stream", (await SiteAnswer.GetAsync(app, "/docs.dump"))["Content-Type"]);
    }

    [Fact]
    public async Task Without_a_front_controller_what_is_not_there_is_404()
    {
        using var site = new PhpSite().Add("index.php", "style.css");
        await using var app = await site.StartAsync(route => route.WithSite(s => s.FrontController = ""));

        Assert.Equal(404, (await SiteAnswer.GetAsync(app, "/missing")).Status);
        Assert.True((await SiteAnswer.GetAsync(app, "/style.css")).IsFile);
        Assert.Equal("PHP /index.php|", (await SiteAnswer.GetAsync(app, "/")).Body);
    }

    [Fact]
    public async Task The_front_controller_the_index_and_the_folders_without_scripts_can_be_others()
    {
        using var site = new PhpSite().Add("app/front.php", "index.php", "docs/default.htm", "docs/index.html", "media/x.php", "wp-content/uploads/x.php");
        await using var app = await site.StartAsync(route => route.WithSite(s =>
        {
            s.FrontController = "app/front.php";
            s.IndexFiles.Clear();
            s.IndexFiles.Add("default.htm");
            s.NoScriptPaths.Clear();
            s.NoScriptPaths.Add("/media/");
        }));

        Assert.Equal("PHP /app/front.php|", (await SiteAnswer.GetAsync(app, "/missing")).Body);
        Assert.Equal("PHP /app/front.php|", (await SiteAnswer.GetAsync(app, "/")).Body);
        Assert.Equal("content of docs/default.htm", (await SiteAnswer.GetAsync(app, "/docs/")).Body);
        Assert.Equal(404, (await SiteAnswer.GetAsync(app, "/media/x.php")).Status);
        Assert.Equal(404, (await SiteAnswer.GetAsync(app, "/MEDIA/../media/x.php")).Status);
        Assert.Equal("PHP /wp-content/uploads/x.php|", (await SiteAnswer.GetAsync(app, "/wp-content/uploads/x.php")).Body);
    }

    [Fact]
    public async Task Links_lead_out_of_the_root_unless_they_must_not()
    {
        using var elsewhere = new PhpSite().Add("lib.js").AddSecret("secret.php");
        using var site = new PhpSite().Add("index.php", "inside.css").AddSecret("secret.php", ".hidden/x.css")
            .Link("lib.js", elsewhere.PathOf("lib.js")).Link("inside-link.css", "inside.css").Link("stolen.jpg", elsewhere.PathOf("secret.php"))
            .Add("docs/x.txt").Link("docs/index.php", "../docs/x.txt").Link("stolen2.css", ".hidden/x.css").Link("folder", elsewhere.Root).Link("broken.css", "nowhere.css").Link("circle.css", "circle.css");

        await using (var app = await site.StartAsync())
        {
            // Debian's WordPress has its JavaScript libraries as links to /usr/share/javascript.
            Assert.Equal("content of lib.js", (await SiteAnswer.GetAsync(app, "/lib.js")).Body);
            Assert.Equal("content of lib.js", (await SiteAnswer.GetAsync(app, "/folder/lib.js")).Body);
            Assert.False((await SiteAnswer.GetAsync(app, "/stolen.jpg")).IsFile);
            Assert.False((await SiteAnswer.GetAsync(app, "/broken.css")).IsFile);
            Assert.False((await SiteAnswer.GetAsync(app, "/circle.css")).IsFile);
        }

        await using (var app = await site.StartAsync(route => route.ConfigureRoute(r => r with { FastCgi = r.FastCgi! with { SymbolicLinks = SymbolicLinkPolicy.WithinRoot } })))
        {
            Assert.Equal("content of inside.css", (await SiteAnswer.GetAsync(app, "/inside-link.css")).Body);
            Assert.True((await SiteAnswer.GetAsync(app, "/inside.css")).IsFile);
            foreach (var path in (string[])["/lib.js", "/folder/lib.js", "/stolen.jpg", "/stolen2.css", "/broken.css", "/circle.css"])
                Assert.False((await SiteAnswer.GetAsync(app, path)).IsFile, path);
            Assert.Equal("PHP /index.php|", (await SiteAnswer.GetAsync(app, "/docs/")).Body); // a text by the name of a script
        }
    }

    [Fact]
    public async Task Php_may_see_the_site_in_another_place()
    {
        using var site = new PhpSite().Add("index.php", "info.php", "style.css");
        await using var app = await site.StartAsync(route => route
            .ConfigureRoute(r => r with { FastCgi = r.FastCgi! with { Root = "/var/www/html" } })
            .WithSite(s => s.LocalRoot = site.Root));

        Assert.True((await SiteAnswer.GetAsync(app, "/style.css")).IsFile);
        await SiteAnswer.GetAsync(app, "/info.php/x");
        Assert.Equal("/var/www/html/info.php", site["SCRIPT_FILENAME"]);
        Assert.Equal("/var/www/html", site["DOCUMENT_ROOT"]);
        await SiteAnswer.GetAsync(app, "/hello");
        Assert.Equal("/var/www/html/index.php", site["SCRIPT_FILENAME"]);
    }

    [Fact]
    public async Task A_file_is_no_attempt_at_a_destination()
    {
        using var site = new PhpSite().Add("index.php", "style.css");
        await using var app = await site.StartAsync(route => route.WithAccessLog());

        await SiteAnswer.GetAsync(app, "/style.css");

        var proxy = await app.OutcomeAsync();
        Assert.Null(proxy.Destination);
        Assert.Equal((0, ProxyError.None, 20L), (proxy.Attempts, proxy.Error, proxy.ResponseBodyBytes));
        var line = Assert.Single(app.Logs.GetSnapshot(), r => r.Id.Name == "AccessLog").Message;
        Assert.Contains("GET http://localhost/style.css", line);
        Assert.Contains("200 in=0 out=20", line);
        Assert.Equal(0, site.Requests);
    }

    [Fact]
    public async Task What_is_refused_says_why_in_the_log_and_to_who_asks()
    {
        using var site = new PhpSite().Add("index.php", "404.html");
        await using var app = await site.StartAsync(route => route.WithErrorPage("404", site.PathOf("404.html")).WithTransforms(t => t.SetResponseHeader("X-Frame-Options", "DENY")));

        var answer = await SiteAnswer.GetAsync(app, "/.env");

        Assert.Equal((404, "content of 404.html", "DENY"), (answer.Status, answer.Body, answer["X-Frame-Options"]));
        Assert.Equal(ProxyError.RequestRejected, (await app.OutcomeAsync()).Error);
        Assert.Contains(app.Logs.GetSnapshot(), r => r.Id.Name == "RequestRejected" && r.Message.Contains("begins with a dot", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Response_transforms_hold_for_files_as_well()
    {
        using var site = new PhpSite().Add("index.php", "style.css");
        await using var app = await site.StartAsync(route => route.WithTransforms(t => t
            .SetResponseHeader("X-Frame-Options", "DENY")
            .OnResponse(c =>
            {
                c.HttpContext.Response.Headers["X-Status"] = c.HttpContext.Response.StatusCode.ToString(CultureInfo.InvariantCulture);
                return default;
            })));

        var answer = await SiteAnswer.GetAsync(app, "/style.css", configure: r => r.Headers.Range = "bytes=0-1");

        Assert.Equal((206, "DENY", "206"), (answer.Status, answer["X-Frame-Options"], answer["X-Status"]));
    }

    [Fact]
    public async Task A_file_that_the_proxy_may_not_read_is_403()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess, "Root may read everything.");
        using var site = new PhpSite().Add("index.php", "style.css");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(site.PathOf("style.css"), UnixFileMode.None);
        await using var app = await site.StartAsync();

        Assert.Equal(403, (await SiteAnswer.GetAsync(app, "/style.css")).Status);
    }
}
