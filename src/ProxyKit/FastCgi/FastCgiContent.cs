using System.Net;

namespace ProxyKit.FastCgi;

/// <summary>An answer's body. Its end is END_REQUEST, whatever the script says of its length; so nobody may stop reading at that length.</summary>
internal sealed class FastCgiContent(FastCgiExchange exchange) : HttpContent
{
    private FastCgiBodyStream? _stream;

    /// <summary>An answer as HttpClient has them.</summary>
    public static HttpResponseMessage Message(HttpRequestMessage request, FastCgiExchange exchange)
    {
        var message = new HttpResponseMessage((HttpStatusCode)exchange.StatusCode) { RequestMessage = request, Content = new FastCgiContent(exchange) };
        if (exchange.ReasonPhrase is { } reason)
            message.ReasonPhrase = reason;
        foreach (ref readonly var field in exchange.Headers.Fields)
        {
            if (!message.Headers.TryAddWithoutValidation(field.Name, field.Value.ToString()))
                message.Content.Headers.TryAddWithoutValidation(field.Name, field.Value.ToString());
        }
        return message;
    }

    protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult<Stream>(Open());

    protected override Task<Stream> CreateContentReadStreamAsync(CancellationToken cancellationToken) => Task.FromResult<Stream>(Open());

    protected override Stream CreateContentReadStream(CancellationToken cancellationToken) => Open();

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => Open().CopyToAsync(stream);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) => Open().CopyToAsync(stream, cancellationToken);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            exchange.Dispose();
        base.Dispose(disposing);
    }

    private FastCgiBodyStream Open() => _stream ??= new(exchange);
}

/// <summary>Reads an answer's body; whoever disposes of it before its end closes the connection, which is how FastCGI knows to stop.</summary>
internal sealed class FastCgiBodyStream(FastCgiExchange exchange) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => exchange.ReadAsync(buffer, cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            exchange.Dispose();
        base.Dispose(disposing);
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
