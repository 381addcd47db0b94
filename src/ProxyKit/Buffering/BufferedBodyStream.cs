namespace ProxyKit.Buffering;

/// <summary>A <see cref="BufferedRequestBody"/> as the request's body, for transforms and delegates that want to look into it. It can be rewound.</summary>
internal sealed class BufferedBodyStream(BufferedRequestBody body) : Stream
{
    private long _position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => body.Length;

    public override long Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = value;
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = _position < Length ? await body.ReadAsync(_position, buffer, cancellationToken) : 0;
        _position += read;
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => Position = offset + origin switch
    {
        SeekOrigin.Begin => 0,
        SeekOrigin.Current => _position,
        _ => Length,
    };

    // As for Kestrel's own bodies, unless AllowSynchronousIO is set.
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read the request's body with ReadAsync.");

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
