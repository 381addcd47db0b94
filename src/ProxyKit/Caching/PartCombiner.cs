using System.IO.Pipelines;

namespace ProxyKit.Caching;

/// <summary>Makes one of the parts of a representation that are stored, where they touch (RFC 9111 §3.4).</summary>
internal static class PartCombiner
{
    private const int LargestSmall = 256 * 1024, MinShare = 16;

    /// <summary>The newest part of a resource, which has just been stored, and the one before.</summary>
    public static async ValueTask CombineAsync(CacheStage stage, string key)
    {
        var store = stage.Store;
        var parts = (await store.FindAsync(key, CancellationToken.None)).Where(r => r.Head.RangeStart is not null).ToArray();
        if (parts.Length < 2)
            return;
        var newer = parts[0];
        foreach (var older in parts[1..])
        {
            var combination = CachedParts.Combine(older.Head, older.Length, newer.Head, newer.Length);
            // A part that adds next to nothing to a long one is neither worth a copy of all nor a place among the stored: clients could ask for one byte at a time.
            if (older.Length > LargestSmall && newer.Length < older.Length / MinShare && combination is not { Head.RangeStart: null })
            {
                await store.RemoveAsync(key, newer, CancellationToken.None);
                return;
            }
            if (combination is not { } combined)
                continue;
            using var olderBody = await older.OpenAsync(CancellationToken.None);
            using var newerBody = await newer.OpenAsync(CancellationToken.None);
            if (olderBody is null || newerBody is null || combined.Length > stage.Config.MaxEntrySize)
                return;
            await using var writer = await store.CreateAsync(key, combined.Head, combined.Length, stage.Config.MaxVariants, CancellationToken.None);
            if (writer is null)
                return;
            var target = PipeWriter.Create(new WriterStream(writer));
            foreach (var (isNewer, offset, count) in combined.Pieces)
                await (isNewer ? newerBody : olderBody).CopyToAsync(target, offset, count, CancellationToken.None);
            await target.CompleteAsync();
            if (!await writer.CommitAsync(CancellationToken.None))
                return;
            await store.RemoveAsync(key, older, CancellationToken.None);
            await store.RemoveAsync(key, newer, CancellationToken.None);
            return;
        }
    }

    private sealed class WriterStream(CacheWriter writer) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => writer.WriteAsync(buffer, cancellationToken);

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
