using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.StaticSites;

/// <summary>Which requests a folder's files answer, and which go to the upstream.</summary>
public class StaticFilesTests
{
    [Theory]
    [InlineData("GET", "/app.js", true)]
    [InlineData("HEAD", "/app.js", true)]
    [InlineData("GET", "/app.js?v=1", true)]
    [InlineData("GET", "/deep/er/a%20b.css", true)]
    [InlineData("GET", "/%61pp.js", true)]
    [InlineData("POST", "/app.js", false)]
    [InlineData("PUT", "/app.js", false)]
    [InlineData("OPTIONS", "/app.js", false)]
    [InlineData("GET", "/missing.js", false)]
    [InlineData("GET", "/app.js/", false)]
    [InlineData("GET", "/deep", false)]
    [InlineData("GET", "/deep/", false)]
    [InlineData("GET", "/", false)]
    [InlineData("GET", "/blob.unknown", false)]
    [InlineData("GET", "/noextension", false)]
    public async Task Files_answer_reads_and_the_upstream_answers_everything_else(string method, string target, bool isFile)
    {
        using var folder = new StaticFolder().Add("app.js").Add("deep/er/a b.css").Add("deep/index.html").Add("index.html").Add("blob.unknown").Add("noextension");
        await using var app = await folder.StartAsync();

        var answer = await SiteAnswer.GetAsync(app, target, method);

        Assert.Equal((200, isFile), (answer.Status, answer.IsFile));
        if (!isFile)
            Assert.StartsWith(StaticFolder.FromUpstream, answer.Body);
        else if (method == "GET")
            Assert.StartsWith("content of ", answer.Body);
    }

    [Fact]
    public async Task The_outcome_has_no_attempt_and_the_bytes_of_the_file()
    {
        using var folder = new StaticFolder().Add("app.js", "twelve bytes");
        await using var app = await folder.StartAsync();

        await SiteAnswer.GetAsync(app, "/app.js");
        var outcome = await app.OutcomeAsync();

        Assert.Equal((0, 12, ProxyError.None), (outcome.Attempts, outcome.ResponseBodyBytes, outcome.Error));
        Assert.Null(outcome.Destination);
    }

    [Fact]
    public async Task Files_are_looked_for_by_what_follows_the_prefix_of_the_route()
    {
        using var folder = new StaticFolder().Add("app.js").Add("shop/app.js", "too deep");
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                var destinations = new TestDestinations();
                destinations.Map(ProxyApp.Upstream, request => new() { Content = new StringContent(request.RequestUri!.AbsolutePath) });
                services.AddProxyTestDestinations(destinations);
            },
            app =>
            {
                app.MapProxy("/shop/{**path}", ProxyApp.Upstream).WithStaticFiles(folder.Root).WithTransforms(t => t.RemovePathPrefix("/shop"));
                app.MapGroup("/{tenant}/static").MapProxy("/{**path}", ProxyApp.Upstream).WithStaticFiles(folder.Root);
            });

        Assert.Equal("content of app.js", (await SiteAnswer.GetAsync(app, "/shop/app.js")).Body);
        Assert.Equal("content of app.js", (await SiteAnswer.GetAsync(app, "/one/static/app.js")).Body);
        Assert.Equal("/other.js", (await SiteAnswer.GetAsync(app, "/shop/other.js")).Body);
        Assert.Equal("/one/static/other.js", (await SiteAnswer.GetAsync(app, "/one/static/other.js")).Body);
        Assert.Equal("/", (await SiteAnswer.GetAsync(app, "/shop")).Body);
    }

    [Fact]
    public async Task A_folder_has_an_index_if_it_is_asked_for()
    {
        using var folder = new StaticFolder().Add("index.html").Add("docs/index.html").Add("old/default.htm").Add("empty/x.txt");
        await using var app = await folder.StartAsync(o =>
        {
            o.IndexFiles.Add("index.html");
            o.IndexFiles.Add("default.htm");
        });

        Assert.Equal("content of index.html", (await SiteAnswer.GetAsync(app, "/")).Body);
        Assert.Equal("content of docs/index.html", (await SiteAnswer.GetAsync(app, "/docs/")).Body);
        Assert.Equal("content of old/default.htm", (await SiteAnswer.GetAsync(app, "/old/")).Body);
        Assert.False((await SiteAnswer.GetAsync(app, "/empty/")).IsFile);
        var redirect = await SiteAnswer.GetAsync(app, "/docs?a=b");
        Assert.Equal((301, "/docs/?a=b"), (redirect.Status, redirect["Location"]));
        Assert.Equal(200, (await SiteAnswer.GetAsync(app, "/empty")).Status);
        Assert.StartsWith(StaticFolder.FromUpstream, (await SiteAnswer.GetAsync(app, "/docs", "POST")).Body);
    }

    [Fact]
    public async Task A_FastCGI_route_has_static_files_as_well_and_never_the_source_of_its_scripts()
    {
        using var site = new PhpSite().Add("index.php");
        using var folder = new StaticFolder().Add("app.js").Add("x.php").Add("x.phtml").Add("x.php.txt").Add("x.cgi.txt");
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(site.Destinations());
            },
            app => app.MapPhp(site.Root, PhpSite.Fpm).WithFastCgi(f => f.Extensions.Add(".cgi")).WithStaticFiles(folder.Root));

        Assert.Equal("content of app.js", (await SiteAnswer.GetAsync(app, "/app.js")).Body);
        foreach (var script in (string[])["/x.php", "/x.phtml", "/x.php.txt", "/x.cgi.txt", "/"])
            Assert.StartsWith("PHP /index.php", (await SiteAnswer.GetAsync(app, script)).Body);
    }

    [Fact]
    public async Task Response_transforms_hold_for_files()
    {
        using var folder = new StaticFolder().Add("app.js");
        await using var app = await folder.StartAsync(route: r => r.WithTransforms(t => t.SetResponseHeader("X-Frame-Options", "SAMEORIGIN")));

        Assert.Equal("SAMEORIGIN", (await SiteAnswer.GetAsync(app, "/app.js"))["X-Frame-Options"]);
    }

    [Fact]
    public async Task Neither_buffers_nor_mirrors_nor_the_upstream_see_a_request_for_a_file()
    {
        using var folder = new StaticFolder().Add("big.txt", new('x', 3_000_000));
        var reached = 0;
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddCluster("shadow", c => c.To("http://shadow.test"));
                var destinations = new TestDestinations();
                destinations.Map(ProxyApp.Upstream, _ => { reached++; return new(); });
                destinations.Map("http://shadow.test", _ => { reached++; return new(); });
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapProxy("/{**path}", ProxyApp.Upstream).WithBuffering().WithMirror("shadow").WithStaticFiles(folder.Root));

        Assert.Equal(3_000_000, (await SiteAnswer.GetAsync(app, "/big.txt")).Body.Length);
        Assert.Equal(0, reached);
    }

    [Fact]
    public async Task A_file_that_goes_while_it_is_asked_for_is_the_upstreams()
    {
        using var folder = new StaticFolder().Add("app.js");
        await using var app = await folder.StartAsync();
        Assert.True((await SiteAnswer.GetAsync(app, "/app.js")).IsFile);

        File.Delete(folder.PathOf("app.js"));

        Assert.StartsWith(StaticFolder.FromUpstream, (await SiteAnswer.GetAsync(app, "/app.js")).Body);
    }

    [Fact]
    public async Task Files_that_come_later_and_a_root_that_is_moved_are_seen()
    {
        using var folder = new StaticFolder().Add("../one/app.js", "first").Add("../two/app.js", "second").Link("current", "../one");
        await using var app = await ProxyApp.StartAsync(
            _ => new() { Content = new StringContent(StaticFolder.FromUpstream) }, r => r.WithStaticFiles(folder.PathOf("current")));
        Assert.Equal("first", (await SiteAnswer.GetAsync(app, "/app.js")).Body);

        File.Delete(folder.PathOf("current"));
        folder.Link("current", "../two");
        app.Time.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal("second", (await SiteAnswer.GetAsync(app, "/app.js")).Body);
    }

    [Fact]
    public async Task What_a_route_requires_holds_for_files()
    {
        using var folder = new StaticFolder().Add("app.js");
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddAuthorization();
                services.AddAuthentication("none").AddScheme<Microsoft.AspNetCore.Authentication.AuthenticationSchemeOptions, Nobody>("none", null);
                services.AddProxyTestDestinations(new());
            },
            app =>
            {
                app.UseAuthentication();
                app.UseAuthorization();
                app.MapProxy("/{**path}", ProxyApp.Upstream).WithStaticFiles(folder.Root).RequireAuthorization();
            });

        Assert.Equal(401, (await SiteAnswer.GetAsync(app, "/app.js")).Status);
    }

    private sealed class Nobody(
        Microsoft.Extensions.Options.IOptionsMonitor<Microsoft.AspNetCore.Authentication.AuthenticationSchemeOptions> options, Microsoft.Extensions.Logging.ILoggerFactory loggers, System.Text.Encodings.Web.UrlEncoder encoder)
        : Microsoft.AspNetCore.Authentication.AuthenticationHandler<Microsoft.AspNetCore.Authentication.AuthenticationSchemeOptions>(options, loggers, encoder)
    {
        protected override Task<Microsoft.AspNetCore.Authentication.AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(Microsoft.AspNetCore.Authentication.AuthenticateResult.NoResult());
    }
}
