using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace ProxyKit.Caching;

/// <summary>
/// A body in memory: pooled segments, and an array of just the right length for what is left. It counts who holds it, and gives the segments back when nobody does any more. It is
/// written by one, while others read what has been written. <paramref name="store"/>: counts the memory. <paramref name="announced"/>: how long it will be, if that is known; the store has counted that much
/// already, and no more is written.
/// </summary>
internal sealed class MemoryBody(MemoryCacheStore store, long? announced) : CachedBody
{
    /// <summary>Small enough for an array not to be a large object, so that most responses are one piece.</summary>
    public const int SegmentSize = 64 * 1024;

    /// <summary>Up to here a body that has not been started is best written at once with its header section; a longer one after it.</summary>
    public const int LargestSmall = 16 * 1024;

    // What a body of unknown length begins with; it grows to a segment.
    private const int FirstSegment = 4 * 1024;

    private const int FlushEach = 256 * 1024;

    private static readonly ArrayPool<byte> s_pool = ArrayPool<byte>.Shared;

    // Replaced when it grows, so that readers need no lock: what they see of it below the length that they have seen is there.
    private byte[][] _segments = [];
    private int _count;
    private long _length;
    private int _holders = 1;
    private long _counted = announced ?? 0;

    public long Length => Volatile.Read(ref _length);

    /// <summary>What it takes of memory, in bytes.</summary>
    public long Capacity { get; private set; }

    /// <summary>Whether it is read or written, besides being stored.</summary>
    public bool IsBeingRead => Volatile.Read(ref _holders) > 1;

    /// <summary>False when nobody held it any more.</summary>
    public bool TryHold()
    {
        var holders = Volatile.Read(ref _holders);
        while (holders > 0)
        {
            var seen = Interlocked.CompareExchange(ref _holders, holders + 1, holders);
            if (seen == holders)
                return true;
            holders = seen;
        }
        return false;
    }

    public void Release()
    {
        var holders = Interlocked.Decrement(ref _holders);
        Debug.Assert(holders >= 0, "released more often than held");
        if (holders != 0)
            return;
        var segments = _segments;
        _segments = [];
        for (var i = 0; i < _count; i++)
        {
            if (segments[i].Length == SegmentSize)
                s_pool.Return(segments[i]);
        }
        store.Return(_counted);
    }

    /// <summary>Appends. False if the store has no memory for it.</summary>
    public bool TryWrite(ReadOnlySpan<byte> bytes)
    {
        var length = _length;
        while (!bytes.IsEmpty)
        {
            var used = (int)(length % SegmentSize);
            if (used == 0 ? !TryAddSegment() : used == _segments[_count - 1].Length && !TryGrowSegment(used))
                return false;
            var segment = _segments[_count - 1].AsSpan(used);
            var piece = bytes[..Math.Min(bytes.Length, segment.Length)];
            piece.CopyTo(segment);
            length += piece.Length;
            bytes = bytes[piece.Length..];
        }
        Volatile.Write(ref _length, length);
        return true;
    }

    /// <summary>No more is written. The last segment becomes one of its own length: who reads meanwhile may still read the old one, so that goes to the collector.</summary>
    public void Complete()
    {
        var segments = _segments.AsSpan(0, _count).ToArray();
        var used = (int)(_length % SegmentSize);
        if (used != 0 && segments[^1].Length != used)
            segments[^1] = segments[^1].AsSpan(0, used).ToArray();
        _segments = segments;
        Capacity = _length + (32L * _count);
        store.Take(Capacity - _counted);
        _counted = Capacity;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask CopyToAsync(PipeWriter target, long offset, long count, CancellationToken cancellationToken)
    {
        Debug.Assert(offset + count <= Length, "not written yet");
        long unflushed = 0;
        while (count > 0)
        {
            var segment = _segments[offset / SegmentSize];
            var start = (int)(offset % SegmentSize);
            var piece = segment.AsMemory(start, (int)Math.Min(count, segment.Length - start));
            offset += piece.Length;
            count -= piece.Length;
            unflushed += piece.Length;
            if (count == 0 && unflushed <= LargestSmall)
            {
                await target.WriteAsync(piece, cancellationToken);
                return;
            }
            // In one piece: Kestrel would take many blocks of its own for it, and ask for each.
            piece.Span.CopyTo(target.GetSpan(piece.Length));
            target.Advance(piece.Length);
            if (count > 0 && unflushed < FlushEach)
                continue;
            unflushed = 0;
            var flushed = await target.FlushAsync(cancellationToken);
            if (count > 0)
                ThrowIfEnded(flushed, cancellationToken); // a client that has the last piece may close
        }
    }

    private static void ThrowIfEnded(FlushResult result, CancellationToken cancellationToken)
    {
        if (result.IsCanceled || result.IsCompleted)
            throw new OperationCanceledException("The client has gone.", cancellationToken);
    }

    private bool TryAddSegment()
    {
        var rest = announced - (SegmentSize * (long)_count);
        var size = rest is { } known ? (int)Math.Min(known, SegmentSize) : _count == 0 ? FirstSegment : SegmentSize;
        if (!TryCount(size))
            return false;
        if (_count == _segments.Length)
        {
            var larger = new byte[announced is { } length ? (int)((length + SegmentSize - 1) / SegmentSize) : Math.Max(4, 2 * _count)][];
            _segments.CopyTo(larger, 0);
            _segments = larger;
        }
        _segments[_count++] = size == SegmentSize ? s_pool.Rent(SegmentSize) : GC.AllocateUninitializedArray<byte>(size);
        return true;
    }

    // The first one only. The old array is the readers' that are in it, and the collector's.
    private bool TryGrowSegment(int used)
    {
        var size = Math.Min(4 * used, SegmentSize);
        if (!TryCount(size - used))
            return false;
        var larger = size == SegmentSize ? s_pool.Rent(SegmentSize) : GC.AllocateUninitializedArray<byte>(size);
        _segments[_count - 1].AsSpan(0, used).CopyTo(larger);
        Volatile.Write(ref _segments[_count - 1], larger);
        return true;
    }

    private bool TryCount(int bytes)
    {
        if (announced is not null)
            return true;
        if (!store.TryTake(bytes))
            return false;
        _counted += bytes;
        return true;
    }

    protected override void Dispose(bool disposing) => Release();
}
