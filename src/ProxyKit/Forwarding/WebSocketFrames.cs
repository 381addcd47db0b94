using System.Security.Cryptography;
using System.Text;

namespace ProxyKit.Forwarding;

/// <summary>
/// Finds the boundaries of WebSocket frames (RFC 6455 §5.2) in a stream that passes by in pieces of any size, so that a close frame can be put between two.
/// </summary>
internal struct WebSocketFrames
{
    private ulong _payload;       // bytes of the frame's payload still to come
    private int _header;          // bytes of the header seen
    private int _headerLength;
    private int _lengthBytes;
    private ulong _extended;
    private int _opcode;

    /// <summary>Whether the next byte begins a frame.</summary>
    public readonly bool AtBoundary => _payload == 0 && _header == 0;

    /// <summary>Whether a close frame has passed.</summary>
    public bool HasClosed { get; private set; }

    /// <summary>Takes note of <paramref name="data"/>, at most up to the end of a frame if so asked; returns how much of it.</summary>
    public int Scan(ReadOnlySpan<byte> data, bool stopAtBoundary)
    {
        var position = 0;
        while (position < data.Length)
        {
            if (_payload > 0)
            {
                var skip = (int)Math.Min(_payload, (ulong)(data.Length - position));
                position += skip;
                _payload -= (uint)skip;
                if (_payload == 0 && EndFrame(stopAtBoundary))
                    return position;
                continue;
            }

            var value = data[position++];
            switch (_header++)
            {
                case 0:
                    _opcode = value & 0x0f;
                    break;
                case 1:
                    var length = value & 0x7f;
                    _lengthBytes = length == 126 ? 2 : length == 127 ? 8 : 0;
                    _headerLength = 2 + _lengthBytes + ((value & 0x80) != 0 ? 4 : 0);
                    _extended = length < 126 ? (ulong)length : 0;
                    break;
                default:
                    if (_header <= 2 + _lengthBytes) // the mask's four bytes come last
                        _extended = (_extended << 8) | value;
                    break;
            }
            if (_header >= 2 && _header == _headerLength)
            {
                _header = 0;
                _payload = _extended;
                if (_payload == 0 && EndFrame(stopAtBoundary))
                    return position;
            }
        }
        return position;
    }

    private bool EndFrame(bool stopAtBoundary)
    {
        HasClosed |= _opcode == 8;
        return stopAtBoundary;
    }

    /// <summary>A close frame with status 1001, going away; from a client it is masked.</summary>
    public static byte[] GoingAway(bool masked)
    {
        if (!masked)
            return [0x88, 2, 0x03, 0xe9];
        Span<byte> mask = stackalloc byte[4];
        RandomNumberGenerator.Fill(mask);
        return [0x88, 0x82, .. mask, (byte)(0x03 ^ mask[0]), (byte)(0xe9 ^ mask[1])];
    }

    public static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(16));

    public static bool IsKey(string key)
    {
        Span<byte> bytes = stackalloc byte[18];
        return key.Length == 24 && Convert.TryFromBase64String(key, bytes, out var written) && written == 16;
    }

    // RFC 6455 §4.2.2 prescribes SHA-1; it protects nothing.
#pragma warning disable CA5350
    public static string AcceptFor(string key) =>
        Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
#pragma warning restore CA5350
}
