using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Resilience;

/// <summary>
/// Six destinations: two good ones, one that refuses connections, one that responds with 503, one that resets in the header section, and one that stalls. A good one is
/// killed twice. The proxy has its defaults; what the tests set is what they are named for.
/// </summary>
[Collection("alone")]
public class FaultTests(ITestOutputHelper output)
{
    private const int Clients = 100, Requests = 80_000;

    private readonly ConcurrentDictionary<string, int> _posts = new();

    [Fact]
    public async Task A_cluster_without_settings_survives_dead_destinations()
    {
        var run = await RunAsync(static _ => { });

        Assert.InRange(run.GetErrors.Count, 0, run.Gets * 2 / 1000);
    }

    [Fact]
    public async Task With_retries_no_get_fails()
    {
        var run = await RunAsync(static route => route.WithRetries().WithTimeouts(t => t.FirstByte = TimeSpan.FromSeconds(2)));

        Assert.Empty(run.GetErrors);
        Assert.InRange(run.PostErrors.Count, 0, run.Posts / 1000);
    }

    private async Task<Run> RunAsync(Action<ProxyRouteBuilder> configure)
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
        await using var proxy = await KestrelApp.StartAsync(
            app => configure(app.MapProxy("/{**path}", good.Url, mortal.Url, $"http://127.0.0.1:{((IPEndPoint)refusing.LocalEndPoint!).Port}", unavailable.Url, resetting.Url, stalling.Url)),
            services => services.AddReverseProxy());
        using var client = new HttpClient { BaseAddress = proxy.Address };
        using var end = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var run = new Run();

        var load = Enumerable.Range(0, Clients).Select(_ => Task.Run(async () =>
        {
            while (run.Next() is var number and < Requests)
                await SendAsync(client, number, run, end.Token);
        })).ToArray();
        foreach (var (down, up) in new[] { (0.2, 0.4), (0.6, 0.8) })
        {
            await run.HasReached((int)(down * Requests));
            await mortal.DisposeAsync();
            await run.HasReached((int)(up * Requests));
            mortal = Server("200 OK", mortal.Port);
        }
        await run.HasReached(Requests);
        // Requests that still wait for the stalled destination are errors.
        if (await Task.WhenAny(Task.WhenAll(load), Task.Delay(TimeSpan.FromSeconds(5), end.Token)) is { } ended)
            await end.CancelAsync();
        await Task.WhenAll(load);
        await mortal.DisposeAsync();

        output.WriteLine($"GET: {run.GetErrors.Count} errors of {run.Gets}, longest {run.LongestGet.TotalSeconds:0.00} s; POST: {run.PostErrors.Count} of {run.Posts}");
        foreach (var group in run.GetErrors.Concat(run.PostErrors).GroupBy(e => e).OrderByDescending(g => g.Count()).Take(10))
            output.WriteLine($"{group.Count()} x {group.Key}");
        Assert.All(_posts, post => Assert.Equal(1, post.Value));
        return run;
    }

    private static async Task SendAsync(HttpClient client, int number, Run run, CancellationToken cancellationToken)
    {
        var isPost = number % 5 == 0;
        using var request = new HttpRequestMessage(isPost ? HttpMethod.Post : HttpMethod.Get, $"/{number}");
        if (isPost)
            request.Content = new StringContent($"body {number}");
        var start = Stopwatch.GetTimestamp();
        string? error = null;
        try
        {
            using var response = await client.SendAsync(request, cancellationToken);
            if (response.StatusCode != HttpStatusCode.OK)
                error = $"{request.Method}: {(int)response.StatusCode}";
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            error = $"{request.Method}: {e.Message}";
        }
        run.Add(isPost, error, Stopwatch.GetElapsedTime(start));
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

    private void Count(string request)
    {
        if (request.StartsWith("POST", StringComparison.Ordinal))
            _posts.AddOrUpdate(request[..request.IndexOf(" HTTP", StringComparison.Ordinal)], 1, static (_, count) => count + 1);
    }

    private sealed class Run
    {
        private readonly ConcurrentDictionary<int, TaskCompletionSource> _marks = new();
        private readonly Lock _lock = new();
        private int _next = -1;

        public int Gets { get; private set; }

        public int Posts { get; private set; }

        public ConcurrentBag<string> GetErrors { get; } = [];

        public ConcurrentBag<string> PostErrors { get; } = [];

        public TimeSpan LongestGet { get; private set; }

        public int Next()
        {
            var next = Interlocked.Increment(ref _next);
            Mark(next).TrySetResult();
            return next;
        }

        public Task HasReached(int number) => Mark(number).Task;

        public void Add(bool isPost, string? error, TimeSpan duration)
        {
            lock (_lock)
            {
                if (isPost)
                    Posts++;
                else
                    Gets++;
                if (!isPost && duration > LongestGet)
                    LongestGet = duration;
            }
            if (error is not null)
                (isPost ? PostErrors : GetErrors).Add(error);
        }

        private TaskCompletionSource Mark(int number) => _marks.GetOrAdd(number, static _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
    }
}
