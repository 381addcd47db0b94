using System.Text.Json;

namespace ProxyKit.IntegrationTests.Caching;

/// <summary>The public test suite for HTTP caches, <c>http-cache-tests</c> from npm: its origin, which listens on the loopback only, and its client.</summary>
internal sealed class HttpCacheTestsSuite : IAsyncDisposable
{
    private static readonly string s_folder = Repository.Path("tests", "HttpCacheTests");
    private static readonly string s_package = Path.Combine(s_folder, "node_modules", "http-cache-tests");

    private readonly string _node;
    private readonly RunningProgram _origin;

    private HttpCacheTestsSuite(string node, RunningProgram origin, string originUrl) => (_node, _origin, OriginUrl) = (node, origin, originUrl);

    /// <summary>What the cache is to stand before.</summary>
    public string OriginUrl { get; }

    /// <summary>Installs what the lock file says, and starts the origin.</summary>
    public static async Task<HttpCacheTestsSuite> StartAsync()
    {
        var node = RealServer.Require("node", "nodejs");
        await InstallAsync(RealServer.Require("npm", "npm"));

        var origin = RunningProgram.Start("/usr/bin/env", s_package,
            "npm_config_protocol=http", "npm_config_port=0", "npm_config_pidfile=/dev/null",
            node, "--require", Path.Combine(s_folder, "loopback.cjs"), "server/server.mjs");
        try
        {
            return new(node, origin, (await origin.WaitForAsync(@"^Listening on (http://127\.0\.0\.1:\d+)/")).Groups[1].Value);
        }
        catch
        {
            await origin.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs all tests against a cache before <see cref="OriginUrl"/>, and scores them.</summary>
    public async Task<HttpCacheTestsScore> RunAsync(string url)
    {
        await WarmUpAsync(url);
        using var folder = new TemporaryFolder();
        await using (var client = RunningProgram.Start("/usr/bin/env", s_package, $"npm_config_base={url}", "npm_config_id=", "npm_package_config_id=", _node, "--no-warnings", "cli.mjs"))
        {
            Assert.Equal(0, await client.ExitCodeAsync(seconds: 300));
            var json = client.Output.IndexOf("\n{", StringComparison.Ordinal) is >= 0 and var line ? client.Output[(line + 1)..] : client.Output;
            folder.Write("results.json", json);
        }
        await using var score = RunningProgram.Start(_node, s_folder, "score.mjs", folder.Combine("results.json"));
        Assert.True(await score.ExitCodeAsync() == 0, score.Output);
        return new(JsonSerializer.Deserialize<Dictionary<string, HttpCacheTest>>(score.Output, JsonSerializerOptions.Web)!);
    }

    public ValueTask DisposeAsync() => _origin.DisposeAsync();

    private static async Task InstallAsync(string npm)
    {
        var installed = new FileInfo(Path.Combine(s_folder, "node_modules", ".package-lock.json"));
        if (installed.Exists && installed.LastWriteTimeUtc > File.GetLastWriteTimeUtc(Path.Combine(s_folder, "package-lock.json")))
            return;
        await using var program = RunningProgram.Start(npm, s_folder, "ci", "--ignore-scripts", "--no-audit", "--no-fund");
        if (await program.ExitCodeAsync(seconds: 180) != 0)
            RealServer.Missing($"npm could not install http-cache-tests: {program.Output}");
    }

    // The suite's first test is everybody's dependency; what the first request of a process takes would count against it.
    private static async Task WarmUpAsync(string url)
    {
        using var http = new HttpClient();
        var id = Guid.NewGuid();
        using var configuration = new StringContent("""[{ "id": "warm-up" }]""", null, "application/json");
        using var put = await http.PutAsync($"{url}/config/{id}", configuration);
        put.EnsureSuccessStatusCode();
        Assert.Equal($"{id}", await http.GetStringAsync($"{url}/test/{id}"));
    }
}
