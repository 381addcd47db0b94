using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Forwarding.Http1;

/// <summary>
/// One request and its response over an <see cref="Http1Connection"/>. The request's body is sent while the response is read already: an upstream may answer
/// early, or stream both ways at once.
/// </summary>
internal sealed class Http1Exchange : UpstreamResponse
{
    private static readonly TimeSpan s_continueTimeout = TimeSpan.FromSeconds(1);

    private readonly RequestBodyContent? _body;
    private Http1Connection? _connection;
    private Task<bool>? _sending;
    private TaskCompletionSource? _continue;
    private bool _answered;

    private Http1Exchange(Http1Connection connection, RequestBodyContent? body)
    {
        _connection = connection;
        _body = body;
    }

    public override int StatusCode => Response.StatusCode;

    public override string? ReasonPhrase => Response.ReasonPhrase;

    public override Version Version => Response.Version;

    public override HeaderList Headers => Response.Headers;

    public override HeaderList Trailers => Response.Trailers;

    public override long? ContentLength => Response.ContentLength;

    public override bool EndsRequest => Response.IsLast;

    public override ReadOnlyMemory<byte> Buffered => Response.Buffered;

    // After its end the connection belongs to another exchange.
    private Http1Connection Connection => _connection ?? throw new ObjectDisposedException(nameof(Http1Exchange));

    private Http1Response Response => Connection.Response;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<UpstreamResponse?> SendAsync(
        Http1Pool pool, PreparedRequest request, Destination destination, InterimRelay interim, CancellationToken cancellationToken)
    {
        for (var fresh = false; ; fresh = true)
        {
            var connection = await pool.RentAsync(fresh, cancellationToken);
            var exchange = new Http1Exchange(connection, request.Body);
            try
            {
                connection.BeginExchange(cancellationToken);
                exchange.WriteHead(request, destination);
                exchange.StartBody(request, cancellationToken);
                if (exchange._sending is null)
                    await connection.FlushAsync();
                var response = connection.Response;
                response.Begin(HttpMethods.IsHead(request.Method));
                while (!response.TryParse(exchange._continue, interim))
                    response.Received(await connection.FillAsync());
                exchange.Answered();
                return exchange;
            }
            catch (Exception e)
            {
                var isStale = connection is { IsReused: true, HasReceived: false };
                exchange.End(reusable: false);
                cancellationToken.ThrowIfCancellationRequested();
                // The upstream closed an idle connection just as it was used: it has seen nothing of this request (RFC 9112 §9.3.1).
                if (isStale && request.Body is null or { Started: false } or { IsBuffered: true } && request.IsIdempotent)
                {
                    if (exchange._sending is { } sending)
                        await sending; // nothing of it may run beside the next; its failures are its own
                    continue;
                }
                if (e is UpstreamException)
                    throw;
                throw new UpstreamException(
                    request.Body?.DestinationError is null ? ProxyError.Request : ProxyError.RequestBodyDestination, FailureClass.Unanswered, e.Message, e);
            }
        }
    }

    public override void Consume(int count) => Response.Consume(count);

    public override ValueTask<int> ReadAsync(Memory<byte> memory, CancellationToken cancellationToken) => Response.ReadAsync(memory);

    public override void Dispose()
    {
        if (_connection is not null)
            End(_sending is null or { IsCompletedSuccessfully: true, Result: true } && Response.IsReusable);
    }

    private void End(bool reusable)
    {
        Answered();
        var connection = _connection!;
        _connection = null;
        connection.EndExchange(reusable);
        _continue?.TrySetResult();
    }

    private void StartBody(PreparedRequest request, CancellationToken cancellationToken)
    {
        if (_body is null)
            return;
        if (request.Headers.Get("Expect").Count > 0)
        {
            _continue = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _sending = SendBodyWhenToldAsync(Connection, _continue.Task, cancellationToken);
        }
        else if (!_body.TrySendBuffered(Connection))
            _sending = SendBodyAsync(Connection, cancellationToken);
    }

    // The client waits for the upstream's word, or for a while where the upstream does not know the expectation (RFC 9110 §10.1.1).
    private async Task<bool> SendBodyWhenToldAsync(Http1Connection connection, Task told, CancellationToken cancellationToken)
    {
        try
        {
            await connection.FlushAsync();
            await connection.Pool.WaitAsync(told, s_continueTimeout, cancellationToken);
        }
        catch (Exception)
        {
            return false; // reading the response fails as well, and tells why
        }
        Task<bool> sending;
        lock (_continue!)
        {
            if (_answered)
                return false;
            sending = SendBodyAsync(connection, cancellationToken);
        }
        return await sending;
    }

    // From here on the body is being sent, and whoever ends the exchange can wait for that; or it never will be.
    private void Answered()
    {
        if (_continue is null)
            return;
        lock (_continue)
            _answered = true;
    }

    /// <summary>Whether the whole body was sent. A failure stands in the body.</summary>
    private async Task<bool> SendBodyAsync(Http1Connection connection, CancellationToken cancellationToken)
    {
        try
        {
            await _body!.SendAsync(new Http1BodyStream(connection, chunked: _body.Length is null), cancellationToken);
            return true;
        }
        catch (Exception)
        {
            // Without the rest of the request no answer need come; but one that was given early may still be read if it was the upstream that broke off.
            if (_body!.ClientError is not null)
                connection.Dispose();
            return false;
        }
    }

    private void WriteHead(PreparedRequest request, Destination destination)
    {
        var target = destination.Target;
        var host = request.Host ?? HeaderText.Host(destination.Config.Host) ?? target.Host;
        // One check for room, then one write after the other; a char is at most a byte in latin-1.
        var room = request.Method.Length + target.BasePath.Length + request.Path.Length + request.Query.Length + host.Length + 96;
        foreach (ref readonly var field in request.Headers.Fields)
        {
            foreach (var value in field.Value)
                room += field.Name.Length + (value?.Length ?? 0) + 4;
        }

        var head = new HeadWriter(Connection.SendBuffer(room));
        head.Write(request.Method);
        head.Write(" ");
        head.Write(target.BasePath);
        head.Write(request.Path);
        head.Write(request.Query);
        head.Write(" HTTP/1.1\r\nHost: "u8);
        head.Write(host);
        head.Write("\r\n"u8);
        foreach (ref readonly var field in request.Headers.Fields)
        {
            if (field.Value.Count == 1)
                head.WriteField(field.Name, field.Value.ToString());
            // Cookie pairs that HTTP/2 splits are one line in HTTP/1.1 (RFC 9113 §8.2.3).
            else if (field.Name.Equals("Cookie", StringComparison.OrdinalIgnoreCase))
                head.WriteField(field.Name, string.Join("; ", field.Value.ToArray()));
            else
            {
                foreach (var value in field.Value)
                    head.WriteField(field.Name, value ?? "");
            }
        }
        if (_body is { Length: { } length })
            head.WriteField("Content-Length", length.ToString(CultureInfo.InvariantCulture));
        else if (_body is not null)
            head.Write("Transfer-Encoding: chunked\r\n"u8);
        else if (request.Method is "POST" or "PUT" or "PATCH")
            head.Write("Content-Length: 0\r\n"u8); // RFC 9110 §8.6
        head.Write("\r\n"u8);
        Connection.Advance(head.Length);
    }

    private ref struct HeadWriter(Span<byte> target)
    {
        private readonly Span<byte> _target = target;

        public int Length { get; private set; }

        public void WriteField(string name, string value)
        {
            Write(name);
            Write(": "u8);
            Write(value);
            Write("\r\n"u8);
        }

        public void Write(scoped ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(_target[Length..]);
            Length += bytes.Length;
        }

        public void Write(string text)
        {
            if (Ascii.FromUtf16(text, _target[Length..], out var written) != System.Buffers.OperationStatus.Done)
                written = HeaderText.Latin1.GetBytes(text, _target[Length..]); // throws rather than write a question mark
            Length += written;
        }
    }
}

/// <summary>Frames the request's body.</summary>
internal sealed class Http1BodyStream(Http1Connection connection, bool chunked) : Stream
{
    // Pieces up to this size are put together; larger ones are sent as they are.
    private const int Gather = 16 * 1024;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return; // an empty chunk would be the last
        if (chunked)
            WriteAscii(string.Create(CultureInfo.InvariantCulture, $"{buffer.Length:x}\r\n"));
        if (connection.Unsent + buffer.Length > Gather)
            await connection.SendAsync(buffer);
        else
        {
            buffer.Span.CopyTo(connection.SendBuffer(buffer.Length));
            connection.Advance(buffer.Length);
        }
        if (chunked)
            WriteAscii("\r\n");
    }

    public override async Task FlushAsync(CancellationToken cancellationToken) => await connection.FlushAsync();

    /// <summary>Writes the end of the body.</summary>
    public ValueTask CompleteAsync()
    {
        if (chunked)
            WriteAscii("0\r\n\r\n");
        return connection.FlushAsync();
    }

    private void WriteAscii(string text) => connection.Advance(Encoding.ASCII.GetBytes(text, connection.SendBuffer(text.Length)));

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush() => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
