using Microsoft.AspNetCore.Http;

namespace ProxyKit.Tests.StaticSites;

/// <summary>No spelling of a path yields the source of a script, a configuration file or a backup.</summary>
public sealed class DeniedFilesTests(DeniedFilesTests.Fixture fixture) : IClassFixture<DeniedFilesTests.Fixture>
{
    // All of them are there, and hold the secret.
    private static readonly string[] s_secrets =
    [
        "LocalSettings.php", "wp-config.php", "wp-config.PHP", "sub/LocalSettings.php",
        "wp-config.php~", "wp-config.php.bak", "wp-config.php.swp", "wp-config.php.orig", "wp-config.php.save", "wp-config.php.1", "wp-config.php.txt", "wp-config.php_old",
        "wp-config.phpold", "wp-config.php-dist", "wp-config.phps", "wp-config.php5", "wp-config.php7", "wp-config.phtml", "wp-config.phar", "wp-config.pht", "settings.PHTML.txt", "settings.Phar.jpg", "settings.php.txt", "settings.pHp.jpg", "settings.php7.html", "settings.pHp~.css", "wp-config.php.jpg",
        "wp-config.php.", "wp-config.php ", "wp-config.php::$DATA", "wp-config.php\\x.jpg", "wp-config.txt", "LocalSettings.txt", "LocalSettings.bak", "LocalSettings.php.html",
        "copy of wp-config.php.css", "WP-CONFIG.TXT", "wp-config.PHP.JPG", "wp-config.pHp~", "lib/db.inc", "lib/db.inc.txt", "db.INC",
        ".env", ".env.local", ".env.css", ".git/config", ".git/HEAD.txt", ".svn/entries.txt", ".htaccess", ".htpasswd", ".user.ini", ".DS_Store", ".vscode/sftp.json", ".idea/x.xml",
        "sub/.git/config.json", ".wp-config.php.swp", ".well-known/.htpasswd", ".well-known/.git/x.txt", ".well-known.txt",
        "composer.json", "composer.lock", "COMPOSER.JSON", "sub/composer.json", "auth.json", "package.json", "package-lock.json", "yarn.lock", "phpunit.xml", "phpunit.xml.dist",
        "appsettings.json", "appsettings.Production.json", "web.config", "Dockerfile", "docker-compose.yml", "docker-compose.prod.yaml", "Makefile", "Vagrantfile",
        "settings.ini", "php.ini", "app.yml", "app.yaml", "x.toml", "x.neon", "my.cnf", "my.conf", "prod.env", "htpasswd.htpasswd",
        "backup.sql", "backup.SQL", "backup.sql.gz", "backup.sql.zip", "data.sqlite", "data.sqlite3", "data.db", "data.mdb", "site.dump", "debug.log", "debug.log.txt", "error_log",
        "server.key", "server.pem", "server.pfx", "server.p12", "id_rsa", "id_rsa.txt", "style.css~", "style.css.bak", "index.html.old", "index.html.orig", "#index.html#",
        "script.sh", "tool.py", "old.asp", "old.aspx", "x.cs", "noextension", "unknown.xyz", "compo\u017fer.json", "wp-con\ufb01g.txt", "favicon.link.png",
    ];

    private static readonly string[] s_spellings =
    [
        // encoded, doubly encoded, in other letters
        "/wp-config%2Ephp", "/wp-config.ph%70", "/wp-config.%70%68%70", "/%77%70-config.php", "/wp-config%252Ephp", "/wp-config.php%2520", "/wp-config.PHP", "/wp-config.Php",
        "/wp-config%2EPHP", "/WP-CONFIG.PHP", "/Wp-Config.Txt", "/wp-config.p%C4%A7p", "/wp-config.%EF%BD%90hp", "/wp-config%C0%AEphp", "/wp-config.php%E2%80%8B", "/wp-con%EF%AC%81g.txt",
        // with something behind
        "/wp-config.php/", "/wp-config.php//", "/wp-config.php/.", "/wp-config.php/..", "/wp-config.php/x.css", "/wp-config.php/x.jpg", "/wp-config.php%2Fx.css", "/wp-config.php%5Cx.jpg",
        "/wp-config.php%20", "/wp-config.php%20/", "/wp-config.php.", "/wp-config.php..", "/wp-config.php%2E", "/wp-config.php::$DATA", "/wp-config.php%3A%3A$DATA", "/wp-config.php:x.css",
        "/wp-config.php;x.css", "/wp-config.php;/x.css", "/wp-config.php%0a", "/wp-config.php%0A.css", "/wp-config.php%0d%0a", "/wp-config.php%7F",
        "/wp-config.php~", "/wp-config.php%7E", "/wp-config.php~/", "/wp-config.php.bak/", "/wp-config.php.bak/x.css", "/wp-config.php?x.css", "/wp-config.txt?x=.css", "/wp-config.php#x.css",
        // by another way
        "//wp-config.php", "///wp-config.txt", "/./wp-config.txt", "/sub/../wp-config.txt", "/sub/%2e%2e/wp-config.txt", "/sub/..%2fwp-config.txt", "/sub%2f..%2fwp-config.txt",
        "/sub/..%5Cwp-config.txt", "/..%2fwp-config.txt", "/../wp-config.txt", "/%2e%2e/%2e%2e/wp-config.txt", "/sub//LocalSettings.php", "/sub%2FLocalSettings.php", "/.//wp-config.txt",
        "/style.css/../wp-config.txt", "/style.css/wp-config.txt", "/style.css%2f..%2fwp-config.txt", "/..;/wp-config.txt", "/%5Cwp-config.txt", "/%2Fwp-config.txt",
        // dot files
        "/%2Eenv", "/%2eenv", "/.%65nv", "//.env", "/./.env", "/sub/../.env", "/.env/", "/.env%20", "/.env.", "/.ENV", "/.git/", "/.git", "/.git%2Fconfig", "/.git//config", "/sub/.git/config.json",
        "/.well-known/../.env", "/.well-known/%2e%2e/.env", "/.well-known/..%2f.env", "/.well-known/.htpasswd", "/.well-known/%2Ehtpasswd", "/.well-known.txt", "/.WELL-KNOWN/.htpasswd",
        "/.well-known//.htpasswd", "/.well-known/.git/x.txt", "/..%2f..%2f..%2fetc/passwd", "/../../../../etc/passwd", "/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/composer.json%20", "/composer.json/",
        "/composer.json.", "/compo%C5%BFer.json", "/Composer.JSON", "/composer%2Ejson", "//composer.json", "/sub/../composer.json",
    ];

    private static readonly (string Name, Action<HttpRequest> Configure)[] s_requests =
    [
        ("GET", _ => { }),
        ("HEAD", request => request.Method = "HEAD"),
        ("POST", request => request.Method = "POST"),
        ("Range", request => request.Headers.Range = "bytes=0-200"),
        ("If-Modified-Since", request => request.Headers.IfModifiedSince = "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("If-None-Match", request => request.Headers.IfNoneMatch = "\"x\""),
    ];

    public static TheoryData<string> Paths =>
        [.. s_secrets.Select(name => "/" + string.Join('/', name.Split('/').Select(Uri.EscapeDataString))).Concat(s_spellings).Distinct()];

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task Nothing_of_it_is_served(string path)
    {
        foreach (var (name, configure) in s_requests)
        {
            var answer = await SiteAnswer.GetAsync(fixture.App, path, configure: configure);

            Assert.False(answer.IsFile, name);
            Assert.DoesNotContain(PhpSite.Secret, answer.Body);
            Assert.Null(answer["ETag"]);
            Assert.Null(answer["Last-Modified"]);
            Assert.True(answer.Status is 400 or 404 || answer.Body.StartsWith("PHP /", StringComparison.Ordinal) || (name == "HEAD" && answer.Status == 200) || IsIndexRedirect(path, answer), $"{name}: {answer.Status} {answer.Body}");
        }
    }

    // "/wp-config.php/.." is the root's own folder, once TestServer's target is taken as it says.
    private static bool IsIndexRedirect(string path, SiteAnswer answer) => path.EndsWith("..", StringComparison.Ordinal) && answer.Status is 301 or 308;

    /// <summary>All of it is there: the rows above would pass in an empty folder as well.</summary>
    [Fact]
    public void The_secrets_are_there()
    {
        foreach (var name in s_secrets)
            Assert.Contains(PhpSite.Secret, File.ReadAllText(fixture.Site.PathOf(name)));
        Assert.True(Paths.Count > 200);
    }

    [Theory]
    [InlineData("/.env")]
    [InlineData("/.git/config")]
    [InlineData("/sub/.git/config.json")]
    [InlineData("/%2Eenv")]
    [InlineData("/.nothing-there")]
    [InlineData("/a/.b/c.css")]
    [InlineData("/.hidden.php")]
    [InlineData("/.well-known")]
    public async Task What_begins_with_a_dot_is_404_and_php_does_not_hear_of_it(string path)
    {
        var before = fixture.Site.Requests;

        Assert.Equal(404, (await SiteAnswer.GetAsync(fixture.App, path)).Status);
        Assert.Equal(before, fixture.Site.Requests);
    }

    public sealed class Fixture : IAsyncLifetime
    {
        internal PhpSite Site { get; } = new();

        internal ProxyApp App { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Site.Add("index.php", "style.css", "sub/style.css", ".well-known/security.txt").AddSecret([.. s_secrets.Except(["favicon.link.png"])]).AddSecret(".hidden.php")
                .Link("favicon.link.png", "wp-config.php");
            App = await Site.StartAsync();
        }

        public async ValueTask DisposeAsync()
        {
            await App.DisposeAsync();
            Site.Dispose();
        }
    }
}
