using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>Debian's WordPress, copied to a folder, with a theme of a few lines and a configuration of its own; and a browser's way through it.</summary>
internal sealed class WordPress(Uri address) : IDisposable
{
    /// <summary>What nobody may read: it stands in the configuration and its copies.</summary>
    public const string Secret = "a-secret-that-nobody-may-read";

    private const string Package = "/usr/share/wordpress", User = "admin", Password = "a-good-password-1";

    private readonly HttpClient _browser = new(new HttpClientHandler { AllowAutoRedirect = false, CookieContainer = new(), UseCookies = true }) { BaseAddress = address };

    public static void Require()
    {
        if (Directory.Exists(Package))
            return;
        const string reason = "WordPress is not installed: apt-get install --no-install-recommends wordpress";
        if (Environment.GetEnvironmentVariable("CI") == "true")
            Assert.Fail(reason);
        Assert.Skip(reason);
    }

    public static async Task CopyToAsync(string root, string databaseSocket)
    {
        // The package is a web of links, out of its own folder too.
        using (var copy = Process.Start("cp", ["-rL", Package + "/.", root]))
            await copy.WaitForExitAsync();
        var configuration = $"""
            <?php
            define('DB_NAME', 'wordpress'); define('DB_USER', 'root'); define('DB_PASSWORD', ''); define('DB_HOST', 'localhost:{databaseSocket}');
            define('AUTH_KEY', '{Secret}'); define('SECURE_AUTH_KEY', '{Secret}2'); define('LOGGED_IN_KEY', '{Secret}3'); define('NONCE_KEY', '{Secret}4');
            define('WP_DEFAULT_THEME', 'plain'); define('DISABLE_WP_CRON', true); define('WP_HTTP_BLOCK_EXTERNAL', true); define('AUTOMATIC_UPDATER_DISABLED', true);
            $table_prefix = 'wp_';
            if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
            require_once ABSPATH . 'wp-settings.php';
            """;
        // Editors and operators leave such copies behind.
        foreach (var name in (string[])["wp-config.php", "wp-config.php~", "wp-config.php.bak", "wp-config.php.save", "wp-config.php.old", "wp-config.php.txt~", ".wp-config.php.swp", "wp-config.phps", "WP-CONFIG.PHP", ".env"])
            await File.WriteAllTextAsync(Path.Combine(root, name), configuration);
        var theme = Directory.CreateDirectory(Path.Combine(root, "wp-content/themes/plain")).FullName;
        await File.WriteAllTextAsync(Path.Combine(theme, "style.css"), "/*\nTheme Name: Plain\n*/\nbody { margin: 1em }\n");
        await File.WriteAllTextAsync(Path.Combine(theme, "index.php"), """
            <!doctype html><title><?php wp_title(); ?></title><?php wp_head(); ?>
            <?php if (!have_posts()) { ?>Nothing here.<?php } while (have_posts()) { the_post(); ?><h1><?php the_title(); ?></h1><?php the_content(); } wp_footer();
            """);
    }

    public async Task<HttpResponseMessage> GetAsync(string path) => await _browser.GetAsync(path);

    /// <summary>What a page shows; it must be there.</summary>
    public async Task<string> PageAsync(string path)
    {
        using var response = await GetAsync(path);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{path} is {(int)response.StatusCode} {response.Headers.Location}: {Start(text)}");
        return text;
    }

    public async Task InstallAsync()
    {
        using var fresh = await GetAsync("/");
        Assert.Equal(HttpStatusCode.Found, fresh.StatusCode);
        Assert.EndsWith("/wp-admin/install.php", fresh.Headers.Location!.OriginalString, StringComparison.Ordinal);
        Assert.Contains("Success!", await PostAsync("/wp-admin/install.php?step=2", HttpStatusCode.OK, new()
        {
            ["weblog_title"] = "A site behind ProxyKit", ["user_name"] = User, ["admin_password"] = Password, ["admin_password2"] = Password, ["pw_weak"] = "on",
            ["admin_email"] = "admin@example.org", ["blog_public"] = "0", ["language"] = "",
        }), StringComparison.Ordinal);
    }

    public async Task LogInAsync()
    {
        await PageAsync("/wp-login.php"); // sets the cookie by which WordPress sees that there are cookies
        await PostAsync("/wp-login.php", HttpStatusCode.Found, new() { ["log"] = User, ["pwd"] = Password, ["testcookie"] = "1", ["wp-submit"] = "Log In" });
        Assert.Contains("Dashboard", await PageAsync("/wp-admin/"), StringComparison.Ordinal);
    }

    public async Task SetPermalinksAsync(string structure)
    {
        var nonce = await NonceAsync("/wp-admin/options-permalink.php");
        await PostAsync("/wp-admin/options-permalink.php", HttpStatusCode.Found, new() { ["_wpnonce"] = nonce, ["selection"] = "custom", ["permalink_structure"] = structure });
        await PageAsync("/wp-admin/options-permalink.php?settings-updated=true"); // where it is redirected to; there it takes effect
    }

    /// <summary>Returns what REST says of the new post.</summary>
    public async Task<JsonElement> PublishAsync(string slug, string title, string content, string date)
    {
        // Its length is not known: it comes in chunks.
        using var request = new HttpRequestMessage(HttpMethod.Post, "/wp-json/wp/v2/posts") { Content = JsonContent.Create(new { slug, title, content, date, status = "publish" }) };
        request.Headers.Add("X-WP-Nonce", await PageAsync("/wp-admin/admin-ajax.php?action=rest-nonce"));
        using var response = await _browser.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.Created, $"{(int)response.StatusCode}: {Start(text)}");
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>Uploads as the media library does; returns what REST says of the file.</summary>
    public async Task<JsonElement> UploadAsync(string name, byte[] content, string type)
    {
        var nonce = await NonceAsync("/wp-admin/media-new.php");
        using var form = new MultipartFormDataContent
        {
            { new StringContent(name), "name" }, { new StringContent("0"), "post_id" }, { new StringContent(nonce), "_wpnonce" }, { new StringContent("1"), "short" },
            { new ByteArrayContent(content) { Headers = { { "Content-Type", type } } }, "async-upload", name },
        };
        using var response = await _browser.PostAsync("/wp-admin/async-upload.php", form);
        var id = await response.Content.ReadAsStringAsync();
        Assert.True(int.TryParse(id, out _), $"{(int)response.StatusCode}: {Start(id)}");
        return JsonDocument.Parse(await PageAsync($"/wp-json/wp/v2/media/{id}")).RootElement;
    }

    public void Dispose() => _browser.Dispose();

    private async Task<string> NonceAsync(string page) =>
        Regex.Match(await PageAsync(page), """name="_wpnonce" value="(\w+)""") is { Success: true } match ? match.Groups[1].Value : throw new InvalidOperationException($"{page} has no form");

    private async Task<string> PostAsync(string path, HttpStatusCode expected, Dictionary<string, string> form)
    {
        using var response = await _browser.PostAsync(path, new FormUrlEncodedContent(form));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == expected, $"{path} is {(int)response.StatusCode}: {Start(text)}");
        return text;
    }

    private static string Start(string text) => text[..Math.Min(text.Length, 2000)];
}
