using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>What strangers write into a request's target to get at what is not theirs.</summary>
[Collection("alone")]
public sealed class HostileTargetTests
{
    private const string Secret = "top-secret-password", Ran = "this-has-run";

    // A source shows the first line, an execution the second.
    private const string Script = $"<?php // {Secret}\necho 'this-has', '-run';";

    [Theory]
    [InlineData("http://localhost/public%2F..%2Fadmin/report.html")]
    [InlineData("http://localhost/public%2F%2E%2E%2Fadmin/report.html")]
    [InlineData("http://localhost/public%2f..%2fadmin%2freport.html")]
    public async Task A_file_is_not_found_by_another_path_than_routing_saw(string target)
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("index.php", "<?php echo 'front';").With("admin/report.html", Secret).With("admin/index.html", Secret);
        await using var app = await KestrelApp.StartAsync(
            app =>
            {
                app.MapGet("/admin/{**path}", () => Results.StatusCode(403));
                app.MapPhp(fpm.Root, fpm.Address);
            },
            services => services.AddReverseProxy());

        Assert.StartsWith("HTTP/1.1 403 ", await GetAsync(app, "/admin/report.html"));
        Assert.StartsWith("HTTP/1.1 400 ", await GetAsync(app, target));
    }

    [Theory]
    [InlineData("", PathForwarding.Raw, 1)]
    [InlineData("", PathForwarding.Normalized, 2)]
    [InlineData("/blog", PathForwarding.Raw, 3)]
    public async Task However_a_target_is_spelt_no_source_is_shown_and_nothing_runs_that_should_not(string prefix, PathForwarding forwarding, int seed)
    {
        // php-fpm's own guard is off: there is nothing but ours.
        await using var fpm = await PhpFpm.StartAsync(o => o.LimitExtensions = "");
        fpm.With("index.php", "<?php echo 'front';").With("style.css", "css");
        string[] sources = ["wp-config.php.bak", "wp-config.php~", "wp-config.txt", ".env", ".git/config.txt", "x.inc", "wp-content/uploads/evil.php", "wp-content/uploads/a/evil.PHP", "a.php.jpg", ".hidden/x.php"];
        foreach (var name in sources.Append("../outside.php").Append("../outside.html").Append("../www2/x.php"))
            fpm.With(name, Script);
        fpm.With("wp-content/uploads/evil.jpg", "<?php echo 'this-has', '-run';").With("config.php", $"<?php // {Secret}\n");
        await using var app = await KestrelApp.StartAsync(
            app => (prefix.Length == 0 ? (IEndpointRouteBuilder)app : app.MapGroup(prefix)).MapPhp(fpm.Root, fpm.Address),
            services => services.AddReverseProxy(o => o.PathForwarding = forwarding));
        Assert.Contains("front", await GetAsync(app, prefix + "/hello"));

        var random = new Random(seed);
        string[] names = [.. sources, "config.php", "wp-content/uploads/evil.jpg", "outside.php", "outside.html", "www2/x.php", Path.GetFileName(fpm.Root) + "2/x.php"];
        await Parallel.ForEachAsync(Enumerable.Range(0, 1500).Select(_ => prefix + Spell(random, names[random.Next(names.Length)])).ToList(), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (target, _) =>
        {
            var answer = await GetAsync(app, target);
            Assert.True(answer.StartsWith("HTTP/1.1 ", StringComparison.Ordinal), target + "\n" + answer);
            Assert.False(answer.Contains(Secret, StringComparison.Ordinal) || answer.Contains(Ran, StringComparison.Ordinal), target + "\n" + answer);
            Assert.False(answer.StartsWith("HTTP/1.1 500", StringComparison.Ordinal), target + "\n" + answer);
        });
    }

    private static Task<string> GetAsync(KestrelApp app, string target) =>
        RawClient.SendAsync(app.Port, $"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");

    private static string Spell(Random random, string name)
    {
        string[] before = ["/", "//", "/./", "/%2e/", "/x/../", "/x/%2e%2e/", "/../", "/..%2f", "/%2e%2e%2f", "/..%5c", "/%5c", "/%2f", "/.%00/", "/index.php/../", "/index.php/..%2f", "/style.css/../", "/wp-content/..%2f",
            "/%252e%252e/", "/..%252f", "/%c0%ae%c0%ae/", "/%c0%af", "/..;/", "/;/", "/%u002e%u002e/", "/wp-content/uploads/../../../", "/wp-content/uploads/..%2f..%2f..%2f", "/evil.jpg/..%2f", "/~/", "/%20/", "/%ef%bc%8f", "/.%2e/", "/%e2%80%8b"];
        string[] after = ["", "", "", "/", "//", "/.", "/x.php", "/x.css", "/x.jpg", "%2fx.css", "%2Fx.php", ".", "..", "%20", "%00", "%00.css", "%00.php", "%0a", "%0d%0a", "%0ax.php", "::$DATA", ":x.css", ";x.css", ";.php", "?x.css", "?-s", "%3fx.css",
            "%23.css", "/%2e%2e/style.css", "/..%2fstyle.css", "%5c", "%5c.css", "%c0", "%80", "%e2%80%ae", ".jpg", ".css", ".php", "%2ephp", "%252ephp", "/index.php", "/../index.php"];
        var path = name.Split('/');
        var separators = new[] { "/", "/", "/", "//", "%2f", "%5c", "/./", "/%2e/", "%252f", "/x/../" };
        var text = string.Join("", path.Select((segment, i) => (i == 0 ? "" : separators[random.Next(separators.Length)]) + segment));
        text = random.Next(6) switch
        {
            0 => string.Concat(text.Select(c => random.Next(4) == 0 && char.IsAsciiLetter(c) ? $"%{(int)c:x2}" : c.ToString())),
            1 => string.Concat(text.Select(c => random.Next(4) == 0 && char.IsAsciiLetterUpper(char.ToUpperInvariant(c)) ? char.ToUpperInvariant(c).ToString() : c.ToString())),
            2 => text.Replace(".", "%2e", StringComparison.Ordinal),
            3 => text.Replace(".", "%252e", StringComparison.Ordinal),
            _ => text,
        };
        var target = before[random.Next(before.Length)] + text + after[random.Next(after.Length)];
        return target;
    }
}
