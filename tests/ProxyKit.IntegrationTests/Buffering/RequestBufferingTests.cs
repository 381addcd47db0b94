using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using ProxyKit.IntegrationTests.Protocols;
using ProxyKit.IntegrationTests.Wire;
using Speaks = ProxyKit.IntegrationTests.Protocols.Wire;

namespace ProxyKit.IntegrationTests.Buffering;

/// <summary>Over real connections: slow, long, broken and expectant clients, and an upstream that notices nothing of it.</summary>
[Collection("alone")]
public sealed class RequestBufferingTests : IDisposable
{
    private const int Megabyte = 1024 * 1024;

    private readonly string _folder = Directory.CreateTempSubdirectory("proxykit-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_connection_is_made_before_the_last_byte_has_come(bool overHttpClient)
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await StartAsync(upstream.Url, route =>
        {
            route.WithRequestBuffering(b => b.MemoryThreshold = 0);
            if (overHttpClient)
                route.WithTransforms(t => t.OnRequest(_ => ValueTask.CompletedTask));
        });
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nHello\r\n");
        await WaitForAsync(proxy, "disk", 5);
        await client.SendAsync("7\r\n, world\r\n");
        await WaitForAsync(proxy, "disk", 12);
        Assert.Equal(0, upstream.Connections);
        await client.SendAsync("0\r\n\r\n");

        Assert.Equal(200, Raw.Status(await client.ReadToEndAsync()));
        var forwarded = Assert.Single(upstream.Requests);
        Assert.EndsWith("\r\n\r\nHello, world", forwarded, StringComparison.Ordinal);
        Assert.Equal(["12"], Raw.Values(forwarded, "Content-Length"));
        Assert.False(Raw.Has(forwarded, "Transfer-Encoding"));
        await WaitForAsync(proxy, "disk", 0);
    }

    [Fact]
    public async Task The_client_that_asks_may_go_on_at_once_and_the_upstream_is_not_asked()
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await StartAsync(upstream.Url, route => route.WithRequestBuffering());
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
        Assert.Equal("HTTP/1.1 100 Continue\r\n\r\n", await client.ReadUntilAsync("\r\n\r\n"));
        Assert.Equal(0, upstream.Connections);
        await client.SendAsync("Hello");

        Assert.Equal(200, Raw.Status(await client.ReadToEndAsync()));
        var forwarded = Assert.Single(upstream.Requests);
        Assert.False(Raw.Has(forwarded, "Expect"));
        Assert.Equal(["5"], Raw.Values(forwarded, "Content-Length"));
    }

    [Theory]
    [InlineData("Content-Length: 2001\r\n", "", 1_000_000, 2000, 413)] // more than could ever fit
    [InlineData("Content-Length: 2001\r\n", "", 2000, 1_000_000, 413)] // more than the server takes
    [InlineData("Transfer-Encoding: chunked\r\n", "7d1\r\n", 2000, 1_000_000, 413)]
    [InlineData("Transfer-Encoding: chunked\r\n", "zz\r\n", 2000, 1_000_000, 400)]
    public async Task What_is_refused_is_refused_before_it_is_asked_for(string framing, string body, long serverLimit, long disk, int status)
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await StartAsync(
            upstream.Url, route => route.WithRequestBuffering(b => b.MemoryThreshold = 1000).WithProxyStatus(), options => options.Buffering.MaxDisk = disk, serverLimit);
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync($"POST / HTTP/1.1\r\nHost: a\r\n{(body.Length == 0 ? "Expect: 100-continue\r\n" : "")}{framing}\r\n{body}{new string('x', body.Length == 0 ? 0 : 2001)}");
        var response = await client.ReadToEndAsync();

        Assert.StartsWith($"HTTP/1.1 {status} ", response, StringComparison.Ordinal);
        Assert.Contains("error=http_request_error", Raw.Value(response, "Proxy-Status"), StringComparison.Ordinal);
        Assert.Equal("close", Raw.Value(response, "Connection"));
        Assert.Equal(0, upstream.Connections);
        await WaitForAsync(proxy, "disk", 0);
        await WaitForAsync(proxy, "memory", 0);
    }

    [Fact]
    public async Task A_full_budget_is_a_503_that_says_when_to_come_again()
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await StartAsync(upstream.Url, route => route.WithRequestBuffering(b => b.MemoryThreshold = 0), options => (options.Buffering.MaxDisk, options.Buffering.MaxClientShare) = (1000, 1));
        using var first = await RawClient.ConnectAsync(proxy.Port);
        await first.SendAsync($"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 800\r\n\r\n{new string('x', 700)}");
        await WaitForAsync(proxy, "disk", 700);

        using var late = await RawClient.ConnectAsync(proxy.Port);
        await late.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 800\r\n\r\n");
        var second = await late.ReadUntilAsync("\r\n\r\n");
        await first.SendAsync(new string('y', 100));

        Assert.Equal(503, Raw.Status(second));
        Assert.Equal("10", Raw.Value(second, "Retry-After"));
        Assert.Equal(200, Raw.Status(await first.ReadToEndAsync())); // it has the room that it took
        Assert.Single(upstream.Requests);
        await WaitForAsync(proxy, "disk", 0);
    }

    [Theory]
    [InlineData("Content-Length: 100\r\n\r\nhalf")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")]
    public async Task A_body_that_breaks_off_never_reaches_the_upstream(string rest)
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await StartAsync(upstream.Url, route => route.WithRequestBuffering(b => b.MemoryThreshold = 0).WithAccessLog());
        using (var client = await RawClient.ConnectAsync(proxy.Port))
        {
            await client.SendAsync($"POST / HTTP/1.1\r\nHost: a\r\n{rest}");
            await WaitForAsync(proxy, "disk", 4);
            client.Socket.Close(0); // a reset
        }

        await WaitForAsync(proxy, "disk", 0);
        Assert.Equal(0, upstream.Connections);
        await proxy.LoggedAsync("ClientAborted");
    }

    [Fact]
    public async Task An_HTTP_2_stream_that_is_reset_never_reaches_the_upstream()
    {
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        await using var proxy = await StartAsync(upstream.Url, route => route.WithRequestBuffering(b => b.MemoryThreshold = 0), wire: Speaks.H2C);
        using var http = proxy.CreateClient(Speaks.H2C);
        using var leave = new CancellationTokenSource();
        var content = new LiveContent();

        var sent = http.PostAsync("/", content, leave.Token);
        await content.WriteAsync(new byte[10]);
        await WaitForAsync(proxy, "disk", 10);
        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sent);
        await WaitForAsync(proxy, "disk", 0);
        Assert.Equal(0, upstream.Connections);
    }

    [Theory]
    [InlineData(Speaks.Http1, Speaks.Http1)]
    [InlineData(Speaks.H2C, Speaks.Http1)]
    [InlineData(Speaks.Http1, Speaks.H2C)]
    [InlineData(Speaks.H2Tls, Speaks.H2Tls)]
    public async Task Bodies_of_all_lengths_arrive_with_their_length(Speaks client, Speaks upstream)
    {
        await using var peer = await Peers.StartAsync(upstream, HashAsync);
        await using var proxy = await StartAsync(peer.Url, route => route.WithUpstream(upstream).WithRequestBuffering(b => b.MemoryThreshold = 20_000), wire: client);
        using var http = proxy.CreateClient(client);

        foreach (var length in new[] { 0, 1, 5_000, 16 * 1024, 20_000, 20_001, 1_000_000 })
        {
            var bytes = Peers.Bytes(length, seed: length);
            foreach (var content in new HttpContent[] { new ByteArrayContent(bytes), new Pieces(bytes, 1) })
            {
                using var response = await http.PostAsync("/", content);
                Assert.Equal($"{length} {Convert.ToHexString(SHA256.HashData(bytes))}", await response.Content.ReadAsStringAsync());
            }
        }
        await WaitForAsync(proxy, "disk", 0);
        await WaitForAsync(proxy, "memory", 0);
    }

    [Theory]
    [InlineData(Speaks.Http1)]
    [InlineData(Speaks.H2C)]
    public async Task A_hundred_megabytes_of_unknown_length_take_disk_and_hardly_any_memory(Speaks client)
    {
        KestrelApp? running = null;
        var (memory, disk, heap) = (0L, 0L, 0L);
        await using var peer = await Peers.StartAsync(Speaks.Http1, app => app.Run(async context =>
        {
            (memory, disk) = (InUse(running!, "memory"), InUse(running!, "disk"));
            var before = GC.GetTotalMemory(forceFullCollection: true);
            await HashAsync(context);
            heap = GC.GetTotalMemory(forceFullCollection: true) - before;
        }), kestrel: kestrel => kestrel.Limits.MaxRequestBodySize = null);
        await using var proxy = running = await StartAsync(peer.Url, route => route.WithRequestBuffering(), serverLimit: null, wire: client);
        using var http = proxy.CreateClient(client);
        var piece = Peers.Bytes(Megabyte, seed: 1);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var i = 0; i < 100; i++)
            hash.AppendData(piece);
        var start = GC.GetTotalMemory(forceFullCollection: true);

        using var response = await http.PostAsync("/", new Pieces(piece, 100));

        Assert.Equal($"{100 * Megabyte} {Convert.ToHexString(hash.GetHashAndReset())}", await response.Content.ReadAsStringAsync());
        Assert.InRange(memory, 1, 64 * 1024);
        Assert.InRange(disk, 100 * Megabyte - 64 * 1024, 100 * Megabyte);
        Assert.InRange(heap, long.MinValue, 20 * Megabyte);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - start, long.MinValue, 30 * Megabyte);
        await WaitForAsync(proxy, "disk", 0);
        await WaitForAsync(proxy, "memory", 0);
        Assert.Empty(Directory.GetFiles(_folder, "*.tmp", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Ten_megabytes_are_sent_whole_to_the_next_destination()
    {
        await using var broken = new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            connection.Reset();
        });
        await using var peer = await Peers.StartAsync(Speaks.Http1, HashAsync);
        await using var proxy = await StartAsync(broken.Url, route => route.WithDestination(peer.Url, d => d.Backup = true).WithRequestBuffering().WithRetries(r =>
        {
            r.NonIdempotent = true;
            r.MaxBodySize = 0;
        }));
        using var http = proxy.CreateClient(Speaks.Http1);
        var bytes = Peers.Bytes(10 * Megabyte, seed: 7);

        using var response = await http.PostAsync("/", new ByteArrayContent(bytes));

        Assert.Equal($"{bytes.Length} {Convert.ToHexString(SHA256.HashData(bytes))}", await response.Content.ReadAsStringAsync());
        Assert.Equal(1, broken.Connections);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(100_000)]
    public async Task A_kept_connection_that_was_closed_costs_nothing(int length)
    {
        var connections = 0;
        await using var upstream = new RawUpstream(async connection =>
        {
            var isFirst = Interlocked.Increment(ref connections) == 1;
            await connection.ReadRequestAsync();
            await connection.SendAsync(WireProxy.Ok);
            if (isFirst)
                await connection.ReadHeadAsync(); // and then closes, unanswered
            else
                await connection.ClosedAsync();
        });
        await using var proxy = await StartAsync(upstream.Url, route => route.WithRequestBuffering(b => b.MemoryThreshold = 1000));
        using var http = proxy.CreateClient(Speaks.Http1);
        Assert.Equal(200, (int)(await http.GetAsync("/")).StatusCode);

        using var response = await http.PutAsync("/", new ByteArrayContent(new byte[length]));

        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal(2, connections);
        Assert.EndsWith(new string('\0', length), upstream.Requests[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_killed_process_left_is_gone_after_the_next_start_and_what_a_running_one_has_is_not()
    {
        var flock = RealServer.Require("flock", "util-linux");
        await using var upstream = RawUpstream.KeepAlive(WireProxy.Ok);
        string ours;
        await using (await StartAsync(upstream.Url, route => route.WithRequestBuffering()))
            ours = Assert.Single(Directory.GetDirectories(_folder));
        Assert.Empty(Directory.GetFiles(ours));
        // Another process of ours, with a file that it had no time to remove.
        File.WriteAllText(Path.Combine(ours, "other-1.tmp"), "a body");
        await using (var other = RunningProgram.Start(flock, ours, "other.lock", "sh", "-c", "echo locked; sleep 600"))
        {
            await other.WaitForAsync("locked");
            await using (await StartAsync(upstream.Url, route => route.WithRequestBuffering()))
                Assert.True(File.Exists(Path.Combine(ours, "other-1.tmp")));
        } // killed

        await using var proxy = await StartAsync(upstream.Url, route => route.WithRequestBuffering());

        await proxy.LoggedAsync("TempFilesCleared");
        Assert.Equal(".lock", Path.GetExtension(Assert.Single(Directory.GetFiles(ours))));
    }

    private Task<KestrelApp> StartAsync(
        string upstream, Action<ProxyRouteBuilder> route, Action<ReverseProxyOptions>? options = null, long? serverLimit = 30_000_000, Speaks wire = Speaks.Http1) =>
        Peers.StartProxyAsync(wire, upstream, route, kestrel => kestrel.Limits.MaxRequestBodySize = serverLimit, o =>
        {
            o.Buffering.Directory = _folder;
            options?.Invoke(o);
        });

    private static async Task HashAsync(HttpContext context)
    {
        var announced = context.Request.ContentLength;
        var hash = await SHA256.HashDataAsync(context.Request.Body);
        await context.Response.WriteAsync($"{announced} {Convert.ToHexString(hash)}");
    }

    private static Task WaitForAsync(KestrelApp proxy, string what, long bytes) => Peers.EventuallyAsync(() => InUse(proxy, what) == bytes);

    private static long InUse(KestrelApp proxy, string what)
    {
        using var collector = new MetricCollector<long>(proxy.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", $"proxykit.buffering.{what}");
        collector.RecordObservableInstruments();
        return collector.LastMeasurement!.Value;
    }

    /// <summary>The same bytes again and again, of a length that is not said.</summary>
    private sealed class Pieces(byte[] bytes, int times) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            for (var i = 0; i < times; i++)
                await stream.WriteAsync(bytes);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
