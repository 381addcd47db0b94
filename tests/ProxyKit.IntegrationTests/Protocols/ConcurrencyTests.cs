using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyKit.LoadBalancing;

namespace ProxyKit.IntegrationTests.Protocols;

[Collection("alone")]
public class ConcurrencyTests
{
    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task Two_hundred_requests_at_once_keep_their_paths_headers_and_bodies_apart(Wire client, Wire upstream)
    {
        await using var rig = await Rig.StartAsync(client, upstream);
        using var http = rig.Proxy.CreateClient(client);

        await Task.WhenAll(Enumerable.Range(0, 200).Select(n => Task.Run(async () =>
        {
            for (var i = 0; i < 4; i++)
            {
                var seed = n * 10 + i;
                var body = Peers.Bytes(new Random(seed).Next(0, 60_000), seed);
                using var request = Request(seed, client);
                request.Content = i % 2 == 0 ? new ByteArrayContent(body) : new StreamContent(new Unseekable(body));

                using var response = await http.SendAsync(request);

                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                Assert.Equal($"/{seed}?{seed}", response.Headers.GetValues("X-Target").Single());
                Assert.Equal($"{seed}", response.Headers.GetValues("X-Seed").Single());
                Assert.Equal(Convert.ToHexString(SHA256.HashData(body)), response.Headers.GetValues("X-Hash").Single());
                Assert.Equal(Peers.Bytes(new Random(~seed).Next(0, 60_000), ~seed), await response.Content.ReadAsByteArrayAsync());
            }
        })));

        Assert.Equal(800, rig.Served);
        await rig.Proxy.IdleAsync(() => rig.Active);
    }

    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task Clients_that_leave_at_any_moment_leave_nothing_behind_and_disturb_nobody(Wire client, Wire upstream)
    {
        await using var rig = await Rig.StartAsync(client, upstream);
        using var http = rig.Proxy.CreateClient(client);
        using var steady = rig.Proxy.CreateClient(client);
        var random = new Random(7);
        var before = (Handles: 0, Memory: 0L);

        for (var round = 0; round < 4; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 100).Select(n => (n, delay: random.Next(0, 12), size: random.Next(0, 200_000))).Select(p => Task.Run(async () =>
            {
                using var leave = new CancellationTokenSource();
                var seed = p.n;
                using var request = Request(seed, client);
                request.Content = p.n % 3 == 0 ? null : new ByteArrayContent(new byte[p.size]);
                if (p.n % 4 == 0)
                {
                    // One that stays, among those that leave.
                    using var response = await steady.SendAsync(request);
                    Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                    Assert.Equal(Peers.Bytes(new Random(~seed).Next(0, 60_000), ~seed), await response.Content.ReadAsByteArrayAsync());
                    return;
                }
                leave.CancelAfter(p.delay);
                try
                {
                    using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave.Token);
                    await response.Content.CopyToAsync(Stream.Null, leave.Token);
                }
                catch (Exception e) when (e is OperationCanceledException or HttpRequestException or IOException)
                {
                }
            })));
            await rig.Proxy.IdleAsync(() => rig.Active);
            var now = (Handles: Directory.Exists("/proc/self/fd") ? Directory.GetFileSystemEntries("/proc/self/fd").Length : 0, Memory: GC.GetTotalMemory(forceFullCollection: true));
            if (round == 1)
                before = now; // what pools hold is there by now
            if (round == 3)
            {
                Assert.True(now.Memory - before.Memory < 50_000_000, $"{before.Memory:n0} → {now.Memory:n0} bytes");
                Assert.True(now.Handles - before.Handles < 250, $"{before.Handles} → {now.Handles} handles");
            }
        }
        Assert.Equal(0, rig.Active);
        Assert.Equal("", string.Join("\n", rig.Proxy.Logs.GetSnapshot().Where(r => r.Category == "ProxyKit" && r.Level >= LogLevel.Warning).Select(r => $"{r.Message} {r.Exception}")));
    }

    private static HttpRequestMessage Request(int seed, Wire client) =>
        new(HttpMethod.Post, $"/{seed}?{seed}") { Version = client.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact, Headers = { { "X-Seed", $"{seed}" } } };

    private sealed class Rig : IAsyncDisposable
    {
        private readonly HashSet<Destination> _destinations = [];
        private KestrelApp _upstream = null!;
        private int _served;

        public KestrelApp Proxy { get; private set; } = null!;

        public int Served => _served;

        /// <summary>Requests under way at the destinations.</summary>
        public int Active
        {
            get
            {
                lock (_destinations)
                    return _destinations.Sum(d => d.ActiveRequests);
            }
        }

        public static async Task<Rig> StartAsync(Wire client, Wire upstream)
        {
            var rig = new Rig();
            rig._upstream = await Peers.StartAsync(upstream, async context =>
            {
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                var buffer = new byte[8192];
                int read;
                while ((read = await context.Request.Body.ReadAsync(buffer)) > 0)
                    hash.AppendData(buffer, 0, read);
                var seed = int.Parse(context.Request.Headers["X-Seed"]!, null);
                context.Response.Headers["X-Seed"] = $"{seed}";
                context.Response.Headers["X-Target"] = context.Request.Path + context.Request.QueryString.Value;
                context.Response.Headers["X-Hash"] = Convert.ToHexString(hash.GetHashAndReset());
                var answer = Peers.Bytes(new Random(~seed).Next(0, 60_000), ~seed);
                if (seed % 2 == 0)
                    context.Response.ContentLength = answer.Length;
                for (var i = 0; i < answer.Length; i += 7000)
                    await context.Response.Body.WriteAsync(answer.AsMemory(i, Math.Min(7000, answer.Length - i)));
                Interlocked.Increment(ref rig._served);
            });
            rig.Proxy = await Peers.StartAsync(
                client,
                app =>
                {
                    app.Use(async (context, next) =>
                    {
                        await next(context);
                        if (context.GetProxyContext()?.Destination is { } destination)
                        {
                            lock (rig._destinations)
                                rig._destinations.Add(destination);
                        }
                    });
                    // Two names of one upstream, so that a choice is made.
                    app.MapProxy("/{**path}", rig._upstream.Url, rig._upstream.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal)).WithUpstream(upstream);
                },
                services => services.AddReverseProxy());
            return rig;
        }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            await _upstream.DisposeAsync();
        }
    }

    private sealed class Unseekable(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
