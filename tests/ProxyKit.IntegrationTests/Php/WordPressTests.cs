using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>A real WordPress with a database of its own, from its installation on.</summary>
[Collection("programs")]
public class WordPressTests
{
    private const long UploadLength = 5 * 1024 * 1024;

    [Fact]
    public async Task WordPress_installs_and_works()
    {
        WordPress.Require();
        await using var database = await MariaDb.StartAsync("wordpress");
        await using var fpm = await PhpFpm.StartAsync(o =>
        {
            o.Workers = 4; // the installer asks the site itself
            o.Ini["opcache.enable"] = "1";
            o.Ini["sendmail_path"] = "/bin/true";
        });
        await WordPress.CopyToAsync(fpm.Root, database.SocketPath);
        await using var proxy = await KestrelApp.StartAsync(app => app.MapPhp(fpm.Root, fpm.Address), services => services.AddReverseProxy());
        using var site = new WordPress(proxy.Address);

        await site.InstallAsync();
        // It found out by itself, by asking for a page, that addresses without index.php arrive: that is what it has set.
        using (var firstPost = await site.GetAsync("/?p=1"))
            Assert.DoesNotContain("index.php", firstPost.Headers.Location!.OriginalString, StringComparison.Ordinal);
        await site.LogInAsync();

        await PublishAsync(site, proxy);
        await UploadAsync(site);
        await HasStaticFilesAsync(site);
        await KeepsItsSecretAsync(proxy);
    }

    private static async Task PublishAsync(WordPress site, KestrelApp proxy)
    {
        await site.SetPermalinksAsync("/%year%/%monthnum%/%postname%/");
        var post = await site.PublishAsync("hello", "Grüße", "Written through a proxy.", "2026-11-01T10:00:00");

        Assert.Equal($"{proxy.Url}/2026/11/hello/", post.GetProperty("link").GetString());
        var page = await site.PageAsync("/2026/11/hello/");
        Assert.Contains("Grüße", page, StringComparison.Ordinal);
        Assert.Contains("Written through a proxy.", page, StringComparison.Ordinal);
        using (var withoutSlash = await site.GetAsync("/2026/11/hello"))
            Assert.Equal($"{proxy.Url}/2026/11/hello/", withoutSlash.Headers.Location!.OriginalString);
        using (var missing = await site.GetAsync("/2026/11/nobody-wrote-this/"))
            Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);

        var posts = JsonDocument.Parse(await site.PageAsync("/wp-json/wp/v2/posts?slug=hello")).RootElement;
        Assert.Equal(post.GetProperty("id").GetInt32(), Assert.Single(posts.EnumerateArray()).GetProperty("id").GetInt32());
        Assert.Contains("<title>Grüße</title>", await site.PageAsync("/feed/"), StringComparison.Ordinal);
    }

    private static async Task UploadAsync(WordPress site)
    {
        var picture = Picture.Create(1400, 1250);
        Assert.InRange(picture.Length, UploadLength, UploadLength + 200_000);

        var media = await site.UploadAsync("noise.png", picture, "image/png");

        var address = new Uri(media.GetProperty("source_url").GetString()!).AbsolutePath;
        using var response = await site.GetAsync(address);
        Assert.Equal("image/png", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(picture, await response.Content.ReadAsByteArrayAsync());
        // PHP's own work on it: the picture was whole when it got it.
        var thumbnail = new Uri(media.GetProperty("media_details").GetProperty("sizes").GetProperty("thumbnail").GetProperty("source_url").GetString()!).AbsolutePath;
        using var small = await site.GetAsync(thumbnail);
        Assert.Equal(HttpStatusCode.OK, small.StatusCode);
    }

    private static async Task HasStaticFilesAsync(WordPress site)
    {
        using var script = await site.GetAsync("/wp-includes/js/jquery/jquery.min.js");
        Assert.Equal(HttpStatusCode.OK, script.StatusCode);
        Assert.Contains("javascript", script.Content.Headers.ContentType!.MediaType!, StringComparison.Ordinal);
        Assert.NotNull(script.Headers.ETag);
        Assert.True(script.Headers.CacheControl!.MaxAge > TimeSpan.FromDays(300), $"{script.Headers.CacheControl}");
        using var style = await site.GetAsync("/wp-content/themes/plain/style.css");
        Assert.Equal("text/css", style.Content.Headers.ContentType!.MediaType);
    }

    private static async Task KeepsItsSecretAsync(KestrelApp proxy)
    {
        foreach (var path in (string[])
        [
            "/wp-config.php", "/wp-config.php~", "/wp-config.php.bak", "/wp-config.php.save", "/wp-config.php.old", "/wp-config.php.txt~", "/.wp-config.php.swp", "/wp-config.phps",
            "/WP-CONFIG.PHP", "/Wp-Config.Php", "/.env", "/wp-config.php/", "/wp-config.php/x.css", "/wp-config.php%20", "/wp-config.php.", "/wp-config.php%00.css", "/wp-config.php::$DATA",
            "/wp-config%2ephp", "/wp%2dconfig.php", "//wp-config.php", "/./wp-config.php", "/wp-admin/../wp-config.php", "/wp-admin/%2e%2e/wp-config.php~", "/wp-admin/..%2fwp-config.php.bak",
            "/wp-includes/js/..%5c..%5c..%5cwp-config.php", "/index.php/wp-config.php", "/wp-config.php?x=.css", "/wp-config.php;.css",
        ])
        {
            var answer = await RawClient.SendAsync(proxy.Port, $"GET {path} HTTP/1.1\r\nHost: {proxy.Address.Authority}\r\nConnection: close\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 ", answer, StringComparison.Ordinal);
            Assert.False(answer.Contains(WordPress.Secret, StringComparison.Ordinal), $"{path} shows the configuration: {answer[..Math.Min(answer.Length, 300)]}");
        }
    }
}
