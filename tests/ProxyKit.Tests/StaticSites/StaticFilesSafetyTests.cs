using Microsoft.AspNetCore.Builder;

namespace ProxyKit.Tests.StaticSites;

/// <summary>Nothing outside of the root, nothing hidden, nothing secret.</summary>
public class StaticFilesSafetyTests
{
    public static TheoryData<string> Targets =>
    [
        "/../outside.html", "/../../outside.html", "/a/../../outside.html", "/%2e%2e/outside.html", "/%2E%2E/outside.html", "/.%2e/outside.html", "/%2e./outside.html",
        "/..%2foutside.html", "/..%2Foutside.html", "/%2e%2e%2foutside.html", "/a/..%2f..%2foutside.html", "/a%2f..%2f..%2foutside.html", "/%2foutside.html", "//outside.html", "/..//outside.html",
        "/..\\outside.html", "/..%5coutside.html", "/%5c..%5coutside.html", "/a\\..\\..\\outside.html", "/%5coutside.html",
        "/%252e%252e/outside.html", "/..%252foutside.html", "/%25%32%65%25%32%65/outside.html",
        "/%c0%ae%c0%ae/outside.html", "/..%c0%afoutside.html", "/%e0%80%ae%e0%80%ae/outside.html", "/%c0%2e%c0%2e/outside.html", "/..%ef%bc%8foutside.html", "/%ef%bc%8e%ef%bc%8e/outside.html",
        "/..;/outside.html", "/%u002e%u002e/outside.html", "/..%0d%0a/outside.html",
        "/root/../../outside.html", "/../root2/x.html", "/../root/../outside.html", "/..%2froot2/x.html", "/.../outside.html", "/....//outside.html", "/. ./outside.html",
        "/.env", "/%2eenv", "/%2Eenv", "/a/.env", "/a%2f.env", "/.env%2f", "/.env/", "//.env", "/./.env", "/%2e/.env", "/.git/config.txt", "/.git%2fconfig.txt", "/%2egit/config.txt", "/.hidden.html", "/a/.hidden/x.html",
        "/.well-known/.hidden.txt", "/.well-known/../.env", "/.well-known/%2e%2e/.env", "/.Well-Known/x.txt", "/.env.js", "/.env::$DATA", "/.env%20", "/.env.", "/.%65nv",
        "/linked-out.html", "/linked-out/outside.html", "/linked-hidden.html", "/linked-config.js", "/linked-circle.js", "/linked-nowhere.js", "/a/linked-up/outside.html",
        "/appsettings.json", "/AppSettings.Production.JSON", "/web.config", "/secrets.yml", "/dump.sql", "/x.php", "/x.php.txt", "/page.html~", "/page.html.bak", "/server.key", "/appsettings.json.", "/appsettings.json%20", "/compo%c5%bfer.json",
    ];

    [Theory]
    [MemberData(nameof(Targets))]
    public async Task Nothing_leaves_the_root_and_nothing_secret_is_shown(string target)
    {
        using var folder = Hostile();
        await using var app = await folder.StartAsync(o =>
        {
            o.IndexFiles.Add("index.html");
            o.Fallback = "fallback.html";
        });

        var answer = await SiteAnswer.GetAsync(app, target, configure: r =>
        {
            r.Headers.AcceptEncoding = "br, gzip";
            r.Headers.Accept = "text/html";
        });

        Assert.DoesNotContain(StaticFolder.Secret, answer.Body);
        Assert.False(answer.IsFile && answer["Content-Encoding"] is not null, "a sibling of something that is not served");
    }

    [Theory]
    [InlineData("/.env", 404)]
    [InlineData("/.missing", 404)]
    [InlineData("/a/.git/config.txt", 404)]
    [InlineData("/%2eenv", 404)]
    [InlineData("/.well-known/acme-challenge/token", 200)]
    [InlineData("/.well-known/missing", 200)]
    [InlineData("/.well-known/.hidden.txt", 404)]
    public async Task Whether_there_is_a_dot_file_cannot_be_told(string target, int status)
    {
        using var folder = Hostile().Add(".well-known/acme-challenge/token");
        await using var app = await folder.StartAsync();

        foreach (var method in (string[])["GET", "POST"])
            Assert.Equal(status, (await SiteAnswer.GetAsync(app, target, method)).Status);
    }

    [Fact]
    public async Task The_upstream_can_have_addresses_with_dots_and_still_no_file_is_shown()
    {
        using var folder = Hostile();
        await using var app = await folder.StartAsync(o =>
        {
            o.DenyDotPaths = false;
            o.Fallback = "fallback.html";
        });

        foreach (var target in (string[])["/.env", "/.missing", "/.auth/login"])
            Assert.Equal($"{StaticFolder.FromUpstream}: GET {target}", (await SiteAnswer.GetAsync(app, target, configure: r => r.Headers.Accept = "text/html")).Body);
    }

    [Fact]
    public async Task The_error_page_of_the_route_is_shown_for_a_dot_path()
    {
        using var folder = Hostile().Add("../404.html", "nothing here");
        await using var app = await folder.StartAsync(route: r => r.WithErrorPage("404", folder.PathOf("../404.html")));

        var answer = await SiteAnswer.GetAsync(app, "/.env");

        Assert.Equal((404, "nothing here"), (answer.Status, answer.Body));
        Assert.Equal(ProxyError.RequestRejected, (await app.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task Links_are_followed_within_the_root_and_out_of_it_only_if_it_is_said()
    {
        using var folder = new StaticFolder().Add("../elsewhere/lib.js", "library").Add("real.js", "inside").Link("inside.js", "real.js").Link("out.js", "../elsewhere/lib.js").Link("folder", "../elsewhere")
            .Add("../elsewhere/wp-config.php", StaticFolder.Secret).Link("stolen.png", "../elsewhere/wp-config.php");

        await using (var app = await folder.StartAsync())
        {
            Assert.Equal("inside", (await SiteAnswer.GetAsync(app, "/inside.js")).Body);
            foreach (var target in (string[])["/out.js", "/folder/lib.js", "/stolen.png"])
                Assert.StartsWith(StaticFolder.FromUpstream, (await SiteAnswer.GetAsync(app, target)).Body);
        }
        await using (var app = await folder.StartAsync(o => o.SymbolicLinks = SymbolicLinkPolicy.Follow))
        {
            Assert.Equal("library", (await SiteAnswer.GetAsync(app, "/out.js")).Body);
            Assert.Equal("library", (await SiteAnswer.GetAsync(app, "/folder/lib.js")).Body);
            Assert.StartsWith(StaticFolder.FromUpstream, (await SiteAnswer.GetAsync(app, "/stolen.png")).Body);
        }
    }

    [Fact]
    public async Task A_compressed_sibling_that_is_a_link_out_of_the_root_is_not_sent()
    {
        using var folder = new StaticFolder().Add("app.js").Add("../elsewhere/app.js.br", StaticFolder.Secret, DateTime.UtcNow).Link("app.js.br", "../elsewhere/app.js.br");
        await using var app = await folder.StartAsync();

        var answer = await SiteAnswer.GetAsync(app, "/app.js", configure: r => r.Headers.AcceptEncoding = "br");

        Assert.Equal(("content of app.js", null, null), (answer.Body, answer["Content-Encoding"], answer["Vary"]));
    }

    [Fact]
    public async Task Names_can_be_denied_and_allowed_and_types_added()
    {
        using var folder = new StaticFolder().Add("app.js.map").Add("openapi.yaml").Add("other.yaml").Add("model.glb").Add("blob.unknown");
        await using var app = await folder.StartAsync(o =>
        {
            o.DeniedFiles.Add("*.map");
            o.AllowedFiles.Add("openapi.yaml");
            o.ContentTypes[".glb"] = "model/gltf-binary";
        });

        foreach (var (target, type) in new[] { ("/app.js.map", null), ("/openapi.yaml", "application/octet-stream"), ("/other.yaml", null), ("/model.glb", "model/gltf-binary"), ("/blob.unknown", null) })
        {
            var answer = await SiteAnswer.GetAsync(app, target);
            Assert.Equal(type is not null, answer.IsFile);
            if (type is not null)
                Assert.Equal(type, answer["Content-Type"]);
        }
    }

    private static StaticFolder Hostile()
    {
        var folder = new StaticFolder().Add("app.js").Add("a/x.js").Add("fallback.html").Add(".well-known/x.txt");
        foreach (var secret in (string[])
        [
            "../outside.html", "../outside.html.br", "../root2/x.html", "../rootx.html", ".env", ".env.js", "a/.env", ".git/config.txt", "a/.git/config.txt", ".hidden.html", "a/.hidden/x.html", ".well-known/.hidden.txt",
            "appsettings.json", "AppSettings.Production.JSON", "web.config", "secrets.yml", "dump.sql", "x.php", "x.php.txt", "page.html~", "page.html.bak", "server.key", "composer.json", "composer.json.br", "appsettings.json.br",
        ])
            folder.Add(secret, StaticFolder.Secret);
        return folder.Link("linked-out.html", "../outside.html").Link("linked-out", "..").Link("linked-hidden.html", ".hidden.html").Link("linked-config.js", "appsettings.json")
            .Link("linked-circle.js", "linked-circle.js").Link("linked-nowhere.js", "nowhere.js").Link("a/linked-up", "../..");
    }
}
