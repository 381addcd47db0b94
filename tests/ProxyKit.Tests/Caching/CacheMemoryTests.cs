using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using ProxyKit.Caching;
using ProxyKit.Tests.Caching.Disk;

namespace ProxyKit.Tests.Caching;

/// <summary>One limit for all that the cache keeps in memory. The process is measured: no other test may run.</summary>
[Collection("alone")]
public class CacheMemoryTests
{
    private const long Megabyte = 1024 * 1024;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Many_slow_readers_of_large_responses_stay_within_the_limit(bool isLengthKnown)
    {
        var before = Environment.WorkingSet;
        await using var app = await StartAsync(_ => Response(24 * Megabyte, isLengthKnown));
        var store = Store(app);

        var bodies = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => OpenAsync(app, $"/{i}")));
        for (var round = 0; round < 2; round++)
        {
            foreach (var body in bodies)
            {
                await ReadAsync(body, Megabyte);
                Assert.InRange(store.Used, 0, store.Limit);
            }
        }

        Assert.InRange(Environment.WorkingSet - before, long.MinValue, 300 * Megabyte);
        await ReadAsync(bodies[0], 22 * Megabyte);
        await ReadAsync(bodies[59], 22 * Megabyte);
        foreach (var body in bodies)
            await body.DisposeAsync();
    }

    [Fact]
    public async Task Removed_responses_that_are_still_being_read_count()
    {
        await using var app = await StartAsync(_ => Response(24 * Megabyte, isLengthKnown: true));
        var store = Store(app);
        var bodies = new List<Stream>();
        for (var i = 0; i < 8; i++)
        {
            bodies.Add(await OpenAsync(app, $"/{i}"));
            await app.Services.GetRequiredService<IProxyCache>().PurgeAllAsync(CachePurgeMode.Remove);
            Assert.InRange(store.Used, 0, store.Limit);
        }

        foreach (var body in bodies)
            await ReadAsync(body, 24 * Megabyte);
    }

    [Fact]
    public async Task Urls_that_cannot_be_stored_cost_no_memory()
    {
        await using var app = await StartAsync(_ => new() { Headers = { { "Cache-Control", "no-store" } } });
        var store = Store(app);
        await app.Client.GetStringAsync("/");
        var (used, heap) = (store.Used, GC.GetTotalMemory(forceFullCollection: true));

        for (var i = 0; i < 2_000; i++)
        {
            await app.Client.GetStringAsync($"/?{i}{new string('x', 4000)}");
            await app.OutcomeAsync();
            app.Logs.Clear();
        }

        Assert.Equal(used, store.Used);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - heap, long.MinValue, 8 * Megabyte);
    }

    [Fact]
    public async Task A_reader_that_stands_still_holds_up_no_other_of_the_same_response()
    {
        var joined = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(_ => Response(60 * Megabyte, isLengthKnown: false, joined.Task));
        var standing = await OpenAsync(app, "/");
        var reading = await OpenAsync(app, "/");
        joined.SetResult();

        await ReadAsync(reading, 60 * Megabyte);
        Assert.Equal(0, await reading.ReadAsync(new byte[1]));
        await ReadAsync(standing, 60 * Megabyte);
        Assert.Equal(0, await standing.ReadAsync(new byte[1]));
    }

    [Fact]
    public async Task A_reader_for_whose_rest_there_is_no_room_is_cut_and_no_other()
    {
        var joined = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(_ => Response(60 * Megabyte, isLengthKnown: false, joined.Task), o => (o.Buffering.MaxDisk, o.Buffering.MaxMemory) = (4 * Megabyte, Megabyte));
        var standing = await OpenAsync(app, "/");
        var reading = await OpenAsync(app, "/");
        joined.SetResult();

        await ReadAsync(reading, 60 * Megabyte);
        Assert.Equal(0, await reading.ReadAsync(new byte[1]));
        await Assert.ThrowsAnyAsync<Exception>(() => ReadAsync(standing, 60 * Megabyte));
    }

    [Fact]
    public async Task Single_bytes_beside_a_long_part_are_not_worth_a_copy()
    {
        await using var app = await StartAsync(request =>
        {
            var range = request.Headers.Range!.Ranges.Single();
            var (from, to) = (range.From!.Value, range.To!.Value);
            var response = new HttpResponseMessage(HttpStatusCode.PartialContent) { Content = new ByteArrayContent(new byte[to - from + 1]) };
            response.Content.Headers.ContentRange = new(from, to, 2_000_000);
            (response.Headers.ETag, response.Headers.CacheControl) = (new("\"1\""), new() { MaxAge = TimeSpan.FromMinutes(1) });
            return response;
        });
        var store = Store(app);
        await GetRangeAsync(app, 0, 999_999);
        var used = store.Used;

        for (var i = 0; i < 40; i++)
            await GetRangeAsync(app, 1_000_000 + i, 1_000_000 + i);
        await GetRangeAsync(app, 5, 6);

        Assert.InRange(store.Used - used, 0, 1000);
        for (var i = 0; i < 41; i++)
            Assert.Equal(CacheResult.Miss, (await app.OutcomeAsync()).CacheResult);
        Assert.Equal(CacheResult.Hit, (await app.OutcomeAsync()).CacheResult);
    }

    [Fact]
    public async Task What_was_used_lately_stays_when_room_is_needed()
    {
        var store = new MemoryCacheStore(Options.Create(new ReverseProxyOptions { Cache = { MaxMemory = 100_000 } }));
        await store.StoreAsync("kept", Responses.Body(1000));
        for (var i = 0; i < 1000; i++)
        {
            await store.StoreAsync($"{i}", Responses.Body(1000));
            Assert.NotNull(await store.FirstAsync("kept"));
            Assert.NotNull(await store.FirstAsync($"{i}"));
            Assert.InRange(store.Used, 0, store.Limit);
        }
        Assert.InRange(store.Count, 20, 100);
    }

    [Fact]
    public async Task All_memory_is_given_back()
    {
        var store = new MemoryCacheStore(Options.Create(new ReverseProxyOptions { Cache = { MaxMemory = 10_000_000 } }));
        foreach (var length in (int[])[0, 1, 4096, 4097, 16384, 65535, 65536, 65537, 300_000])
        {
            await store.StoreAsync($"{length}", Responses.Body(length));
            await store.StoreAsync($"{length}", Responses.Body(length));
            var found = (await store.FirstAsync($"{length}"))!;
            await store.UpdateAsync($"{length}", found, found.Head with { StatusCode = 203 }, default);
        }
        await using (var dropped = (await store.CreateAsync("dropped", Responses.Head(), null, 32, default))!)
            await dropped.WriteAsync(Responses.Body(100_000), default);
        await using (var announced = (await store.CreateAsync("announced", Responses.Head(), 100_000, 32, default))!)
            await announced.WriteAsync(Responses.Body(10), default);

        await store.PurgeAsync(new(CachePurgeKind.All, "", Soft: false), default);

        Assert.Equal((0, 0, 0), (store.Used, store.Size, store.Count));
    }

    private static async Task GetRangeAsync(ProxyApp app, long from, long to)
    {
        using var response = await app.Client.SendAsync(new(HttpMethod.Get, "/") { Headers = { Range = new(from, to) } });
        Assert.Equal(to - from + 1, (await response.Content.ReadAsByteArrayAsync()).Length);
    }

    private static MemoryCacheStore Store(ProxyApp app) => app.Services.GetServices<IProxyCacheStore>().OfType<MemoryCacheStore>().Single();

    private static Task<ProxyApp> StartAsync(Func<HttpRequestMessage, HttpResponseMessage> answer, Action<ReverseProxyOptions>? options = null) =>
        ProxyApp.StartAsync(answer, r => r.WithCache(), options);

    private static async Task<Stream> OpenAsync(ProxyApp app, string path)
    {
        var response = await app.Client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadAsStreamAsync();
    }

    private static async Task ReadAsync(Stream body, long count)
    {
        var buffer = new byte[64 * 1024];
        while (count > 0)
        {
            var read = await body.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, count)));
            if (read == 0)
                throw new EndOfStreamException();
            count -= read;
        }
    }

    private static HttpResponseMessage Response(long length, bool isLengthKnown, Task? gate = null)
    {
        var response = new HttpResponseMessage { Content = new StreamContent(new Zeros(length, gate ?? Task.CompletedTask)), Headers = { { "Cache-Control", "max-age=60" } } };
        if (isLengthKnown)
            response.Content.Headers.ContentLength = length;
        return response;
    }

    /// <summary>So many zeros, all but the first piece once the gate is open.</summary>
    private sealed class Zeros(long length, Task gate) : Stream
    {
        private long _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => _position; set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_position > 0)
                await gate;
            var count = (int)Math.Min(buffer.Length, length - _position);
            buffer.Span[..count].Clear();
            _position += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
