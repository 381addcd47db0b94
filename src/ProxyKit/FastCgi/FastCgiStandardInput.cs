namespace ProxyKit.FastCgi;

/// <summary>The request's body on its way: exactly as many bytes as CONTENT_LENGTH says, since php-fpm waits for those, and resets the connection at more.</summary>
internal sealed class FastCgiStandardInput(FastCgiRequestWriter writer, FastCgiExchange exchange, long length) : Stream
{
    private long _written;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.Length > length - _written)
            return ValueTask.FromException(new HttpRequestException($"The request's content is longer than its Content-Length of {length} bytes."));
        _written += buffer.Length;
        var written = writer.Append(buffer.Span);
        return written == buffer.Length ? ValueTask.CompletedTask : SendAndWriteAsync(buffer[written..], cancellationToken);
    }

    public override Task FlushAsync(CancellationToken cancellationToken) =>
        // The end is sent together with the last of the body.
        _written == length ? Task.CompletedTask : exchange.SendWrittenAsync(cancellationToken).AsTask();

    /// <summary>Ends the body, if it is all there.</summary>
    public void Complete()
    {
        if (_written < length)
            throw new HttpRequestException($"The request's content is shorter than its Content-Length of {length} bytes.");
    }

    private async ValueTask SendAndWriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        while (!buffer.IsEmpty)
        {
            await exchange.SendWrittenAsync(cancellationToken);
            buffer = buffer[writer.Append(buffer.Span)..];
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush() => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
