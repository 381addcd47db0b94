using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Buffering;

using Wire = ProxyKit.IntegrationTests.Protocols.Wire;

/// <summary>Slow clients on real connections: the upstream does not notice them.</summary>
[Collection("alone")]
public sealed class ResponseBufferingTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxykit-buffering-");
    private ProxyContext? _proxy;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_slow_client_gets_50_MB_whole_and_the_upstream_is_done_long_before(bool lengthIsKnown)
    {
        var bytes = Peers.Bytes(50_000_000, 1);
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            if (lengthIsKnown)
                context.Response.ContentLength = bytes.Length;
            await context.Response.Body.WriteAsync(bytes);
        });
        await using var proxy = await StartAsync(Wire.Http1, upstream.Url);
        using var client = await SlowReader.GetAsync(proxy.Port);

        await FreeAsync();
        Assert.Equal(0, client.Read);
        Assert.Equal(1, OpenFiles());

        if (lengthIsKnown)
            Assert.Equal(SHA256.HashData(bytes), await client.HashAsync(pauseEvery: 1_000_000));
        else
            await client.HashAsync(pauseEvery: 1_000_000); // with the chunks' sizes between
        Assert.True(client.Read >= bytes.Length);
        await Peers.EventuallyAsync(() => OpenFiles() == 0);
        Assert.Equal(ProxyError.None, _proxy!.Error);
    }

    [Fact]
    public async Task The_upstreams_connection_serves_the_next_one_while_the_client_still_reads()
    {
        await using var upstream = RawUpstream.KeepAlive($"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n{new string('a', 10_000_000)}");
        await using var proxy = await StartAsync(Wire.Http1, upstream.Url);
        using var slow = await SlowReader.GetAsync(proxy.Port);
        await slow.ReadAsync(1000);
        await FreeAsync();

        using var http = proxy.CreateClient(Wire.Http1);
        Assert.Equal(10_000_000, (await http.GetByteArrayAsync("/")).Length);

        Assert.Equal(1, upstream.Connections);
        await slow.ReadAsync(10_000_000);
        Assert.Equal(10_000_000, slow.Read);
    }

    [Theory]
    [InlineData("Content-Length: 6000000", 6_000_000)]
    [InlineData("Transfer-Encoding: chunked", 6_000_000)]
    public async Task A_slow_client_never_takes_half_a_response_for_a_whole_one(string framing, int announced)
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync($"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{(framing[0] == 'T' ? $"{announced:x}\r\n" : "")}{new string('a', 5_000_000)}");
        });
        await using var proxy = await StartAsync(Wire.Http1, upstream.Url);
        using var client = await SlowReader.GetAsync(proxy.Port);
        await FreeAsync();

        Exception? reset = null;
        try
        {
            await client.ReadAsync(announced + 1000);
        }
        catch (SocketException e)
        {
            reset = e;
        }

        Assert.True(reset is not null || client.Read < 5_000_000, $"{client.Read}"); // too little for the length, and no last chunk
        Assert.Equal(ProxyError.ResponseBodyDestination, _proxy!.Error);
        await Peers.EventuallyAsync(() => OpenFiles() == 0);
    }

    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    public async Task What_has_come_is_not_kept_back_while_the_upstream_is_still_sending(Wire client)
    {
        var go = new TaskCompletionSource();
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            foreach (var piece in (string[])["one", "two"])
            {
                await context.Response.WriteAsync(piece);
                await context.Response.Body.FlushAsync();
            }
            await go.Task;
            await context.Response.WriteAsync("three");
        });
        await using var proxy = await StartAsync(client, upstream.Url);
        using var http = proxy.CreateClient(client);

        using var response = await http.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        var body = await response.Content.ReadAsStreamAsync();
        Assert.Equal("onetwo", await body.ReadSomeAsync(6));
        go.SetResult();
        Assert.Equal("three", await body.ReadSomeAsync(5));
        Assert.Equal(0, await body.ReadAsync(new byte[1]));
    }

    [Fact]
    public async Task Each_stream_of_HTTP_2_waits_for_itself_and_trailers_come_last()
    {
        var bytes = Peers.Bytes(20_000_000, 2);
        await using var upstream = await Peers.StartAsync(Wire.H2C, async context =>
        {
            context.Response.DeclareTrailer("X-Sum");
            await context.Response.Body.WriteAsync(bytes);
            context.Response.AppendTrailer("X-Sum", "42");
        });
        await using var proxy = await StartAsync(Wire.H2C, upstream.Url, r => r.WithUpstream(Wire.H2C));
        using var http = proxy.CreateClient(Wire.H2C);

        using var slow = await http.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        await FreeAsync();
        Assert.True((await http.GetByteArrayAsync("/")).AsSpan().SequenceEqual(bytes));
        Assert.True((await slow.Content.ReadAsByteArrayAsync()).AsSpan().SequenceEqual(bytes));

        Assert.Equal("42", slow.TrailingHeaders.GetValues("X-Sum").Single());
        await Peers.EventuallyAsync(() => OpenFiles() == 0);
    }

    [Fact]
    public async Task A_client_that_stops_reading_is_cut_off_and_its_file_is_freed()
    {
        var bytes = Peers.Bytes(20_000_000, 3);
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context => await context.Response.Body.WriteAsync(bytes));
        await using var proxy = await StartAsync(Wire.Http1, upstream.Url, kestrel: k => k.Limits.MinResponseDataRate = new(1_000_000, TimeSpan.FromSeconds(2)));
        using var client = await SlowReader.GetAsync(proxy.Port);
        await FreeAsync();
        Assert.Equal(1, OpenFiles());

        await Peers.EventuallyAsync(() => OpenFiles() == 0);
        await proxy.LoggedAsync("ClientTooSlow");
        Assert.Equal(ProxyError.ClientAborted, _proxy!.Error);
    }

    [Fact]
    public async Task A_client_that_leaves_ends_it_at_the_upstream_and_frees_the_file()
    {
        var ended = new TaskCompletionSource();
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            context.RequestAborted.Register(() => ended.TrySetResult());
            var block = new byte[64 * 1024];
            while (!context.RequestAborted.IsCancellationRequested)
                await context.Response.Body.WriteAsync(block, context.RequestAborted);
        });
        await using var proxy = await StartAsync(Wire.Http1, upstream.Url, r => r.WithResponseBuffering(b => b.MaxSize = 1_000_000));
        using var client = await SlowReader.GetAsync(proxy.Port);
        await Peers.EventuallyAsync(() => OpenFiles() == 1);

        client.Dispose();

        await ended.Task.WaitAsync(Peers.Patience);
        await Peers.EventuallyAsync(() => OpenFiles() == 0);
    }

    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    public async Task A_download_of_1_GB_takes_constant_memory(Wire wire)
    {
        const long length = 1024 * 1024 * 1024;
        var block = Peers.Bytes(128 * 1024, 4);
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            context.Response.ContentLength = length;
            for (var sent = 0L; sent < length; sent += block.Length)
                await context.Response.Body.WriteAsync(block);
        });
        await using var proxy = await StartAsync(wire, upstream.Url, r => r.WithResponseBuffering(b => b.MaxSize = 32 * 1024 * 1024));
        using var http = proxy.CreateClient(wire);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var most = 0L;

        await using var body = await http.GetStreamAsync("/");
        var buffer = new byte[128 * 1024];
        for (var read = 0L; read < length; read += buffer.Length)
        {
            await body.ReadExactlyAsync(buffer);
            if (!buffer.AsSpan().SequenceEqual(block))
                Assert.Fail($"Other bytes than were sent, at {read}.");
            if (read % (64 * 1024 * 1024) == 0)
                most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true));
        }

        Assert.Equal(0, await body.ReadAsync(buffer));
        Assert.True(most - before < 64_000_000, $"{most - before}");
    }

    private Task<KestrelApp> StartAsync(Wire wire, string upstream, Action<ProxyRouteBuilder>? route = null, Action<KestrelServerOptions>? kestrel = null) =>
        Peers.StartAsync(
            wire,
            app =>
            {
                app.Use(async (context, next) =>
                {
                    var running = next(context);
                    _proxy = context.GetProxyContext();
                    await running;
                });
                var builder = app.MapProxy("/{**path}", upstream).WithResponseBuffering();
                route?.Invoke(builder);
            },
            services =>
            {
                services.AddLogging(logging => logging.AddFilter("ProxyKit", LogLevel.Debug));
                services.AddReverseProxy(o => o.Buffering.Directory = Path.Combine(_folder.FullName, "files"));
            },
            kestrel);

    private Task FreeAsync() => Peers.EventuallyAsync(() => _proxy?.Destination?.ActiveRequests == 0);

    // On Unix they have no names any more.
    private int OpenFiles() =>
        Directory.Exists("/proc/self/fd")
            ? Directory.GetFiles("/proc/self/fd").Count(f => new FileInfo(f).LinkTarget is { } target && target.StartsWith(_folder.FullName, StringComparison.Ordinal) && target.Contains(".tmp", StringComparison.Ordinal))
            : Directory.GetFiles(_folder.FullName, "*.tmp", SearchOption.AllDirectories).Length;
}
