using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.StaticSites;

/// <summary>MapPhp: what a path leads to.</summary>
public class SiteTests
{
    private static readonly string[] s_files =
    [
        "index.php", "style.css", "app.js", "photo.jpg", "readme.html", "robots.txt", "name with space.txt", "über.txt", "100%.txt", "a%2Fb.txt", "feed.xml",
        "info.php", "docs/index.html", "docs/style.css", "wp-admin/index.php", "wp-admin/css/a.css", "UPPER.PHP", "both/index.php", "both/index.html",
        "wp-content/uploads/pic.jpg", "wp-content/uploads/evil.php", "wp-content/uploads/evil.jpg", "wp-content/uploads/index.php", "wp-content/uploads/index.html",
        "blog/wp-content/uploads/evil.php", "wp-content/upload\u017f/evil.php", "sites/default/files/x.php", "folder.php/index.html", "folder.php/a.css",
        ".well-known/acme-challenge/token", ".well-known/security.txt", ".well-known/carddav.php", "a.php.d/b.css", "jquery.min.js",
    ];

    [Theory]
    // files
    [InlineData("/style.css", "file style.css")]
    [InlineData("/style.css?ver=1", "file style.css")]
    [InlineData("/st%79le.css", "file style.css")]
    [InlineData("/name%20with%20space.txt", "file name with space.txt")]
    [InlineData("/%C3%BCber.txt", "file über.txt")]
    [InlineData("/100%25.txt", "file 100%.txt")]
    [InlineData("/docs/style.css", "file docs/style.css")]
    [InlineData("/docs/../style.css", "file style.css")]
    [InlineData("/readme.html", "file readme.html")]
    [InlineData("/wp-content/uploads/pic.jpg", "file wp-content/uploads/pic.jpg")]
    [InlineData("/wp-content/uploads/evil.jpg", "file wp-content/uploads/evil.jpg")]
    [InlineData("/.well-known/acme-challenge/token", "file .well-known/acme-challenge/token")]
    [InlineData("/.well-known/security.txt", "file .well-known/security.txt")]
    [InlineData("/folder.php/a.css", "file folder.php/a.css")]
    [InlineData("/a.php.d/b.css", "file a.php.d/b.css")]
    // scripts
    [InlineData("/info.php", "PHP /info.php|")]
    [InlineData("/info.php/", "PHP /info.php|/")]
    [InlineData("/info.php/a/b.css", "PHP /info.php|/a/b.css")]
    [InlineData("/info.php/.NET", "PHP /info.php|/.NET")]
    [InlineData("/index.php/wp-content/uploads/x", "PHP /index.php|/wp-content/uploads/x")]
    [InlineData("/UPPER.PHP", "PHP /UPPER.PHP|")]
    [InlineData("/.well-known/carddav.php", "PHP /.well-known/carddav.php|")]
    // folders
    [InlineData("/", "PHP /index.php|")]
    [InlineData("/?p=1", "PHP /index.php|")]
    [InlineData("/wp-admin/", "PHP /wp-admin/index.php|")]
    [InlineData("/docs/", "file docs/index.html")]
    [InlineData("/both/", "PHP /both/index.php|")]
    [InlineData("/folder.php/", "file folder.php/index.html")]
    [InlineData("/wp-admin", "301 /wp-admin/")]
    [InlineData("/wp-admin?a=1&b=%2F", "301 /wp-admin/?a=1&b=%2F")]
    [InlineData("/docs", "301 /docs/")]
    [InlineData("/d%6Fcs", "301 /d%6Fcs/")]
    [InlineData("/wp-content", "PHP /index.php|")]
    [InlineData("/wp-content/", "PHP /index.php|")]
    // the front controller
    [InlineData("/2026/11/hello-world/", "PHP /index.php|")]
    [InlineData("/wp-json/wp/v2/posts", "PHP /index.php|")]
    [InlineData("/missing.css", "PHP /index.php|")]
    [InlineData("/missing.php", "PHP /index.php|")]
    [InlineData("/style.css/", "PHP /index.php|")]
    [InlineData("/style.css/x.php", "PHP /index.php|")]
    [InlineData("/wp-content/uploads/missing.jpg", "PHP /index.php|")]
    [InlineData("/wp-content/uploads/evil.jpg/x.php", "PHP /index.php|")]
    [InlineData("/wp-content/uploads/", "file wp-content/uploads/index.html")]
    [InlineData("//style.css", "PHP /index.php|")]
    [InlineData("/docs//style.css", "PHP /index.php|")]
    [InlineData("/docs%2Fstyle.css", "PHP /index.php|")]
    [InlineData("//evil.example/..%2f", "400 ")]
    [InlineData("//evil.example/", "PHP /index.php|")]
    [InlineData("/wiki/AC%5CDC", "PHP /index.php|")]
    [InlineData("/caf%E9", "PHP /index.php|")]
    [InlineData("/a%2Fb.txt", "PHP /index.php|")]
    // where scripts are not run
    [InlineData("/wp-content/uploads/evil.php", "404 ")]
    [InlineData("/wp-content/uploads/evil.php/x", "404 ")]
    [InlineData("/wp-content/uploads/index.php", "404 ")]
    [InlineData("/blog/wp-content/uploads/evil.php", "404 ")]
    [InlineData("/wp-content/upload%C5%BF/evil.php", "404 ")] // where the file system ignores case, a long s is an s
    [InlineData("/sites/default/files/x.php", "404 ")]
    // what names nothing anywhere
    [InlineData("/x%0d%0a.css", "400 ")]
    [InlineData("/x%7f.php", "400 ")]
    [InlineData("/info.php/%0aAAAA", "400 ")]
    public async Task A_path_leads_to(string target, string expected)
    {
        using var site = new PhpSite().Add(s_files);
        await using var app = await site.StartAsync();

        var answer = await SiteAnswer.GetAsync(app, target);

        Assert.Equal(expected, Describe(answer));
    }

    [Theory]
    [InlineData("POST", "/style.css", "PHP /index.php|")]
    [InlineData("POST", "/info.php", "PHP /info.php|")]
    [InlineData("PUT", "/.well-known/security.txt", "PHP /index.php|")]
    [InlineData("OPTIONS", "/docs/", "PHP /index.php|")]
    [InlineData("DELETE", "/photo.jpg", "PHP /index.php|")]
    [InlineData("POST", "/wp-admin", "308 /wp-admin/")]
    [InlineData("POST", "/docs", "PHP /index.php|")]
    [InlineData("POST", "/.env", "404 ")]
    [InlineData("POST", "/wp-content/uploads/evil.php", "404 ")]
    public async Task Files_answer_no_other_method(string method, string target, string expected)
    {
        using var site = new PhpSite().Add(s_files);
        await using var app = await site.StartAsync();

        Assert.Equal(expected, Describe(await SiteAnswer.GetAsync(app, target, method)));
    }

    [Fact]
    public async Task Php_is_told_where_the_script_is()
    {
        using var site = new PhpSite().Add(s_files);
        await using var app = await site.StartAsync();

        await SiteAnswer.GetAsync(app, "/2026/hello%2Fworld/?page=2");

        Assert.Equal(site.PathOf("index.php"), site["SCRIPT_FILENAME"]);
        Assert.Equal(site.Root, site["DOCUMENT_ROOT"]);
        Assert.Equal("/index.php", site["SCRIPT_NAME"]);
        Assert.Equal("/2026/hello%2Fworld/?page=2", site["REQUEST_URI"]);
        Assert.Equal("page=2", site["QUERY_STRING"]);
        Assert.Equal("", site["PATH_INFO"] ?? "");

        await SiteAnswer.GetAsync(app, "/info.php/a/b?x");

        Assert.Equal(site.PathOf("info.php"), site["SCRIPT_FILENAME"]);
        Assert.Equal("/a/b", site["PATH_INFO"]);
    }

    [Theory]
    [InlineData("/blog", "301 /blog/")]
    [InlineData("/blog?a=b", "301 /blog/?a=b")]
    [InlineData("/blog/", "PHP /blog/index.php|")]
    [InlineData("/blog/style.css", "file style.css")]
    [InlineData("/BLOG/style.css", "file style.css")]
    [InlineData("/blog/wp-admin", "301 /blog/wp-admin/")]
    [InlineData("/blog/2026/hello", "PHP /blog/index.php|")]
    [InlineData("/blog/info.php/x", "PHP /blog/info.php|/x")]
    [InlineData("/blog/.env", "404 ")]
    [InlineData("/blog//evil.example/", "PHP /blog/index.php|")]
    [InlineData("/style.css", "404 ")]
    public async Task A_site_can_stand_below_a_prefix(string target, string expected)
    {
        using var site = new PhpSite().Add(s_files);
        await using var app = await site.StartAsync(app => app.MapGroup("/blog"));

        Assert.Equal(expected, Describe(await SiteAnswer.GetAsync(app, target)));
        if (expected.StartsWith("PHP", StringComparison.Ordinal))
            Assert.Equal(target, site["REQUEST_URI"]);
    }

    [Fact]
    public async Task A_prefix_may_be_a_parameter_and_others_see_the_path_as_it_was()
    {
        using var site = new PhpSite().Add(s_files);
        PathString seen = default;
        await using var app = await site.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    await next(context);
                    seen = context.Request.Path;
                });
                return app.MapGroup("/sites/{name}");
            });

        Assert.Equal("PHP /sites/one/index.php|", Describe(await SiteAnswer.GetAsync(app, "/sites/one/hello")));
        Assert.Equal("/sites/one/hello", seen);
    }

    [Fact]
    public async Task The_apps_own_endpoints_go_first()
    {
        using var site = new PhpSite().Add(s_files);
        await using var app = await site.StartAsync(app =>
        {
            app.MapGet("/style.css", () => "mine");
            return app;
        });

        Assert.Equal("mine", (await SiteAnswer.GetAsync(app, "/style.css")).Body);
        // "//style.css" is another path to routing and authorization, so it is no way round them.
        Assert.Equal("PHP /index.php|", (await SiteAnswer.GetAsync(app, "//style.css")).Body);
    }

    [Fact]
    public async Task A_request_that_is_run_again_elsewhere_gets_the_script_of_there()
    {
        using var site = new PhpSite().Add("index.php", "errors/page.php");
        var scripts = new List<string>();
        var destinations = new TestDestinations();
        destinations.Map(PhpSite.Fpm, request =>
        {
            Assert.True(request.Options.TryGetValue(FastCgiHandler.Parameters, out var parameters));
            scripts.Add(parameters.Single(p => p.Key == "SCRIPT_FILENAME").Value);
            return new(scripts.Count == 1 ? HttpStatusCode.NotFound : HttpStatusCode.OK);
        });
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(destinations);
            },
            app =>
            {
                app.UseStatusCodePagesWithReExecute("/errors/page.php");
                app.UseRouting();
                app.MapGroup("/site").MapPhp(site.Root, PhpSite.Fpm).WithInterceptErrors("404");
                app.MapProxy("/errors/{**path}", PhpSite.Fpm).WithFastCgi(site.Root);
            });

        await SiteAnswer.GetAsync(app, "/site/no-such-page");

        Assert.Equal([site.PathOf("index.php"), site.PathOf("errors/page.php")], scripts);
    }

    [Fact]
    public async Task A_location_that_a_script_below_a_prefix_gives_is_the_clients_already()
    {
        using var site = new PhpSite().Add(s_files);
        var destinations = new TestDestinations();
        destinations.Map(PhpSite.Fpm, _ =>
        {
            var response = new HttpResponseMessage(HttpStatusCode.Found);
            response.Headers.TryAddWithoutValidation("Location", "/blog/wp-login.php");
            response.Headers.TryAddWithoutValidation("Set-Cookie", "a=b; Path=/blog/");
            return response;
        });
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapGroup("/blog").MapPhp(site.Root, PhpSite.Fpm));

        var answer = await SiteAnswer.GetAsync(app, "/blog/wp-admin/");

        Assert.Equal("/blog/wp-login.php", answer["Location"]);
        Assert.Equal("a=b; Path=/blog/", answer["Set-Cookie"]);
    }

    [Fact]
    public async Task MapProxy_with_FastCgi_serves_no_files()
    {
        using var site = new PhpSite().Add(s_files);
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(site.Destinations());
            },
            app => app.MapProxy("/{**path}", PhpSite.Fpm).ConfigureRoute(route => route with { FastCgi = new() { Root = site.Root } }));

        Assert.False((await SiteAnswer.GetAsync(app, "/style.css")).IsFile);
        Assert.Equal("PHP /info.php|", Describe(await SiteAnswer.GetAsync(app, "/info.php")));
    }

    private static string Describe(SiteAnswer answer) =>
        answer.IsFile ? answer.Body.Replace("content of ", "file ", StringComparison.Ordinal)
        : answer.Status == 200 ? answer.Body
        : $"{answer.Status} {answer["Location"]}";
}
