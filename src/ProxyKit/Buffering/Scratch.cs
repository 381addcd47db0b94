using System.Buffers;

namespace ProxyKit.Buffering;

/// <summary>Pooled memory for what has been written and not yet been flushed. It is there only while it holds something.</summary>
internal struct Scratch
{
    private const int MinSize = 16 * 1024;

    private byte[]? _array;
    private int _start;
    private int _end;

    public readonly bool IsEmpty => _start == _end;

    public readonly int Count => _end - _start;

    public readonly ReadOnlyMemory<byte> Written => _array.AsMemory(_start, _end - _start);

    public Memory<byte> GetMemory(int sizeHint)
    {
        var needed = _end + Math.Max(sizeHint, 1);
        if (_array is null || needed > _array.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, _array is null ? MinSize : 2 * _array.Length));
            if (_array is not null)
            {
                Written.CopyTo(larger.AsMemory(_start));
                ArrayPool<byte>.Shared.Return(_array);
            }
            _array = larger;
        }
        return _array.AsMemory(_end);
    }

    public void Advance(int count) => _end += count;

    /// <summary>So many of the bytes have been taken, from the beginning.</summary>
    public void Take(int count)
    {
        _start += count;
        if (_start < _end || _array is null)
            return;
        ArrayPool<byte>.Shared.Return(_array);
        Abandon();
    }

    /// <summary>Leaves the memory to the collector: a read that was cancelled may still write to it.</summary>
    public void Abandon() => (_array, _start, _end) = (null, 0, 0);
}
