using System.Buffers;

namespace ProxyKit.Buffering;

/// <summary>Bytes that wait in pooled memory, in order. Not for several threads; but what <see cref="Peek"/> gave may be read while more is written.</summary>
internal sealed class BlockQueue(int maxBytes, BufferBudget budget)
{
    private readonly int _blockSize = Math.Min(maxBytes, 16 * 1024);
    private readonly Queue<Block> _blocks = new();
    private Block? _last;

    /// <summary>Writes as many bytes as there is room for.</summary>
    /// <returns>How many.</returns>
    public int Write(ReadOnlySpan<byte> bytes)
    {
        var written = 0;
        while (written < bytes.Length && ((_last is not null && _last.End < _blockSize) || TryAddBlock()))
        {
            var piece = bytes[written..];
            if (piece.Length > _blockSize - _last!.End)
                piece = piece[..(_blockSize - _last.End)];
            piece.CopyTo(_last.Array.AsSpan(_last.End));
            _last.End += piece.Length;
            written += piece.Length;
        }
        return written;
    }

    /// <summary>Some of the oldest bytes; none if none wait.</summary>
    public ReadOnlyMemory<byte> Peek() => _blocks.TryPeek(out var first) ? first.Array.AsMemory(first.Start, first.End - first.Start) : default;

    /// <summary>So many of the bytes that <see cref="Peek"/> gave are no longer needed.</summary>
    public void Advance(int count)
    {
        var first = _blocks.Peek();
        first.Start += count;
        if (first.Start == first.End)
            RemoveFirst();
    }

    public void Clear()
    {
        while (_blocks.Count > 0)
            RemoveFirst();
    }

    private bool TryAddBlock()
    {
        if (_blocks.Count == maxBytes / _blockSize)
            return false;
        var isCounted = budget.TryTakeMemory(_blockSize);
        // One is always to be had: a body must get on, if slowly, when the budget is spent.
        if (!isCounted && _blocks.Count > 0)
            return false;
        _blocks.Enqueue(_last = new(ArrayPool<byte>.Shared.Rent(_blockSize), isCounted));
        return true;
    }

    private void RemoveFirst()
    {
        var block = _blocks.Dequeue();
        if (block == _last)
            _last = null;
        ArrayPool<byte>.Shared.Return(block.Array);
        if (block.IsCounted)
            budget.ReturnMemory(_blockSize);
    }

    private sealed class Block(byte[] array, bool isCounted)
    {
        public byte[] Array => array;

        public bool IsCounted => isCounted;

        public int Start { get; set; }

        public int End { get; set; }
    }
}
