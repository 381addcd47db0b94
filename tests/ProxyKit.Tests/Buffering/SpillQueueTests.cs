using System.Buffers;
using System.IO.Pipelines;
using ProxyKit.Buffering;
using ProxyKit.Forwarding;

namespace ProxyKit.Tests.Buffering;

/// <summary>Bytes come out as they went in, whatever of them was in memory and what in a file; and no more wait than may.</summary>
public sealed class SpillQueueTests
{
    private const int Chunk = 64 * 1024;

    private readonly ArrayBufferWriter<byte> _out = new();
    private readonly PipeWriter _target;

    public SpillQueueTests() => _target = new WriterTo(_out);

    [Theory]
    [InlineData(1, 4096, 4096, 100_000)]
    [InlineData(2, 4096, 20_000, 3_000_000)]
    [InlineData(3, 4096, 1_000_000, 10_000_000)]
    [InlineData(4, 64 * 1024, 100_000, 10_000_000)]
    [InlineData(5, 64 * 1024, 1_000_000_000, 20_000_000)]
    [InlineData(6, 100_000, 300_000, 5_000_000)]
    public async Task Bytes_come_out_once_and_in_order(int seed, int memory, long maxSize, int length)
    {
        using var buffers = new Buffers();
        var bytes = Buffers.Bytes(length, seed);
        using (var queue = buffers.Queue(memory, maxSize))
        {
            var written = 0L;
            var writing = Task.Run(async () =>
            {
                var random = new Random(seed);
                for (var sent = 0; sent < length;)
                {
                    var taken = await queue.WriteAsync(bytes.AsMemory(sent, Math.Min(length - sent, random.Next(1, random.Next(1, 200_000)))));
                    if (taken == 0)
                        await queue.WaitForRoomAsync(TestContext.Current.CancellationToken);
                    sent += taken;
                    Volatile.Write(ref written, sent);
                }
            }, TestContext.Current.CancellationToken);
            var pauses = new Random(-seed);
            var mostWaiting = 0L;
            while (_out.WrittenCount < length)
            {
                mostWaiting = Math.Max(mostWaiting, Volatile.Read(ref written) - _out.WrittenCount);
                Assert.True(buffers.Budget.MemoryInUse <= Math.Max(memory, 4096));
                if (await queue.ReadAsync(_target) == 0 || pauses.Next(20) == 0)
                    await Task.Yield();
            }
            await writing;
            Assert.True(queue.IsEmpty);
            Assert.True(mostWaiting <= maxSize);
            Assert.True(queue.FileLength <= maxSize + (2 * Chunk));
        }
        Assert.True(_out.WrittenSpan.SequenceEqual(bytes));
        Assert.Equal(0, buffers.Budget.MemoryInUse);
        Assert.Equal(0, buffers.Budget.DiskInUse);
    }

    [Fact]
    public async Task What_does_not_fit_into_memory_goes_to_a_file()
    {
        using var buffers = new Buffers();
        var bytes = Buffers.Bytes(300_000);
        using var queue = buffers.Queue();

        Assert.Equal(64 * 1024, await queue.WriteAsync(bytes));
        Assert.Equal(0, queue.FileLength);
        Assert.Equal(64 * 1024, buffers.Budget.MemoryInUse);
        await WriteAllAsync(queue, bytes.AsMemory(64 * 1024));

        Assert.Equal(4 * Chunk, queue.FileLength);
        Assert.Equal(4 * Chunk, buffers.Budget.DiskInUse);
        await ReadAsync(queue, 300_000);
        Assert.True(_out.WrittenSpan.SequenceEqual(bytes));
    }

    [Fact]
    public async Task The_file_is_no_longer_than_what_waits_however_long_the_body_is()
    {
        using var buffers = new Buffers();
        using var queue = buffers.Queue();
        var piece = Buffers.Bytes(100_000);
        await WriteAllAsync(queue, Buffers.Bytes(1_000_000)); // never caught up
        var most = queue.FileLength;

        long written = 1_000_000, read = 0;
        while (written < 20_000_000)
        {
            while (written - read > 900_000)
                read += await queue.ReadAsync(_target);
            await WriteAllAsync(queue, piece);
            written += piece.Length;
        }

        Assert.True(queue.FileLength <= most + (3 * Chunk), $"{queue.FileLength}");
        await ReadAsync(queue, (int)(written - read));
        Assert.True(queue.IsEmpty);
        Assert.True(_out.WrittenSpan[^100_000..].SequenceEqual(piece));
    }

    [Fact]
    public async Task A_reader_that_has_caught_up_gives_a_large_file_back_to_the_disk_and_memory_is_used_again()
    {
        using var buffers = new Buffers();
        using var queue = buffers.Queue();
        var bytes = Buffers.Bytes(3_000_000);
        await WriteAllAsync(queue, bytes);
        Assert.True(buffers.Budget.DiskInUse > 2_900_000);

        await ReadAsync(queue, 3_000_000);
        Assert.Equal(0, buffers.Budget.DiskInUse);
        Assert.Equal(16 * 1024, await queue.WriteAsync(bytes.AsMemory(0, 16 * 1024)));
        Assert.Equal(0, queue.FileLength);

        await WriteAllAsync(queue, bytes.AsMemory(16 * 1024));
        _out.ResetWrittenCount();
        await ReadAsync(queue, 3_000_000);
        Assert.True(_out.WrittenSpan.SequenceEqual(bytes));
    }

    [Fact]
    public async Task At_its_size_it_takes_no_more_until_something_is_read()
    {
        using var buffers = new Buffers();
        using var queue = buffers.Queue(memoryThreshold: 4096, maxSize: 10_000);
        var bytes = Buffers.Bytes(20_000);
        Assert.Equal(4096, await queue.WriteAsync(bytes));
        Assert.Equal(10_000 - 4096, await queue.WriteAsync(bytes.AsMemory(4096)));

        Assert.Equal(0, await queue.WriteAsync(bytes.AsMemory(10_000)));
        var room = queue.WaitForRoomAsync(TestContext.Current.CancellationToken);
        Assert.False(room.IsCompleted);

        Assert.Equal(4096, await queue.ReadAsync(_target));
        await room;
        Assert.Equal(4096, await queue.WriteAsync(bytes.AsMemory(10_000)));
        await ReadAsync(queue, 10_000);
        Assert.True(_out.WrittenSpan.SequenceEqual(bytes.AsSpan(0, 14_096)));
    }

    [Fact]
    public async Task When_the_memory_of_all_is_spent_one_block_and_the_file_are_left()
    {
        using var buffers = new Buffers(maxMemory: 0);
        using var queue = buffers.Queue();
        var bytes = Buffers.Bytes(200_000);

        Assert.Equal(16 * 1024, await queue.WriteAsync(bytes));
        await WriteAllAsync(queue, bytes.AsMemory(16 * 1024));

        Assert.Equal(0, buffers.Budget.MemoryInUse);
        Assert.True(queue.FileLength > 0);
        await ReadAsync(queue, 200_000);
        Assert.True(_out.WrittenSpan.SequenceEqual(bytes));
    }

    [Fact]
    public async Task When_the_disk_of_all_is_spent_the_writer_waits_for_its_reader_or_for_what_others_give_back()
    {
        using var buffers = new Buffers(maxDisk: 2 * Chunk);
        using var other = buffers.Queue();
        using var queue = buffers.Queue();
        var bytes = Buffers.Bytes(300_000);
        await WriteAllAsync(other, bytes.AsMemory(0, 3 * Chunk));
        Assert.Equal(Chunk, await queue.WriteAsync(bytes));
        Assert.Equal(0, await queue.WriteAsync(bytes.AsMemory(Chunk)));
        var room = queue.WaitForRoomAsync(TestContext.Current.CancellationToken);
        Assert.False(room.IsCompleted);

        other.Dispose();
        await room;
        await WriteAllAsync(queue, bytes.AsMemory(Chunk, 2 * Chunk));
        Assert.Equal(0, await queue.WriteAsync(bytes.AsMemory(3 * Chunk)));
        room = queue.WaitForRoomAsync(TestContext.Current.CancellationToken);

        await ReadAsync(queue, 2 * Chunk);
        await room;
        await WriteAllAsync(queue, bytes.AsMemory(3 * Chunk, Chunk));
        await ReadAsync(queue, 2 * Chunk);
        Assert.True(_out.WrittenSpan.SequenceEqual(bytes.AsSpan(0, 4 * Chunk)));
    }

    [Fact]
    public async Task A_full_disk_holds_the_writer_back_and_harms_no_byte()
    {
        if (!File.Exists("/dev/full"))
            Assert.Skip("There is no /dev/full.");
        using var buffers = new Buffers();
        using var queue = buffers.Queue(createFile: () => new(new FileStream("/dev/full", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, 0), buffers.Budget));
        var bytes = Buffers.Bytes(1_000_000);

        var writing = WriteAllAsync(queue, bytes);
        await ReadAsync(queue, bytes.Length);
        await writing;

        Assert.True(_out.WrittenSpan.SequenceEqual(bytes));
        Assert.Equal("SpillFailed", Assert.Single(buffers.Logs.GetSnapshot(), r => r.Category == "ProxyKit").Id.Name);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_holds_the_writer_back_and_harms_no_byte()
    {
        using var buffers = new Buffers(directory: "/dev/null/files");
        using var queue = buffers.Queue();
        var bytes = Buffers.Bytes(1_000_000);

        var writing = WriteAllAsync(queue, bytes);
        await ReadAsync(queue, bytes.Length);
        await writing;

        Assert.True(_out.WrittenSpan.SequenceEqual(bytes));
        Assert.Single(buffers.Logs.GetSnapshot(), r => r.Id.Name == "SpillFailed");
    }

    [Fact]
    public async Task A_file_that_cannot_be_read_is_an_error_and_never_other_bytes()
    {
        using var buffers = new Buffers();
        TempFile? file = null;
        using var queue = buffers.Queue(createFile: () => file = buffers.Services.Files.Create());
        await WriteAllAsync(queue, Buffers.Bytes(200_000));
        file!.Truncate();

        await ReadAsync(queue, 64 * 1024);
        var e = await Assert.ThrowsAsync<ResponseBodyException>(() => queue.ReadAsync(_target).AsTask());
        Assert.Equal(ProxyError.ResponseCreation, e.Error);
        Assert.Equal(64 * 1024, _out.WrittenCount);
    }

    [Fact]
    public async Task A_writer_does_not_wait_for_a_reader_that_has_left()
    {
        using var buffers = new Buffers();
        using var queue = buffers.Queue(memoryThreshold: 4096, maxSize: 4096);
        await queue.WriteAsync(new byte[4096]);
        Assert.Equal(0, await queue.WriteAsync(new byte[1]));
        var room = queue.WaitForRoomAsync(TestContext.Current.CancellationToken);

        queue.ReaderLeft();
        await room;
        Assert.Equal(0, await queue.WriteAsync(new byte[1]));
        await queue.WaitForRoomAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task What_is_dropped_gives_back_all_it_had()
    {
        using var buffers = new Buffers();
        var queue = buffers.Queue();
        await WriteAllAsync(queue, Buffers.Bytes(1_000_000));

        queue.Dispose();

        Assert.Equal(0, buffers.Budget.MemoryInUse);
        Assert.Equal(0, buffers.Budget.DiskInUse);
    }

    private static async Task WriteAllAsync(SpillQueue queue, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var taken = await queue.WriteAsync(bytes);
            bytes = bytes[taken..];
            if (taken == 0)
                await queue.WaitForRoomAsync(TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Reads at least so many.</summary>
    private async Task ReadAsync(SpillQueue queue, int count)
    {
        for (var read = 0; read < count;)
        {
            var moved = await queue.ReadAsync(_target);
            read += moved;
            if (moved == 0)
                await Task.Yield();
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>A pipe that is never full.</summary>
    private sealed class WriterTo(ArrayBufferWriter<byte> target) : PipeWriter
    {
        public override Memory<byte> GetMemory(int sizeHint = 0) => target.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => target.GetSpan(sizeHint);

        public override void Advance(int bytes) => target.Advance(bytes);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => default;

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }
    }
}
