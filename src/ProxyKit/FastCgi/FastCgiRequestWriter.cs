using System.Buffers;
using System.Buffers.Binary;

namespace ProxyKit.FastCgi;

/// <summary>
/// A request's records, in one pooled buffer. As long as nothing of it had to be given away it holds the whole request, which can be sent once more.
/// </summary>
internal sealed class FastCgiRequestWriter(bool keepConnection) : IDisposable
{
    private const int Initial = 4 * 1024;

    /// <summary>So much of a body is put together before it is sent.</summary>
    private const int SendSize = 32 * 1024;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(Initial);
    private int _length;
    private int _record = -1; // where the header of the record under way is
    private byte _type;

    /// <summary>Whether the last record is written.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>Whether the whole request is here, from its first record.</summary>
    public bool IsWhole => IsComplete && !_hasSent;

    private bool _hasSent;

    /// <summary>Whether a body that goes on has to be sent before more of it fits.</summary>
    public bool IsFull => _length >= SendSize - FastCgiRecord.HeaderLength;

    public void Begin()
    {
        var record = Take(2 * FastCgiRecord.HeaderLength);
        record.Clear();
        FastCgiRecord.WriteHeader(record, FastCgiRecord.BeginRequest, 8);
        record[9] = FastCgiRecord.Responder;
        record[10] = keepConnection ? FastCgiRecord.KeepConnection : (byte)0;
    }

    /// <summary>
    /// Room for a parameter's name and value, one behind the other. A pair is never split between two records, which is allowed but makes php-fpm reset the connection.
    /// </summary>
    public Span<byte> Pair(int nameLength, int valueLength)
    {
        var length = LengthOfLength(nameLength) + LengthOfLength(valueLength) + nameLength + valueLength;
        if (length > FastCgiRecord.MaxContent || length < 0)
            throw FastCgiFailure.Refused(431, $"A parameter of {(long)nameLength + valueLength} bytes does not fit into a FastCGI record.");
        if (_record >= 0 && _length - _record - FastCgiRecord.HeaderLength + length > FastCgiRecord.MaxContent)
            EndRecord();
        if (_record < 0)
            BeginRecord(FastCgiRecord.Params);
        var pair = Take(length);
        pair = WriteLength(pair, nameLength);
        return WriteLength(pair, valueLength);
    }

    public void EndParameters()
    {
        EndRecord();
        FastCgiRecord.WriteHeader(Take(FastCgiRecord.HeaderLength), FastCgiRecord.Params, 0);
    }

    /// <summary>Copies as much of the body as fits; the rest when that is sent.</summary>
    public int Append(ReadOnlySpan<byte> input)
    {
        var room = SendSize - _length - (_record < 0 ? FastCgiRecord.HeaderLength : 0);
        if (room <= 0)
            return 0;
        if (_record < 0)
            BeginRecord(FastCgiRecord.StandardInput);
        var length = Math.Min(input.Length, room);
        input[..length].CopyTo(Take(length));
        return length;
    }

    public void EndInput()
    {
        EndRecord();
        FastCgiRecord.WriteHeader(Take(FastCgiRecord.HeaderLength), FastCgiRecord.StandardInput, 0);
        IsComplete = true;
    }

    /// <summary>What is written, as whole records.</summary>
    public ReadOnlyMemory<byte> Written
    {
        get
        {
            EndRecord();
            return _buffer.AsMemory(0, _length);
        }
    }

    /// <summary>Makes room by forgetting what is written.</summary>
    public void Forget()
    {
        _length = 0;
        _hasSent = true;
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _buffer, []) is { Length: > 0 } buffer)
            ArrayPool<byte>.Shared.Return(buffer);
    }

    private static int LengthOfLength(int length) => length < 128 ? 1 : 4;

    private static Span<byte> WriteLength(Span<byte> target, int length)
    {
        if (length < 128)
        {
            target[0] = (byte)length;
            return target[1..];
        }
        BinaryPrimitives.WriteUInt32BigEndian(target, (uint)length | 0x8000_0000);
        return target[4..];
    }

    private void BeginRecord(byte type)
    {
        _record = _length;
        _type = type;
        Take(FastCgiRecord.HeaderLength);
    }

    private void EndRecord()
    {
        if (_record < 0)
            return;
        FastCgiRecord.WriteHeader(_buffer.AsSpan(_record), _type, _length - _record - FastCgiRecord.HeaderLength);
        _record = -1;
    }

    private Span<byte> Take(int length)
    {
        if (_buffer.Length - _length < length)
            Grow(length);
        var taken = _buffer.AsSpan(_length, length);
        _length += length;
        return taken;
    }

    private void Grow(int length)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_buffer.Length * 2, _length + length));
        _buffer.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
