using System.Buffers;
using System.Net;
using Microsoft.Extensions.ObjectPool;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>
/// One request and its answer over a connection. The request's body is sent while the answer is read already. What is received is taken apart in the buffer that it was
/// received into, so the connection is free as soon as END_REQUEST has come, whoever still has to be given what came before.
/// </summary>
internal sealed partial class FastCgiExchange : UpstreamResponse
{
    private const int ReceiveSize = 16 * 1024;

    // Of record headers, padding, standard error and records that are ignored; and beside so much for each byte of output.
    private const long MaxOverhead = 16 * 1024 * 1024, MaxOverheadPerByte = 64;

    private static readonly ObjectPool<CgiHeadParser> s_heads = new DefaultObjectPool<CgiHeadParser>(new HeadPolicy(), maximumRetained: 256);
    private static readonly HeaderList s_noTrailers = new();

    private readonly FastCgiSettings _settings;
    private readonly FastCgiRequestWriter _writer;
    private readonly IFastCgiConnection _rented; // whoever sends may hold on to it
    private readonly FastCgiRequest _request;
    private readonly ITimer? _idle;
    private IFastCgiConnection? _connection;     // null once it is given away
    private FastCgiRecordParser _parser;
    private CgiHeadParser? _head;
    private byte[]? _buffer;
    private byte[] _filling = [];                // the buffer that is being received into
    private int _start, _end;                    // what the buffer holds of the script's output
    private StandardErrorLog? _errors;
    private long _output, _overhead;
    private long? _errorAt;                      // how much output there was before the first word on standard error
    private bool _hasReceived, _isEnded, _isClean, _isTimedOut, _isFilling;

    private FastCgiExchange(IFastCgiConnection connection, FastCgiSettings settings, FastCgiRequest request, FastCgiRequestWriter writer)
    {
        (_rented, _connection, _settings, _request, _writer) = (connection, connection, settings, request, writer);
        _buffer = ArrayPool<byte>.Shared.Rent(ReceiveSize);
        _head = s_heads.Get();
        if (settings.IdleTimeout != Timeout.InfiniteTimeSpan)
            _idle = settings.Time.CreateTimer(static state => ((FastCgiExchange)state!).OnIdle(), this, settings.IdleTimeout, Timeout.InfiniteTimeSpan);
    }

    public override int StatusCode => Head.StatusCode;

    public override string? ReasonPhrase => Head.ReasonPhrase;

    public override Version Version => HttpVersion.Version11;

    public override HeaderList Headers => Head.Headers;

    public override HeaderList Trailers => s_noTrailers;

    /// <summary>Null unless END_REQUEST has come with the header section: the end is that, and is to be seen.</summary>
    public override long? ContentLength => _length;

    public override ReadOnlyMemory<byte> Buffered => _buffer.AsMemory(_start, _end - _start);

    public override void Consume(int count)
    {
        _start += count;
        if (_start == _end)
            ReturnBuffer();
    }

    // php answers early to a body that it does not want; its connection is closed then.
    public override bool EndsRequest => true;

    // It belongs to another exchange when this one has ended.
    private CgiHeadParser Head => _head ?? throw new ObjectDisposedException(nameof(FastCgiExchange));

    /// <summary>Closes the connection, if the exchange still has it.</summary>
    public override void Dispose()
    {
        Interlocked.Exchange(ref _connection, null)?.Dispose();
        End();
        ReturnBuffer();
        if (Interlocked.Exchange(ref _head, null) is { } head)
            s_heads.Return(head);
    }

    // False when more must be received.
    private bool TryParseHead()
    {
        var head = Head;
        var began = head.Length;
        while (true)
        {
            if (!head.TryParse(_buffer.AsSpan(0, _end)))
                return _isEnded ? throw FastCgiFailure.Invalid("no complete header section") : false;
            if (head.StatusCode >= 200)
                break;
            if (head.StatusCode != 100) // the server sends its own
                _request.Relay(head.StatusCode, head.ReasonPhrase, head.Headers, head.Length - began);
            head.BeginSection();
            began = head.Length;
        }
        if (_settings.Config.FailOnStandardError && _errorAt < head.Length)
            throw FastCgiFailure.Invalid("something on standard error before it");
        BeginBody(head);
        return true;
    }

    /// <summary>Receives into the buffer, behind what is there. Tell <see cref="Filled"/> how much it was.</summary>
    private ValueTask<int> FillAsync(CancellationToken cancellationToken)
    {
        _buffer ??= ArrayPool<byte>.Shared.Rent(ReceiveSize);
        if (_end == _buffer.Length)
            Grow();
        _filling = _buffer;
        _isFilling = true;
        return Connection.ReceiveAsync(_filling.AsMemory(_end), cancellationToken);
    }

    /// <summary>False at the end of the connection.</summary>
    private bool Filled(int read)
    {
        _isFilling = false;
        Received(read);
        if (read == 0)
            return false;
        _end += Take(_filling.AsSpan(_end, read));
        return true;
    }

    private IFastCgiConnection Connection => _connection ?? throw new ObjectDisposedException(nameof(FastCgiExchange));

    private void Received(int read)
    {
        Touch();
        _hasReceived |= read > 0;
    }

    // Of the connection, before a head was there.
    private UpstreamException EndedEarly() => _end > 0
        ? FastCgiFailure.Invalid("half a header section")
        : FastCgiFailure.Unanswered(ProxyError.Request, "The FastCGI application closed the connection before it had answered.", null);

    /// <summary>Takes the records apart, and moves the script's output together at the beginning; says how much that is.</summary>
    private int Take(Span<byte> received)
    {
        int position = 0, output = 0;
        while (true)
        {
            var part = _parser.Read(received[position..], out var consumed, out var content);
            position += consumed;
            switch (part)
            {
                case FastCgiPart.None:
                    _overhead += received.Length - output;
                    if (_overhead > MaxOverhead + MaxOverheadPerByte * _output)
                        throw FastCgiFailure.Invalid($"{_overhead} bytes of records without output");
                    return output;
                case FastCgiPart.Output:
                    content.CopyTo(received[output..]);
                    output += content.Length;
                    _output += content.Length;
                    break;
                case FastCgiPart.Error:
                    _errorAt ??= _output;
                    (_errors ??= new(_settings.Logger, _settings.Config.StandardError, _settings.Destination, _request.Path)).Write(content);
                    break;
                case FastCgiPart.End:
                    _isEnded = true;
                    _isClean = _parser.EndsWith(received[position..]);
                    if (FastCgiFailure.Of(_parser.Status) is { } failure)
                        throw _output == 0 ? failure : FastCgiFailure.Invalid($"the protocol status {(byte)_parser.Status} at its end");
                    return output;
            }
        }
    }

    /// <summary>Gives the connection away: it may carry another exchange if nothing of this one is left on it.</summary>
    private void Release(bool isReusable)
    {
        if (Interlocked.Exchange(ref _connection, null) is not { } connection)
            return;
        if (isReusable && _isClean && _sending is { IsCompletedSuccessfully: true, Result: true })
            connection.Return();
        else
            connection.Dispose();
        End();
    }

    private void End()
    {
        _idle?.Dispose();
        _errors?.End();
    }

    private void OnIdle()
    {
        _isTimedOut = true;
        Interlocked.Exchange(ref _connection, null)?.Dispose();
    }

    private void Touch() => _idle?.Change(_settings.IdleTimeout, Timeout.InfiniteTimeSpan);

    private void Grow()
    {
        var larger = ArrayPool<byte>.Shared.Rent(_buffer!.Length * 2);
        _buffer.AsSpan(0, _end).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }

    private void ReturnBuffer()
    {
        // One that is being received into is left to the collector.
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer && !_isFilling)
            ArrayPool<byte>.Shared.Return(buffer);
        _start = _end = 0;
    }

    private sealed class HeadPolicy : PooledObjectPolicy<CgiHeadParser>
    {
        public override CgiHeadParser Create() => new();

        public override bool Return(CgiHeadParser obj)
        {
            obj.Reset();
            return true;
        }
    }
}
