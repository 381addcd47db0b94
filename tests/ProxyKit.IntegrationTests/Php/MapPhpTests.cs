using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>MapPhp in front of a real php-fpm.</summary>
public sealed class MapPhpTests
{
    private const string Secret = "top-secret-password";
    private const string Show = "<?php foreach (['SCRIPT_NAME', 'PATH_INFO', 'REQUEST_URI', 'PHP_SELF', 'SCRIPT_FILENAME', 'DOCUMENT_ROOT', 'REQUEST_METHOD'] as $n) echo $n, '=', $_SERVER[$n] ?? '', \"\\n\"; echo 'BODY=', file_get_contents('php://input');";

    [Fact]
    public async Task A_site_is_files_scripts_and_a_front_controller()
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("index.php", Show).With("wp-admin/index.php", "<?php echo 'admin';").With("info.php", Show).With("style.css", "body { color: red }").With("wp-content/uploads/evil.php", "<?php echo 'executed';")
            .With("wp-content/uploads/evil.jpg", "<?php echo 'executed';");
        await using var app = await StartAsync(app => app.MapPhp(fpm.Root, fpm.Address));
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = app.Address };

        var page = await client.GetStringAsync("/2026/11/hello%20world/?page=2");
        Assert.Contains("SCRIPT_NAME=/index.php\nPATH_INFO=\nREQUEST_URI=/2026/11/hello%20world/?page=2\nPHP_SELF=/index.php\n", page);
        Assert.Contains($"SCRIPT_FILENAME={fpm.Root}/index.php\nDOCUMENT_ROOT={fpm.Root}\n", page);
        Assert.Contains("SCRIPT_NAME=/info.php\nPATH_INFO=/a/b\nREQUEST_URI=/info.php/a/b\nPHP_SELF=/info.php/a/b\n", await client.GetStringAsync("/info.php/a/b"));
        Assert.Equal("admin", await client.GetStringAsync("/wp-admin/"));
        var redirect = await client.GetAsync("/wp-admin?x=1");
        Assert.Equal((HttpStatusCode.MovedPermanently, "/wp-admin/?x=1"), (redirect.StatusCode, redirect.Headers.Location!.OriginalString));

        var posted = await client.PostAsync("/style.css", new StringContent("hello"));
        Assert.Contains("SCRIPT_NAME=/index.php", await posted.Content.ReadAsStringAsync());
        Assert.EndsWith("REQUEST_METHOD=POST\nBODY=hello", await posted.Content.ReadAsStringAsync());

        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync("/wp-content/uploads/evil.php")).StatusCode);
        Assert.DoesNotContain("executed", await client.GetStringAsync("/wp-content/uploads/evil.jpg/x.php"));
        Assert.Equal("image/jpeg", (await client.GetAsync("/wp-content/uploads/evil.jpg")).Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task Files_come_from_the_proxy_with_ranges_and_validators()
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("index.php", Show).With("film.mp4", new string('x', 300_000) + "END");
        await using var app = await StartAsync(app => app.MapPhp(fpm.Root, fpm.Address));
        using var client = new HttpClient { BaseAddress = app.Address };

        var whole = await client.GetAsync("/film.mp4");
        Assert.Equal(300_003, (await whole.Content.ReadAsByteArrayAsync()).Length);
        Assert.Equal("public, max-age=31536000", whole.Headers.CacheControl!.ToString());
        using var part = new HttpRequestMessage(HttpMethod.Get, "/film.mp4") { Headers = { Range = new RangeHeaderValue(300_000, null) } };
        Assert.Equal("END", await (await client.SendAsync(part)).Content.ReadAsStringAsync());
        using var conditional = new HttpRequestMessage(HttpMethod.Get, "/film.mp4") { Headers = { IfNoneMatch = { whole.Headers.ETag! } } };
        Assert.Equal(HttpStatusCode.NotModified, (await client.SendAsync(conditional)).StatusCode);
        using var head = new HttpRequestMessage(HttpMethod.Head, "/film.mp4");
        Assert.Equal(300_003, (await client.SendAsync(head)).Content.Headers.ContentLength);
    }

    [Fact]
    public async Task A_site_below_a_prefix_knows_where_it_stands()
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("index.php", Show).With("login.php", "<?php header('Location: /blog/welcome'); setcookie('a', 'b', 0, '/blog/');").With("style.css", "css");
        await using var app = await StartAsync(app => app.MapGroup("/blog").MapPhp(fpm.Root, fpm.Address));
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = app.Address };

        Assert.Contains("SCRIPT_NAME=/blog/index.php\nPATH_INFO=\nREQUEST_URI=/blog/hello\nPHP_SELF=/blog/index.php\n", await client.GetStringAsync("/blog/hello"));
        Assert.Equal("css", await client.GetStringAsync("/blog/style.css"));
        Assert.Equal("/blog/", (await client.GetAsync("/blog")).Headers.Location!.OriginalString);
        var login = await client.GetAsync("/blog/login.php");
        Assert.Equal((HttpStatusCode.Found, "/blog/welcome"), (login.StatusCode, login.Headers.Location!.OriginalString));
        Assert.Contains("path=/blog/", Assert.Single(login.Headers.GetValues("Set-Cookie")));
    }

    [Fact]
    public async Task No_target_on_the_wire_yields_a_source()
    {
        string[] targets =
        [
            "/LocalSettings.php", "/LocalSettings%2Ephp", "/LocalSettings.ph%70", "/LocalSettings%252Ephp", "/LocalSettings.php%00", "/LocalSettings.php%00.jpg", "/LocalSettings.php%20", "/LocalSettings.php.",
            "/LocalSettings.php/", "/LocalSettings.php/x.css", "/LocalSettings.php%2Fx.css", "/LocalSettings.php%0a", "/LocalSettings.php~", "/LocalSettings.php%7E", "/LocalSettings.php.bak", "/LocalSettings.phps",
            "//LocalSettings.php~", "/./LocalSettings.php~", "/x/../LocalSettings.php~", "/x/%2e%2e/LocalSettings.php~", "/x%2f..%2fLocalSettings.php~", "/x/..%5cLocalSettings.php~", "/..%2fLocalSettings.php~",
            "/LocalSettings.php::$DATA", "/LocalSettings.php;x.css", "/.env", "/%2Eenv", "/x/%2e%2e/.env", "//.env", "/.env%20", "/composer.json", "/composer%2Ejson", "/x/../composer.json", "/backup.sql", "/backup.sql?x.css",
            "http://localhost/LocalSettings.php~", "http://localhost/x%2f..%2fLocalSettings.php~", "http://localhost/.env", "*", "/LocalSettings.php?-s", "/index.php/../LocalSettings.php~", "/LocalSettings.php/%2e%2e/.env",
        ];
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("index.php", "<?php echo 'front';");
        foreach (var name in (string[])["LocalSettings.php", "LocalSettings.php~", "LocalSettings.php.bak", "LocalSettings.phps", ".env", "composer.json", "backup.sql", "LocalSettings.php%2Fx.css"])
            fpm.With(name, $"<?php // {Secret}");
        await using var app = await StartAsync(app => app.MapPhp(fpm.Root, fpm.Address));

        foreach (var target in targets)
        {
            foreach (var method in (string[])["GET", "HEAD", "POST"])
            {
                var answer = await RawClient.SendAsync(app.Port, $"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nRange: bytes=0-500\r\nConnection: close\r\n\r\n");
                Assert.StartsWith("HTTP/1.1 ", answer);
                Assert.DoesNotContain(Secret, answer);
                Assert.DoesNotContain("nosniff", answer);
            }
        }
    }

    private static Task<KestrelApp> StartAsync(Action<WebApplication> map) => KestrelApp.StartAsync(map, services => services.AddReverseProxy());
}
