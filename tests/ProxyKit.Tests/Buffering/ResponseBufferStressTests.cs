using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Buffering;

namespace ProxyKit.Tests.Buffering;

/// <summary>Many responses at once, with far too little room for them, and ends at any moment: all get on, none gets another's bytes, and all is given back.</summary>
public sealed class ResponseBufferStressTests : IDisposable
{
    private const int Length = 400_000;
    private const int Responses = 16;

    // Two chunks of a file, and two blocks of memory, for all of them.
    private readonly Buffers _buffers = new(maxMemory: 32 * 1024, maxDisk: 128 * 1024);

    public void Dispose() => _buffers.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task With_hardly_any_room_all_get_on_whole(int seed)
    {
        await Task.WhenAll(Enumerable.Range(seed * Responses, Responses).Select(s => Task.Run(() => RunAsync(s, End.None)))).WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

        AssertReturned();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task However_one_ends_the_others_get_on_whole(int seed)
    {
        await Task.WhenAll(Enumerable.Range(seed * Responses * 4, Responses * 4).Select(s => Task.Run(() => RunAsync(s, (End)(s % 5)))))
            .WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

        AssertReturned();
    }

    private void AssertReturned()
    {
        Assert.Equal(0, _buffers.Budget.MemoryInUse);
        Assert.Equal(0, _buffers.Budget.DiskInUse);
    }

    private async Task RunAsync(int seed, End end)
    {
        var random = new Random(seed);
        var endsAt = end == End.None ? Length : random.Next(Length);
        var bytes = Buffers.Bytes(Length, seed);
        using var aborted = new CancellationTokenSource();
        using var cancel = new CancellationTokenSource();
        var pipe = new Pipe(new(pauseWriterThreshold: 32 * 1024, resumeWriterThreshold: 16 * 1024));
        var context = new DefaultHttpContext { RequestAborted = aborted.Token };
        var proxy = (ProxyContext)RuntimeHelpers.GetUninitializedObject(typeof(ProxyContext));
        using var buffer = new ResponseBuffer(context, proxy, new PipeBody(pipe.Writer), new() { MemoryThreshold = 16 * 1024, MaxSize = 100_000 }, _buffers.Services);

        var reading = Task.Run(() => ReadAsync(pipe.Reader, new(-seed), end, endsAt, aborted, cancel), TestContext.Current.CancellationToken);
        var isWhole = await WriteAsync(buffer, bytes, random, end, endsAt, cancel.Token);
        await pipe.Writer.FlushAsync(TestContext.Current.CancellationToken);
        await pipe.Writer.CompleteAsync();
        var received = await reading;

        Assert.True(received.Span.SequenceEqual(bytes.AsSpan(0, received.Length)));
        if (isWhole)
            Assert.True(received.Length == Length || end == End.ClientLeaves);
        Assert.True(isWhole || end != End.None);
    }

    /// <summary>As the stage does with what the forwarder does; whether the response was handed on whole.</summary>
    private static async Task<bool> WriteAsync(ResponseBuffer buffer, byte[] bytes, Random random, End end, int endsAt, CancellationToken cancellationToken)
    {
        try
        {
            for (var sent = 0; sent < bytes.Length;)
            {
                if (end == End.UpstreamBreaksOff && sent > endsAt)
                {
                    await buffer.DropAsync();
                    return false;
                }
                var memory = buffer.GetMemory(random.Next(1, 70_000));
                var count = Math.Min(memory.Length, bytes.Length - sent);
                if (random.Next(4) == 0)
                    await Task.Yield();
                bytes.AsMemory(sent, count).CopyTo(memory);
                buffer.Advance(count);
                sent += count;
                if (random.Next(3) > 0 && (await buffer.FlushAsync(cancellationToken)).IsCompleted)
                {
                    await buffer.DropAsync();
                    return false;
                }
            }
            return await buffer.FinishAsync();
        }
        catch (OperationCanceledException)
        {
            await buffer.DropAsync();
            return false;
        }
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(PipeReader reader, Random random, End end, int endsAt, CancellationTokenSource aborted, CancellationTokenSource cancel)
    {
        var received = new ArrayBufferWriter<byte>(Length);
        while (true)
        {
            var read = await reader.ReadAsync(TestContext.Current.CancellationToken);
            var take = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, random.Next(1, 30_000)));
            foreach (var segment in take)
                received.Write(segment.Span);
            reader.AdvanceTo(take.End);
            if (read.IsCompleted && read.Buffer.Length == take.Length)
                return received.WrittenMemory;
            for (var i = random.Next(20); i > 0; i--)
                await Task.Yield();
            if (received.WrittenCount < endsAt)
                continue;
            if (end == End.ClientLeaves)
            {
                await reader.CompleteAsync();
                return received.WrittenMemory;
            }
            if (end == End.RequestAborted)
                await aborted.CancelAsync();
            if (end == End.WriterIsCancelled)
                await cancel.CancelAsync();
        }
    }

    private enum End
    {
        None,
        ClientLeaves,
        RequestAborted,
        WriterIsCancelled,
        UpstreamBreaksOff,
    }

    private sealed class PipeBody(PipeWriter writer) : IHttpResponseBodyFeature
    {
        public Stream Stream => Writer.AsStream();

        public PipeWriter Writer => writer;

        public void DisableBuffering()
        {
        }

        public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public Task CompleteAsync() => Task.CompletedTask;
    }
}
