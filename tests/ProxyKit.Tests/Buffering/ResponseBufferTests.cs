using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.Buffering;

namespace ProxyKit.Tests.Buffering;

/// <summary>A response's body between a writer and a client's pipe, in all the ways in which a body can be written.</summary>
public sealed class ResponseBufferTests : IDisposable
{
    private readonly Buffers _buffers = new();
    private readonly DefaultHttpContext _context = new();
    private readonly ProxyContext _proxy = (ProxyContext)RuntimeHelpers.GetUninitializedObject(typeof(ProxyContext));
    private readonly FakeTimeProvider _time = new();
    private readonly Client _client = new();

    public void Dispose() => _buffers.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public async Task However_it_is_written_and_read_every_byte_arrives_once_and_in_order(int seed)
    {
        const int length = 8_000_000;
        var bytes = Buffers.Bytes(length, seed);
        using var buffer = Create(memoryThreshold: 16 * 1024 * seed, maxSize: 200_000 * seed);
        var writing = Task.Run(async () =>
        {
            var random = new Random(seed);
            for (var sent = 0; sent < length;)
            {
                var piece = bytes.AsMemory(sent, Math.Min(length - sent, random.Next(1, random.Next(2, 150_000))));
                switch (random.Next(6))
                {
                    case 0:
                        await buffer.Stream.WriteAsync(piece);
                        break;
                    case 1:
                        piece.CopyTo(buffer.GetMemory(piece.Length));
                        buffer.Advance(piece.Length);
                        await buffer.FlushAsync();
                        break;
                    case 2:
                        buffer.Write(piece.Span);
                        break;
                    case 3:
                        var memory = buffer.GetMemory(piece.Length);
                        await Task.Yield(); // an upstream that lets wait
                        piece.CopyTo(memory);
                        buffer.Advance(piece.Length);
                        if (random.Next(2) == 0)
                            await buffer.FlushAsync();
                        break;
                    case 4:
                        await buffer.StartAsync();
                        await buffer.WriteAsync(piece);
                        break;
                    default:
                        piece = piece[..Math.Min(piece.Length, 10)];
                        piece.Span.CopyTo(buffer.GetSpan(piece.Length));
                        buffer.Advance(piece.Length);
                        await buffer.FlushAsync();
                        break;
                }
                sent += piece.Length;
            }
            Assert.True(await buffer.FinishAsync());
            await _client.Writer.FlushAsync();
            await _client.Writer.CompleteAsync();
        }, TestContext.Current.CancellationToken);

        var received = new ArrayBufferWriter<byte>(length);
        var pauses = new Random(-seed);
        while (true)
        {
            var read = await _client.Reader.ReadAsync(TestContext.Current.CancellationToken);
            var take = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, pauses.Next(1, 100_000)));
            foreach (var segment in take)
                received.Write(segment.Span);
            _client.Reader.AdvanceTo(take.End);
            if (read.IsCompleted && read.Buffer.Length == take.Length)
                break;
            for (var i = pauses.Next(50); i > 0; i--)
                await Task.Yield();
        }
        await writing;

        Assert.True(received.WrittenSpan.SequenceEqual(bytes));
        buffer.Dispose();
        Assert.Equal(0, _buffers.Budget.MemoryInUse);
        Assert.Equal(0, _buffers.Budget.DiskInUse);
    }

    [Fact]
    public async Task A_client_that_keeps_up_is_written_to_directly()
    {
        using var buffer = Create();

        await buffer.Stream.WriteAsync(Buffers.Bytes(10_000));
        await buffer.WriteAsync(Buffers.Bytes(10_000));

        Assert.Equal(1, _client.Starts);
        Assert.True(buffer.FinishAsync().IsCompletedSuccessfully);
        Assert.Equal(0, _buffers.Budget.MemoryInUse);
        Assert.Equal(20_000, (await _client.Reader.ReadAsync(TestContext.Current.CancellationToken)).Buffer.Length);
    }

    [Fact]
    public async Task The_writer_is_done_while_the_client_has_read_nothing()
    {
        using var buffer = Create();
        await buffer.WriteAsync(new byte[Client.Threshold]);
        for (var i = 0; i < 10; i++)
            await buffer.WriteAsync(new byte[50_000]);

        var finishing = buffer.FinishAsync();
        Assert.False(finishing.IsCompleted);
        Assert.Equal(64 * 1024, _buffers.Budget.MemoryInUse);
        Assert.True(_buffers.Budget.DiskInUse > 400_000);

        var draining = _client.ReadAsync(Client.Threshold + 500_000);
        Assert.True(await finishing);
        await _client.Writer.FlushAsync(TestContext.Current.CancellationToken);
        await draining;
    }

    [Fact]
    public async Task A_client_that_has_caught_up_is_written_to_directly_again()
    {
        using var buffer = Create();
        for (var i = 0; i < 3; i++)
        {
            await buffer.WriteAsync(new byte[Client.Threshold]);
            await buffer.WriteAsync(new byte[10_000]);
            Assert.Equal(16 * 1024, _buffers.Budget.MemoryInUse);
            await _client.ReadAsync(Client.Threshold + 10_000);
            Assert.True(await buffer.FinishAsync());
            Assert.Equal(0, _buffers.Budget.MemoryInUse);

            await buffer.WriteAsync(new byte[1000]);
            Assert.Equal(0, _buffers.Budget.MemoryInUse);
            await _client.ReadAsync(1000);
        }
    }

    [Theory]
    [InlineData("text/event-stream", null, false)]
    [InlineData("text/event-stream; charset=utf-8", null, false)]
    [InlineData("application/grpc", null, false)]
    [InlineData("application/grpc-web", null, false)]
    [InlineData("text/html", null, true)]
    [InlineData(null, null, true)]
    [InlineData("text/html", false, false)]
    [InlineData("text/event-stream", true, true)]
    public async Task What_is_a_stream_or_says_so_is_not_buffered(string? contentType, bool? allows, bool isBuffered)
    {
        _context.Response.ContentType = contentType;
        _proxy.AllowsResponseBuffering = allows;
        using var buffer = Create();

        await buffer.StartAsync(TestContext.Current.CancellationToken);
        buffer.Write(new byte[Client.Threshold]);
        var flush = buffer.FlushAsync(TestContext.Current.CancellationToken);

        Assert.Equal(isBuffered, flush.IsCompleted);
        Assert.Equal(isBuffered, buffer.IsBuffered);
        await _client.ReadAsync(Client.Threshold);
        await flush;
        Assert.True(await buffer.FinishAsync());
    }

    [Fact]
    public async Task A_client_that_goes_ends_what_waits_and_tells_the_writer()
    {
        using var buffer = Create(memoryThreshold: 4096, maxSize: 4096);
        await buffer.WriteAsync(new byte[Client.Threshold]);
        buffer.Write(new byte[10_000]);
        var flush = buffer.FlushAsync(TestContext.Current.CancellationToken);
        Assert.False(flush.IsCompleted);

        await _client.Reader.CompleteAsync();

        Assert.True((await flush).IsCompleted);
        Assert.True((await buffer.WriteAsync(new byte[10])).IsCompleted);
        Assert.False(await buffer.FinishAsync());
        Assert.Null(buffer.Error);
    }

    [Fact]
    public async Task An_aborted_request_ends_what_waits()
    {
        using var aborted = new CancellationTokenSource();
        _context.RequestAborted = aborted.Token;
        using var buffer = Create();
        await buffer.WriteAsync(new byte[Client.Threshold]);
        await buffer.WriteAsync(new byte[10_000]);
        var finishing = buffer.FinishAsync();

        await aborted.CancelAsync();

        Assert.False(await finishing);
    }

    [Fact]
    public async Task What_is_dropped_is_not_handed_on()
    {
        using var buffer = Create();
        await buffer.WriteAsync(new byte[Client.Threshold]);
        await buffer.WriteAsync(new byte[10_000]);

        await buffer.DropAsync();

        Assert.False(await buffer.FinishAsync());
        Assert.Equal(Client.Threshold, (await _client.Reader.ReadAsync(TestContext.Current.CancellationToken)).Buffer.Length);
    }

    [Fact]
    public async Task A_writer_whose_wait_is_cancelled_can_go_on_without_doubling_a_byte()
    {
        using var cancel = new CancellationTokenSource();
        using var buffer = Create(memoryThreshold: 4096, maxSize: 4096);
        var bytes = Buffers.Bytes(Client.Threshold + 10_000);
        await buffer.WriteAsync(bytes.AsMemory(0, Client.Threshold));
        var flush = buffer.WriteAsync(bytes.AsMemory(Client.Threshold), cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flush.AsTask());

        var reading = _client.ReadAsync(bytes.Length);
        Assert.True(await buffer.FinishAsync());

        await _client.Writer.FlushAsync(TestContext.Current.CancellationToken);
        Assert.True((await reading).AsSpan().SequenceEqual(bytes));
    }

    [Fact]
    public async Task A_body_that_the_server_refuses_is_the_writers_error()
    {
        using var buffer = Create();
        await buffer.WriteAsync(new byte[Client.Threshold]);
        _client.Refusal = new InvalidOperationException("Too long.");
        await buffer.WriteAsync(new byte[10]);
        var finishing = buffer.FinishAsync();
        await _client.ReadAsync(Client.Threshold);

        Assert.False(await finishing);
        await Assert.ThrowsAsync<InvalidOperationException>(() => buffer.WriteAsync(new byte[10]).AsTask());
        Assert.Same(_client.Refusal, buffer.Error);
    }

    [Fact]
    public async Task What_failed_before_the_last_bytes_were_flushed_is_told_and_not_thrown()
    {
        using var buffer = Create();
        await buffer.WriteAsync(new byte[Client.Threshold]);
        _client.Refusal = new InvalidOperationException("Too long.");
        await buffer.WriteAsync(new byte[10]);
        buffer.Write(new byte[10]);
        await _client.ReadAsync(Client.Threshold);
        while (buffer.Error is null)
        {
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        Assert.False(await buffer.FinishAsync());
        Assert.Same(_client.Refusal, buffer.Error);
    }

    [Fact]
    public async Task A_file_and_the_end_come_after_what_waits()
    {
        using var buffer = Create();
        await buffer.WriteAsync(new byte[Client.Threshold]);
        await buffer.WriteAsync(new byte[10_000]);

        var sending = SendAndCompleteAsync();
        Assert.Empty(_client.Calls);
        await _client.ReadAsync(Client.Threshold + 10_000);
        await sending;

        Assert.Equal(["file", "complete"], _client.Calls);

        async Task SendAndCompleteAsync()
        {
            await buffer.SendFileAsync("file", 0, null);
            await buffer.CompleteAsync();
        }
    }

    [Fact]
    public async Task Headers_that_are_made_up_at_the_last_moment_are_waited_for()
    {
        _client.Starting = new();
        using var buffer = Create();
        var write = buffer.WriteAsync(new byte[10]);
        Assert.False(write.IsCompleted);
        Assert.Equal(0, _client.Writer.UnflushedBytes);

        _client.Starting.SetResult();
        await write;

        await _client.ReadAsync(10);
    }

    [Fact]
    public async Task A_rate_that_the_upstream_asks_for_is_the_clients_and_not_the_upstreams()
    {
        using var buffer = Create();
        Assert.True(buffer.TryPace(1000, _time));
        var bytes = Buffers.Bytes(3000);
        foreach (var piece in bytes.Chunk(500))
            await buffer.WriteAsync(piece);
        var finishing = buffer.FinishAsync().AsTask();
        Assert.False(finishing.IsCompleted);

        var start = _time.GetUtcNow();
        while (!finishing.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Yield();
        }

        Assert.True(await finishing);
        Assert.True(_time.GetUtcNow() - start >= TimeSpan.FromSeconds(2));
        Assert.True((await _client.ReadAsync(3000)).AsSpan().SequenceEqual(bytes));
    }

    [Fact]
    public void Buffering_in_front_of_the_proxy_can_be_switched_off()
    {
        using var buffer = Create();
        buffer.DisableBuffering();
        Assert.Equal(["disable"], _client.Calls);
    }

    private ResponseBuffer Create(int memoryThreshold = 64 * 1024, long maxSize = 1024 * 1024 * 1024) =>
        new(_context, _proxy, _client, new() { MemoryThreshold = memoryThreshold, MaxSize = maxSize }, _buffers.Services);

    /// <summary>A client behind a server's pipe.</summary>
    private sealed class Client : PipeWriter, IHttpResponseBodyFeature
    {
        public const int Threshold = 32 * 1024;

        private readonly Pipe _pipe = new(new(pauseWriterThreshold: Threshold, resumeWriterThreshold: Threshold / 2));

        public PipeReader Reader => _pipe.Reader;

        public PipeWriter Writer => this;

        public Stream Stream => AsStream();

        public int Starts { get; private set; }

        public List<string> Calls { get; } = [];

        public TaskCompletionSource? Starting { get; set; }

        public Exception? Refusal { get; set; }

        public override long UnflushedBytes => _pipe.Writer.UnflushedBytes;

        public override bool CanGetUnflushedBytes => true;

        public async Task<byte[]> ReadAsync(int count)
        {
            var read = await _pipe.Reader.ReadAtLeastAsync(Math.Min(count, Threshold), TestContext.Current.CancellationToken);
            var bytes = new ArrayBufferWriter<byte>();
            while (true)
            {
                var taken = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, count - bytes.WrittenCount));
                foreach (var segment in taken)
                    bytes.Write(segment.Span);
                _pipe.Reader.AdvanceTo(taken.End);
                if (bytes.WrittenCount == count)
                    return bytes.WrittenSpan.ToArray();
                read = await _pipe.Reader.ReadAsync(TestContext.Current.CancellationToken);
            }
        }

        public override void Advance(int bytes) => _pipe.Writer.Advance(bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0) => Refusal is null ? _pipe.Writer.GetMemory(sizeHint) : throw Refusal;

        public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => _pipe.Writer.FlushAsync(cancellationToken);

        public override void CancelPendingFlush() => _pipe.Writer.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => _pipe.Writer.Complete(exception);

        public void DisableBuffering() => Calls.Add("disable");

        public Task StartAsync(CancellationToken cancellationToken = default)
        {
            Starts++;
            return Starting?.Task ?? Task.CompletedTask;
        }

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
        {
            Calls.Add(path);
            return Task.CompletedTask;
        }

        public Task CompleteAsync()
        {
            Calls.Add("complete");
            return Task.CompletedTask;
        }
    }
}
