using System.Net;
using System.Text.RegularExpressions;

namespace ProxyKit.IntegrationTests.Samples;

/// <summary>The load balancing sample does what it says.</summary>
[Collection("programs")]
public class LoadBalancingTests
{
    [Fact]
    public async Task What_it_prints_happens()
    {
        var port = Sample.FreePorts(0, 1, 2, 3);
        await using var sample = await Sample.StartAsync("LoadBalancing", port);
        using var client = new HttpClient(new HttpClientHandler { UseCookies = false }) { BaseAddress = new($"http://localhost:{port}") };
        foreach (Match command in Regex.Matches(sample.Output, @"curl -X POST http://localhost:\d+(\S+)"))
            await PostAsync(client, command.Groups[1].Value);
        foreach (var name in new[] { "one", "two", "three" })
            await StatusAsync(client, $"{name} +Ready +Healthy +weight 1.0 ", post: $"/fate/{name}/Well");

        Assert.Equal(["one", "three", "two"], (await AnswersAsync(client, 9)).Distinct().Order());

        // Retries, ejection, recovery.
        await PostAsync(client, "/fate/three/Failing");
        Assert.DoesNotContain("three", await AnswersAsync(client, 12));
        await StatusAsync(client, "three +Ready +Unhealthy");
        await sample.WaitForAsync("attempts=2 outcome=None");
        await sample.WaitForAsync("destination three is ejected");
        await StatusAsync(client, "three +Ready +Healthy", post: "/fate/three/Well");
        await PostAsync(client, "/fate/three/Down");
        Assert.DoesNotContain("three", await AnswersAsync(client, 6));
        await StatusAsync(client, "three +Ready +Healthy", post: "/fate/three/Well");

        // Draining.
        var cookie = await SessionAsync(client, "two");
        await PostAsync(client, "/operator/two/Drain");
        Assert.DoesNotContain("two", await AnswersAsync(client, 6));
        Assert.Equal(["two", "two", "two"], await AnswersAsync(client, 3, cookie));
        await PostAsync(client, "/operator/two/Ready");

        // Limits.
        var work = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => client.GetAsync("/work/0.2")));
        Assert.All(work, response => Assert.Equal(HttpStatusCode.OK, response.StatusCode));
        await sample.WaitForAsync(@"/work/0\.2 .* queue=0\.[1-9]");
    }

    private static async Task PostAsync(HttpClient client, string address) => (await client.PostAsync(address, null)).EnsureSuccessStatusCode();

    // Which of the servers answered; that one did, and with 200, is asserted.
    private static async Task<string[]> AnswersAsync(HttpClient client, int count, string? cookie = null)
    {
        var names = new string[count];
        for (var i = 0; i < count; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/");
            if (cookie is not null)
                request.Headers.Add("Cookie", cookie);
            using var response = await client.SendAsync(request);
            response.EnsureSuccessStatusCode();
            names[i] = (await response.Content.ReadAsStringAsync()).Split(' ')[0];
        }
        return names;
    }

    private static async Task<string> SessionAsync(HttpClient client, string name)
    {
        while (true)
        {
            using var response = await client.GetAsync("/");
            if ((await response.Content.ReadAsStringAsync()).StartsWith(name, StringComparison.Ordinal))
                return Assert.Single(response.Headers.GetValues("Set-Cookie")).Split(';')[0];
        }
    }

    // Until the operator sees it; health takes seconds.
    private static async Task StatusAsync(HttpClient client, string pattern, string? post = null)
    {
        if (post is not null)
            await PostAsync(client, post);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!Regex.IsMatch(await client.GetStringAsync("/operator/status", limit.Token), $"^{pattern}", RegexOptions.Multiline))
            await Task.Yield();
    }
}
