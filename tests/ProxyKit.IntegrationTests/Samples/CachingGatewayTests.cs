using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace ProxyKit.IntegrationTests.Samples;

/// <summary>The caching sample does what it says, and its numbers are true.</summary>
[Collection("programs")]
public class CachingGatewayTests
{
    [Fact]
    public async Task What_it_prints_happens()
    {
        var port = Sample.FreePorts(0, 1);
        await using var sample = await Sample.StartAsync("CachingGateway", port);
        using var client = new HttpClient(new HttpClientHandler { UseCookies = false }) { BaseAddress = new($"http://localhost:{port}") };
        Assert.Equal(
            [
                "/shop/products/1", "/shop/products/1", "/shop/products/1?utm_source=x", "/shop/news", "/shop/cart", "/shop/catalogue.pdf", "/shop/products/2", "/shop/products/1", "/shop/products/2",
                "/purge/products", "/fate/Down", "/shop/products/1", "/fate/Well", "/stats",
            ],
            Regex.Matches(sample.Output, @"curl .*http://localhost:\d+(/\S+)").Select(m => m.Groups[1].Value));

        // Stored, and found again by whatever a visitor comes from.
        Assert.Equal("fwd=uri-miss; fwd-status=200; stored", await AskAsync(client, "/shop/products/1"));
        await HitAsync(client, "/shop/products/1");
        await HitAsync(client, "/shop/products/1?utm_source=x");
        Assert.Equal("fwd=uri-miss; fwd-status=200; stored", await AskAsync(client, "/shop/news"));
        await HitAsync(client, "/shop/news");
        Assert.Equal("fwd=uri-miss; fwd-status=200; detail=Private", await AskAsync(client, "/shop/cart"));
        Assert.Equal("fwd=bypass; detail=Private", await AskAsync(client, "/shop/cart"));

        // Ranges, of what is there whole by then.
        Assert.Equal(1_000_000, (await client.GetByteArrayAsync("/shop/catalogue.pdf")).Length);
        using (var part = await client.SendAsync(new(HttpMethod.Get, "/shop/catalogue.pdf") { Headers = { Range = new RangeHeaderValue(0, 9) } }))
            Assert.Equal((HttpStatusCode.PartialContent, 10), (part.StatusCode, (int)part.Content.Headers.ContentLength!));

        // Many at once.
        var before = await MissesAsync(client);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => client.GetStringAsync("/shop/products/2")));
        Assert.Equal(before + 1, await MissesAsync(client));
        await HitAsync(client, "/shop/products/2");

        // What changes is gone.
        Assert.Contains("costs 100;", await client.GetStringAsync("/shop/products/1"));
        Assert.Equal("article 1 costs 101 now\n", await PostAsync(client, "/shop/products/1"));
        Assert.Contains("costs 101;", await client.GetStringAsync("/shop/products/1"));
        using (var purged = await client.SendAsync(new(new("PURGE"), "/shop/products/2")))
            Assert.Equal(HttpStatusCode.OK, purged.StatusCode);
        using (var again = await client.SendAsync(new(new("PURGE"), "/shop/products/2")))
            Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);
        await HitAsync(client, "/shop/products/1");
        Assert.Equal("1 responses removed\n", await PostAsync(client, "/purge/products"));
        Assert.Equal("fwd=uri-miss; fwd-status=200; stored", await AskAsync(client, "/shop/products/1"));

        // The shop goes, and what is stored stays.
        Assert.Equal("the shop is Down\n", await PostAsync(client, "/fate/Down"));
        Assert.Contains("costs 101;", await client.GetStringAsync("/shop/products/1"));
        using (var unknown = await client.GetAsync("/shop/products/3"))
            Assert.Equal(HttpStatusCode.BadGateway, unknown.StatusCode);
        Assert.Equal("the shop is Well\n", await PostAsync(client, "/fate/Well"));
    }

    [Fact]
    public async Task Its_numbers_add_up_and_its_page_asks_for_them()
    {
        var port = Sample.FreePorts(0, 1);
        await using var sample = await Sample.StartAsync("CachingGateway", port);
        using var client = new HttpClient { BaseAddress = new($"http://localhost:{port}") };

        for (var i = 0; i < 4; i++)
            await client.GetByteArrayAsync("/shop/catalogue.pdf");
        var stats = await StatsAsync(client);

        Assert.Equal((4, 0.75, 1), (stats.GetProperty("requests").GetInt32(), stats.GetProperty("hitRatio").GetDouble(), stats.GetProperty("shopRequests").GetInt32()));
        Assert.Equal(1, stats.GetProperty("results").GetProperty("Miss").GetInt32());
        Assert.Equal(1, stats.GetProperty("entries").GetInt32());
        Assert.InRange(stats.GetProperty("bytesServed").GetInt64(), 2_000_000, 3_000_000); // the second client may have come before the first one's was stored
        Assert.InRange(stats.GetProperty("memory").GetInt64(), 1_000_000, 1_100_000);
        Assert.Equal("Well", stats.GetProperty("shop").GetString());

        var page = await client.GetStringAsync("/");
        Assert.Contains("fetch('/stats'", page);
        var used = Regex.Matches(page, @"\bs\.(\w+)").Select(m => m.Groups[1].Value).Distinct();
        Assert.Equal(stats.EnumerateObject().Select(p => p.Name).Order(), used.Order()); // all of them, and nothing that is not there
    }

    // What Cache-Status says.
    private static async Task<string> AskAsync(HttpClient client, string address)
    {
        using var response = await client.GetAsync(address);
        response.EnsureSuccessStatusCode();
        return Regex.Match(Assert.Single(response.Headers.GetValues("Cache-Status")), "^ProxyKit; (.*)$").Groups[1].Value;
    }

    // A client has the last byte a moment before the response is stored.
    private static async Task HitAsync(HttpClient client, string address)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        string status;
        while (!(status = await AskAsync(client, address)).StartsWith("hit; ttl=", StringComparison.Ordinal))
        {
            Assert.EndsWith("; collapsed", status, StringComparison.Ordinal);
            limit.Token.ThrowIfCancellationRequested();
        }
    }

    private static async Task<int> MissesAsync(HttpClient client) => (await StatsAsync(client)).GetProperty("results").GetProperty("Miss").GetInt32();

    private static async Task<string> PostAsync(HttpClient client, string address)
    {
        using var response = await client.PostAsync(address, null);
        return await response.EnsureSuccessStatusCode().Content.ReadAsStringAsync();
    }

    private static async Task<JsonElement> StatsAsync(HttpClient client) => await client.GetFromJsonAsync<JsonElement>("/stats");
}
