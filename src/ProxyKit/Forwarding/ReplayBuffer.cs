using System.Buffers;

namespace ProxyKit.Forwarding;

/// <summary>Keeps what is read of the client's body, up to a limit, so that another attempt can send it again.</summary>
internal sealed class ReplayBuffer(int limit)
{
    private byte[] _bytes = [];
    private int _length;

    /// <summary>Whether all that has been read is here still. A body that outgrows the limit cannot be sent again.</summary>
    public bool IsIntact { get; private set; } = true;

    /// <summary>Whether this is the whole body.</summary>
    public bool IsComplete { get; private set; }

    public ReadOnlyMemory<byte> Recorded => _bytes.AsMemory(0, _length);

    public void Record(in ReadOnlySequence<byte> read, bool isLast)
    {
        if (!IsIntact)
            return;
        if (_length + read.Length > limit)
        {
            Release();
            return;
        }
        var length = _length + (int)read.Length;
        if (length > _bytes.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(length, 4096));
            Recorded.Span.CopyTo(larger);
            Return();
            _bytes = larger;
        }
        read.CopyTo(_bytes.AsSpan(_length, (int)read.Length));
        _length = length;
        IsComplete = isLast;
    }

    /// <summary>Gives the memory back; what was read cannot be sent again.</summary>
    public void Release()
    {
        IsIntact = false;
        Return();
        (_bytes, _length) = ([], 0);
    }

    private void Return()
    {
        if (_bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(_bytes);
    }
}
