using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace ProxyKit.Caching;

/// <summary>
/// A body in memory: pooled segments, and an array of just the right length for what is left. It counts who holds it, and gives the segments back when nobody does any more. It is
/// written by one, while others read what has been written. <paramref name="announced"/>: how long it will be, if that is known; no more is written.
/// </summary>
internal sealed class MemoryBody(long? announced = null) : CachedBody
{
    /// <summary>Small enough for an array not to be a large object, so that most responses are one piece.</summary>
    public const int SegmentSize = 64 * 1024;

    /// <summary>Up to here a body that has not been started is best written at once with its header section; a longer one after it.</summary>
    public const int LargestSmall = 16 * 1024;

    private const int FlushEach = 256 * 1024;

    private static readonly ArrayPool<byte> s_pool = ArrayPool<byte>.Shared;

    // Replaced when it grows, so that readers need no lock: what they see of it below the length that they have seen is there.
    private byte[][] _segments = [];
    private int _count;
    private long _length;
    private int _holders = 1;

    public long Length => Volatile.Read(ref _length);

    /// <summary>What it takes of memory, in bytes.</summary>
    public long Capacity { get; private set; }

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
    }

    /// <summary>Appends.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        var length = _length;
        while (!bytes.IsEmpty)
        {
            var used = (int)(length % SegmentSize);
            if (used == 0)
                AddSegment();
            var segment = _segments[_count - 1].AsSpan(used);
            var piece = bytes[..Math.Min(bytes.Length, segment.Length)];
            piece.CopyTo(segment);
            length += piece.Length;
            bytes = bytes[piece.Length..];
        }
        Volatile.Write(ref _length, length);
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
                ThrowIfEnded(await target.WriteAsync(piece, cancellationToken), cancellationToken);
                return;
            }
            // In one piece: Kestrel would take many blocks of its own for it, and ask for each.
            piece.Span.CopyTo(target.GetSpan(piece.Length));
            target.Advance(piece.Length);
            if (count > 0 && unflushed < FlushEach)
                continue;
            unflushed = 0;
            ThrowIfEnded(await target.FlushAsync(cancellationToken), cancellationToken);
        }
    }

    private static void ThrowIfEnded(FlushResult result, CancellationToken cancellationToken)
    {
        if (result.IsCanceled || result.IsCompleted)
            throw new OperationCanceledException("The client has gone.", cancellationToken);
    }

    private void AddSegment()
    {
        if (_count == _segments.Length)
        {
            var larger = new byte[announced is { } length ? (int)((length + SegmentSize - 1) / SegmentSize) : Math.Max(4, 2 * _count)][];
            _segments.CopyTo(larger, 0);
            _segments = larger;
        }
        var rest = announced - (SegmentSize * (long)_count);
        _segments[_count++] = rest < SegmentSize ? GC.AllocateUninitializedArray<byte>((int)rest) : s_pool.Rent(SegmentSize);
    }

    protected override void Dispose(bool disposing) => Release();
}
