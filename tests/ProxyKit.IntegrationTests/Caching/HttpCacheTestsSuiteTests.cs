using Microsoft.AspNetCore.Builder;

namespace ProxyKit.IntegrationTests.Caching;

/// <summary>
/// The public suite is no certificate, and passing all of it is not possible: tests/HttpCacheTests/results.json is what is known to pass, test by test, and is compared in full, so that
/// nothing gets worse or better unseen.
/// </summary>
[Collection("programs")]
public class HttpCacheTestsSuiteTests
{
    private static readonly string s_recorded = Repository.Path("tests", "HttpCacheTests", "results.json");
    private static readonly string s_actual = Repository.Path("artifacts", "http-cache-tests.json");

    [Fact]
    public async Task No_required_test_of_http_cache_tests_fails_and_every_test_has_the_outcome_that_is_recorded()
    {
        await using var suite = await HttpCacheTestsSuite.StartAsync();

        var score = await RunAsync(suite);
        if (score.IsVoid)
            score = await RunAsync(suite);

        Assert.False(score.IsVoid, $"The suite could not be run:\n{string.Join('\n', score.NotPassed)}");
        Directory.CreateDirectory(Path.GetDirectoryName(s_actual)!);
        score.Write(s_actual); // tests/run.sh prints the counts
        TestContext.Current.TestOutputHelper?.WriteLine($"http-cache-tests: required {score.Counts("required")}, optimal {score.Counts("optimal")}");
        var failures = score.RequiredFailures.ToArray();
        Assert.True(failures.Length == 0,
            $"Required {score.Counts("required")}, optimal {score.Counts("optimal")}. Required tests fail: {string.Join(", ", failures)}.\nAll that do not pass:\n{string.Join('\n', score.NotPassed)}");
        var differences = score.Differences(s_recorded).ToArray();
        Assert.True(differences.Length == 0,
            $"The outcome is not the one that is recorded. If it is right: cp artifacts/http-cache-tests.json tests/HttpCacheTests/results.json\n{string.Join('\n', differences)}");
    }

    // As a CDN's: it believes the fields that address surrogates; clients cannot force a refresh, which is the default.
    private static async Task<HttpCacheTestsScore> RunAsync(HttpCacheTestsSuite suite)
    {
        await using var proxy = await KestrelApp.StartProxyAsync(suite.OriginUrl, route => route.WithCache(c =>
        {
            c.SurrogateControl = true;
            c.StoreSetCookie = true;
            c.IgnoreLanguageOrder = true;
            // This release of the suite wants so what RFC 9111 leaves to caches, or has otherwise: no response of doubtful age, and no 502 of the proxy's own in the place of the origin's.
            c.InvalidAgeIsStale = true;
            c.StaleIfError = TimeSpan.Zero;
        }));
        return await suite.RunAsync(proxy.Url);
    }
}
