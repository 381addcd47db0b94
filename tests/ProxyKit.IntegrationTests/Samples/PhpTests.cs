using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace ProxyKit.IntegrationTests.Samples;

/// <summary>The PHP sample does what it says.</summary>
[Collection("programs")]
public class PhpTests
{
    [Fact]
    public async Task Every_address_that_it_prints_works()
    {
        RealServer.RequireAny("php-fpm*", "php-fpm");
        var port = Sample.FreePorts(0);
        await using var sample = await Sample.StartAsync("Php", port);
        var origin = $"http://localhost:{port}";
        Assert.Equal(
            ["/", "/", "/any/pretty/address", "/server.php", "/big.php", "/style.css", "/.env", "/about"],
            Regex.Matches(sample.Output, @"curl -.* http://localhost:\d+(/\S*)").Select(m => m.Groups[1].Value));
        using var visitor = new HttpClient { BaseAddress = new(origin) };

        Assert.Contains("visit number 1.", await visitor.GetStringAsync("/"));
        Assert.Contains("visit number 2.", await visitor.GetStringAsync("/"));
        Assert.Contains("You asked for <code>/any/pretty/address</code>.", await visitor.GetStringAsync("/any/pretty/address?x=<b>"));
        Assert.Contains("the app's own endpoint", await visitor.GetStringAsync("/about"));
        Assert.Matches(@"REQUEST_URI +/server.php\?a=b\n", await visitor.GetStringAsync("/server.php?a=b"));

        var file = RandomNumberGenerator.GetBytes(3_000_000);
        using (var uploaded = await visitor.PostAsync("/", new MultipartFormDataContent { { new ByteArrayContent(file), "file", "<b>.bin" } }))
            Assert.Contains($"Arrived: &lt;b&gt;.bin, 3000000 bytes, SHA-1 {Convert.ToHexStringLower(SHA1.HashData(file))}", await uploaded.Content.ReadAsStringAsync());
        using (var nothing = await visitor.PostAsync("/", new MultipartFormDataContent { new ByteArrayContent([]) { Headers = { { "Content-Disposition", "form-data; name=\"file\"; filename=\"\"" } } } }))
            Assert.Equal(HttpStatusCode.BadRequest, nothing.StatusCode);
        await sample.WaitForAsync("An upload failed with error 4"); // what PHP logs is in the app's log

        Assert.Equal(10 * 1024 * 1024, (await visitor.GetByteArrayAsync("/big.php")).Length);
        using var style = await visitor.GetAsync("/style.css");
        Assert.Equal("text/css", style.Content.Headers.ContentType!.MediaType);
        Assert.False(style.Headers.Contains("X-Powered-By")); // which PHP would have added
        using var secret = await visitor.GetAsync("/.env");
        Assert.Equal(HttpStatusCode.NotFound, secret.StatusCode);
    }

    [Fact]
    public async Task Php_ends_with_it()
    {
        RealServer.RequireAny("php-fpm*", "php-fpm");
        var before = Folders();
        await using var sample = await Sample.StartAsync("Php", Sample.FreePorts(0));
        var folder = Assert.Single(Folders().Except(before));
        Assert.NotEmpty(ProcessesOf(folder));

        sample.Stop();

        Assert.Equal(0, await sample.ExitCodeAsync());
        Assert.Empty(ProcessesOf(folder));
        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public async Task Without_php_it_says_what_to_install()
    {
        await using var sample = Sample.Start("Php", "--php-fpm", "/nowhere/php-fpm", "--port", Sample.FreePorts(0).ToString(CultureInfo.InvariantCulture));

        Assert.Equal(1, await sample.ExitCodeAsync());
        Assert.Contains("There is no '/nowhere/php-fpm'.", sample.Output);
        Assert.Contains("apt-get install php-fpm", sample.Output);
    }

    private static string[] Folders() => Directory.GetDirectories(Path.GetTempPath(), "proxykit-php-*");

    // php-fpm has the path of its configuration in its title.
    private static string[] ProcessesOf(string folder) =>
        [.. Directory.GetDirectories("/proc").Where(process => CommandLine(process).Contains(folder, StringComparison.Ordinal))];

    private static string CommandLine(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // not a process, or one that is gone
        }
    }
}
