using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>Tests that measure memory, or load the machine so that others would miss their time: one after the other with nothing beside them.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public class Alone;

[Collection("alone")]
public class StreamingTests : WireTests
{
    private const long AllowedGrowth = 48L << 20, AllowedAllocation = 64L << 20;

    private static readonly byte[] s_piece = [.. Enumerable.Range(0, 256 * 1024).Select(i => (byte)(i % 251))];

    protected virtual long Size => 512L << 20;

    public static TheoryData<string> Framings => ["Content-Length", "chunked"];

    [Theory, MemberData(nameof(Framings))]
    public async Task A_download_takes_constant_memory(string framing)
    {
        await using var wire = await StartAsync(new RawUpstream(async upstream =>
        {
            if (Raw.Target(await upstream.ReadHeadAsync()) == "/warm-up")
                await upstream.SendAsync(WireProxy.Ok);
            else
                await SendBodyAsync(upstream.Socket, "HTTP/1.1 200 OK\r\n", framing);
        }));
        using var client = await wire.ConnectAsync();
        await wire.GetAsync("/warm-up");

        var memory = Memory.Now();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        var received = await DrainAsync(client.Socket, long.MaxValue);

        memory.AssertConstant();
        Assert.InRange(received, Size, Size + (Size >> 5)); // head and chunk lines
    }

    [Theory, MemberData(nameof(Framings))]
    public async Task An_upload_takes_constant_memory(string framing)
    {
        await using var upstream = new RawUpstream(async upstream =>
        {
            var first = Raw.Body(await upstream.ReadHeadAsync()).Length;
            await DrainAsync(upstream.Socket, framing == "chunked" ? null : Size - first);
            await upstream.SendAsync(WireProxy.Ok);
        });
        await using var proxy = await KestrelApp.StartAsync(
            app => HttpClientIfAsked(app.MapProxy("/{**path}", upstream.Url)), services => services.AddReverseProxy(), kestrel: o => o.Limits.MaxRequestBodySize = null);
        using var client = await RawClient.ConnectAsync(proxy.Port);

        var memory = Memory.Now();
        await SendBodyAsync(client.Socket, "POST / HTTP/1.1\r\nHost: a\r\n", framing);
        await client.ReadUntilAsync("ok");

        memory.AssertConstant();
    }

    // A client that reads nothing must slow the upstream down, not fill the memory.
    [Fact]
    public async Task A_client_that_does_not_read_stops_the_upstream()
    {
        long sent = 0;
        await using var wire = await StartAsync(new RawUpstream(async upstream =>
        {
            await upstream.ReadHeadAsync();
            await upstream.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {Size}\r\n\r\n");
            while (true)
                Interlocked.Add(ref sent, await upstream.Socket.SendAsync(s_piece, upstream.Stopping));
        }));
        using var client = await wire.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        await client.ReadUntilAsync("\r\n\r\n");

        long before;
        do
        {
            before = Interlocked.Read(ref sent);
            await Task.Delay(300); // until nothing moves any more
        }
        while (Interlocked.Read(ref sent) != before);

        Assert.InRange(before, 1, 64L << 20); // what fits into the socket buffers
    }

    private async Task SendBodyAsync(Socket socket, string head, string framing)
    {
        var chunked = framing == "chunked";
        await SendAllAsync(socket, Encoding.Latin1.GetBytes(head + (chunked ? "Transfer-Encoding: chunked\r\n\r\n" : $"Content-Length: {Size}\r\n\r\n")));
        var piece = chunked ? [.. Encoding.Latin1.GetBytes($"{s_piece.Length:x}\r\n"), .. s_piece, .. "\r\n"u8] : s_piece;
        for (long sent = 0; sent < Size; sent += s_piece.Length)
            await SendAllAsync(socket, piece);
        if (chunked)
            await SendAllAsync(socket, "0\r\n\r\n"u8.ToArray());
    }

    private static async Task SendAllAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[await socket.SendAsync(bytes)..];
    }

    /// <summary>Takes so many bytes, or, without a number, all up to the last chunk; or what there is until the end.</summary>
    private static async Task<long> DrainAsync(Socket socket, long? expected)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var buffer = new byte[256 * 1024];
        long total = 0;
        var last = false;
        while (expected is null ? !last : total < expected)
        {
            var read = await socket.ReceiveAsync(buffer, limit.Token);
            if (read == 0)
                break;
            total += read;
            last = buffer.AsSpan(0, read).EndsWith("0\r\n\r\n"u8);
        }
        return total;
    }

    private readonly record struct Memory(long WorkingSet, long Allocated, long Large)
    {
        public static Memory Now()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            return Read();
        }

        private static Memory Read() =>
            new(Environment.WorkingSet, GC.GetTotalAllocatedBytes(precise: true), GC.GetGCMemoryInfo(GCKind.Any).GenerationInfo[3].SizeAfterBytes);

        public void AssertConstant()
        {
            var allocated = GC.GetTotalAllocatedBytes(precise: true) - Allocated;
            var workingSet = Environment.WorkingSet - WorkingSet;
            GC.Collect();
            var large = Read().Large - Large;
            Assert.True(allocated < AllowedAllocation, $"allocated {allocated >> 20} MB");
            Assert.True(workingSet < AllowedGrowth, $"working set grew by {workingSet >> 20} MB");
            Assert.True(large < 8 << 20, $"large objects grew by {large >> 20} MB");
        }
    }
}

[Collection("alone")]
public sealed class StreamingOverHttpClientTests : StreamingTests
{
    protected override bool OverHttpClient => true;

    protected override long Size => 128L << 20;
}
