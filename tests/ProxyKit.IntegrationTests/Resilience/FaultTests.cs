using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Resilience;

/// <summary>Six destinations of which four are broken, each in its own way, and a good one is killed and comes back: what clients see of it.</summary>
[Collection("alone")]
public class FaultTests(ITestOutputHelper output)
{
    private const int Clients = 200, RequestsPerClient = 20;
    private static readonly TimeSpan s_perTry = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, int> _sent = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // passive checks take the broken ones out of rotation, so the usual retry budget is enough
    public async Task Idempotent_requests_see_no_error_and_others_are_sent_at_most_once(bool withHealthChecks)
    {
        using var refusing = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        refusing.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // bound, and not listening
        await using var unavailable = Server("503 Service Unavailable");
        await using var resetting = new RawUpstream(async connection =>
        {
            Count(await connection.ReadRequestAsync());
            await connection.SendAsync("HTTP/1.1 200 OK\r\nX-Hal");
            connection.Reset();
        });
        await using var stalling = new RawUpstream(async connection =>
        {
            Count(await connection.ReadRequestAsync());
            await connection.ClosedAsync();
        });
        await using var good = Server("200 OK");
        var mortal = Server("200 OK");
        var port = mortal.Port;
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                var route = app.MapProxy("/{**path}", $"http://127.0.0.1:{((IPEndPoint)refusing.LocalEndPoint!).Port}", unavailable.Url, resetting.Url, stalling.Url, good.Url, mortal.Url);
                route.WithRetries(r => (r.MaxRetryAttempts, r.PerTryTimeout) = (6, s_perTry));
                if (withHealthChecks)
                {
                    route.WithHealthChecks(h =>
                    {
                        h.Passive.Enabled = true;
                        h.Passive.FailureStatuses = "502-504";
                        h.Passive.MaxEjectedPercent = 70; // four of six are broken
                    });
                }
                else
                    route.WithRetries(r => r.BudgetRatio = 10);
            },
            services => services.AddReverseProxy());
        using var client = new HttpClient { BaseAddress = proxy.Address };
        var errors = new ConcurrentBag<string>();
        var latencies = new ConcurrentBag<TimeSpan>();
        var done = 0;
        TaskCompletionSource quarter = new(TaskCreationOptions.RunContinuationsAsynchronously), half = new(TaskCreationOptions.RunContinuationsAsynchronously);

        var load = Enumerable.Range(0, Clients).Select(async c =>
        {
            for (var i = 0; i < RequestsPerClient; i++)
            {
                var isPost = (c + i) % 5 == 0;
                using var request = new HttpRequestMessage(isPost ? HttpMethod.Post : i % 2 == 0 ? HttpMethod.Get : HttpMethod.Put, $"/{c}/{i}");
                if (request.Method != HttpMethod.Get)
                    request.Content = new StringContent($"body {c}/{i}");
                var start = Stopwatch.GetTimestamp();
                try
                {
                    using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
                    if (!isPost && response.StatusCode != HttpStatusCode.OK)
                        errors.Add($"{request.Method} /{c}/{i}: {(int)response.StatusCode}");
                }
                catch (HttpRequestException e)
                {
                    errors.Add($"{request.Method} /{c}/{i}: {e.Message}");
                }
                latencies.Add(Stopwatch.GetElapsedTime(start));
                switch (Interlocked.Increment(ref done))
                {
                    case Clients * RequestsPerClient / 4:
                        quarter.SetResult();
                        break;
                    case Clients * RequestsPerClient / 2:
                        half.SetResult();
                        break;
                }
            }
        }).ToArray();
        await quarter.Task;
        await mortal.DisposeAsync();
        await half.Task;
        await using var again = Server("200 OK", port);
        await Task.WhenAll(load);

        var sorted = latencies.Order().ToArray();
        output.WriteLine($"{sorted.Length} requests, {errors.Count} errors; p50 {sorted[sorted.Length / 2].TotalMilliseconds:0} ms, p99 {sorted[sorted.Length * 99 / 100].TotalMilliseconds:0} ms, longest {sorted[^1].TotalMilliseconds:0} ms");
        Assert.Empty(errors);
        Assert.All(_sent.Where(s => s.Key.StartsWith("POST", StringComparison.Ordinal)), s => Assert.Equal(1, s.Value));
        Assert.True(withHealthChecks || again.Requests.Count > 0, "The destination that came back gets no request."); // an ejected one has to wait
    }

    private RawUpstream Server(string status, int port = 0) => new(
        async connection =>
        {
            while (true)
            {
                Count(await connection.ReadRequestAsync());
                await connection.SendAsync($"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
            }
        },
        port);

    private void Count(string request) => _sent.AddOrUpdate(request[..request.IndexOf(" HTTP", StringComparison.Ordinal)], 1, static (_, count) => count + 1);
}
