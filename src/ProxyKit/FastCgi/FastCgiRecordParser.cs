using System.Buffers.Binary;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>What a piece of the application's answer is.</summary>
internal enum FastCgiPart
{
    /// <summary>All input is consumed.</summary>
    None,
    Output,
    Error,
    End,
}

/// <summary>Takes records apart as they come, however they are cut. It keeps nothing but a header's bytes.</summary>
internal struct FastCgiRecordParser
{
    // Any type whose content is of no interest.
    private const byte Ignored = 255;

    private ulong _collected;   // of a header, or of END_REQUEST's body
    private int _collectedLength;
    private byte _type;         // 0 while a header is awaited
    private int _remaining, _padding;

    /// <summary>What END_REQUEST said.</summary>
    public FastCgiStatus Status { get; private set; }

    /// <summary>The next piece of <paramref name="input"/>; a record may come in several.</summary>
    /// <exception cref="UpstreamException">These are not the records of an answer to our request.</exception>
    public FastCgiPart Read(ReadOnlySpan<byte> input, out int consumed, out ReadOnlySpan<byte> content)
    {
        consumed = 0;
        content = default;
        while (true)
        {
            if (_type == 0)
            {
                if (!Collect(input, ref consumed))
                    return FastCgiPart.None;
                BeginRecord();
            }
            else if (_remaining > 0 && _type == FastCgiRecord.EndRequest)
            {
                if (!Collect(input, ref consumed))
                    return FastCgiPart.None;
                _remaining = 0;
                Status = (FastCgiStatus)(byte)(_collected >> 24);
                return FastCgiPart.End;
            }
            else if (_remaining > 0)
            {
                var length = Math.Min(_remaining, input.Length - consumed);
                if (length == 0)
                    return FastCgiPart.None;
                content = input.Slice(consumed, length);
                consumed += length;
                _remaining -= length;
                if (_type == Ignored)
                    continue;
                return _type == FastCgiRecord.StandardOutput ? FastCgiPart.Output : FastCgiPart.Error;
            }
            else
            {
                var length = Math.Min(_padding, input.Length - consumed);
                consumed += length;
                _padding -= length;
                if (_padding > 0)
                    return FastCgiPart.None;
                _type = 0;
            }
        }
    }

    /// <summary>Whether this, after END_REQUEST, is its padding and nothing else.</summary>
    public readonly bool EndsWith(ReadOnlySpan<byte> rest) => rest.Length == _padding;

    private void BeginRecord()
    {
        if (_collected >> 56 != FastCgiRecord.Version)
            throw FastCgiFailure.Invalid($"a record of version {_collected >> 56}");
        var id = (ushort)(_collected >> 32);
        _type = (byte)(_collected >> 48);
        // Management records (§3.3), and types of a later version of the protocol.
        if (id == 0 || _type is not (FastCgiRecord.StandardOutput or FastCgiRecord.StandardError or FastCgiRecord.EndRequest))
            _type = Ignored;
        else if (id != FastCgiRecord.RequestId)
            throw FastCgiFailure.Invalid($"a record of request {id}");
        _remaining = (ushort)(_collected >> 16);
        _padding = (byte)(_collected >> 8);
        if (_type == FastCgiRecord.EndRequest && _remaining != sizeof(ulong))
            throw FastCgiFailure.Invalid($"an END_REQUEST of {_remaining} bytes");
    }

    // Eight bytes, of which some may have come before.
    private bool Collect(ReadOnlySpan<byte> input, ref int consumed)
    {
        if (_collectedLength == 0 && input.Length - consumed >= sizeof(ulong))
        {
            _collected = BinaryPrimitives.ReadUInt64BigEndian(input[consumed..]);
            consumed += sizeof(ulong);
            return true;
        }
        while (consumed < input.Length)
        {
            _collected = (_collected << 8) | input[consumed++];
            if (++_collectedLength == sizeof(ulong))
            {
                _collectedLength = 0;
                return true;
            }
        }
        return false;
    }
}
