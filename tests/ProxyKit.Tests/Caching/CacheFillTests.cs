using System.IO.Pipelines;
using ProxyKit.Caching;

namespace ProxyKit.Tests.Caching;

/// <summary>Who holds a body that is on its way, and when it is let go.</summary>
public class CacheFillTests
{
    private static readonly byte[] s_bytes = new byte[1000];

    [Fact]
    public async Task It_is_freed_once_when_the_last_one_lets_go_and_nobody_begins_to_read_it_then()
    {
        var writer = new Writer();
        var fill = new CacheFill(writer, 1_000_000, null!);
        await fill.WriteAsync(s_bytes, default);
        var reader = fill.TryRead()!;

        fill.End(null);
        await fill.ReleaseAsync();
        Assert.Equal(0, writer.Frees);
        await reader.DisposeAsync();

        Assert.Equal(1, writer.Frees);
        Assert.Null(fill.TryRead());
    }

    [Fact]
    public async Task Who_begins_to_read_while_it_is_being_freed_reads_all_of_it_or_nothing()
    {
        for (var round = 0; round < 2000; round++)
        {
            var writer = new Writer();
            var fill = new CacheFill(writer, 1_000_000, null!);
            await fill.WriteAsync(s_bytes, default);
            fill.End(null);
            using var both = new Barrier(2);

            var reading = Task.Run(async () =>
            {
                both.SignalAndWait();
                if (fill.TryRead() is { } reader)
                {
                    await using (reader)
                        await reader.CopyToAsync(PipeWriter.Create(Stream.Null), 0, s_bytes.Length, default);
                }
            });
            both.SignalAndWait();
            await fill.ReleaseAsync();
            await reading;

            Assert.Equal(1, writer.Frees);
        }
    }

    private sealed class Writer : CacheWriter
    {
        private int _frees;

        public int Frees => Volatile.Read(ref _frees);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => default;

        public override ValueTask CopyToAsync(PipeWriter target, long offset, long count, CancellationToken cancellationToken)
        {
            Assert.Equal(0, Frees);
            return default;
        }

        public override ValueTask<bool> CommitAsync(CancellationToken cancellationToken) => new(true);

        public override ValueTask DisposeAsync()
        {
            Interlocked.Increment(ref _frees);
            return default;
        }
    }
}
