using System.Net;
using System.Text.RegularExpressions;

namespace ProxyKit.IntegrationTests.Samples;

/// <summary>What the README has its reader do first.</summary>
[Collection("programs")]
public class QuickStartTests
{
    [Fact]
    public async Task Every_address_that_it_prints_works()
    {
        var port = Sample.FreePorts(0, 1, 2, 9); // on the last of which nothing listens
        await using var sample = await Sample.StartAsync("QuickStart", port);
        var addresses = Regex.Matches(sample.Output, @"curl -i (http://\S+)").Select(m => m.Groups[1].Value).ToArray();
        var origin = $"http://localhost:{port}";
        using var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false });

        Assert.Equal([$"{origin}/", $"{origin}/about", $"{origin}/shop/cart", $"{origin}/shop/login", $"{origin}/shop/events", $"{origin}/broken/"], addresses);

        Assert.StartsWith($"hello on port {port + 1} got GET /", await client.GetStringAsync($"{origin}/"));
        Assert.StartsWith("This is the app's own endpoint", await client.GetStringAsync($"{origin}/about"));
        var cart = await client.GetStringAsync($"{origin}/shop/cart");
        Assert.StartsWith($"shop on port {port + 2} got GET /cart\n", cart);
        Assert.Contains("X-Gateway: quickstart", cart);

        using var login = await client.GetAsync($"{origin}/shop/login");
        Assert.Equal(HttpStatusCode.Redirect, login.StatusCode);
        Assert.Equal($"{origin}/shop/cart", login.Headers.Location!.OriginalString);
        Assert.Contains("Path=/shop;", Assert.Single(login.Headers.GetValues("Set-Cookie")), StringComparison.OrdinalIgnoreCase);

        using var events = await client.GetAsync($"{origin}/shop/events", HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", events.Content.Headers.ContentType!.MediaType);
        Assert.Contains("data: 3", await events.Content.ReadAsStringAsync());

        using var broken = await client.GetAsync($"{origin}/broken/");
        Assert.Equal(HttpStatusCode.BadGateway, broken.StatusCode);
        Assert.Contains("error=connection_refused", Assert.Single(broken.Headers.GetValues("Proxy-Status")));
    }
}
