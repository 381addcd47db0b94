using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <content>The answer's body.</content>
internal sealed partial class FastCgiExchange
{
    /// <summary>Less than this is not received straight into the reader's memory.</summary>
    private const int MinDirect = 1024;

    private long? _announced;
    private long? _length;
    private long _received;
    private bool _hasNoBody;
    private Exception? _failure;

    /// <summary>Reads on; 0 at the end. What ends otherwise than the application said is an exception.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> memory, CancellationToken cancellationToken)
    {
        try
        {
            if (_failure is not null)
                throw _failure;
            while (_start == _end && !_isEnded)
            {
                if (memory.Length >= MinDirect)
                {
                    var read = await Connection.ReceiveAsync(memory, cancellationToken);
                    Received(read);
                    var output = read == 0 ? EndOfConnection() : TakeBody(Take(memory.Span[..read]));
                    if (output > 0)
                        return output;
                }
                else
                {
                    _start = _end = 0;
                    _end = Filled(await FillAsync(cancellationToken)) ? TakeBody(_end) : EndOfConnection();
                }
            }
            if (_start < _end)
                return CopyBuffered(memory.Span);
            if (_received < _announced)
                throw new HttpIOException(HttpRequestError.ResponseEnded, $"The FastCGI application's answer has {_received} bytes, not the {_announced} of its Content-Length.");
            return 0;
        }
        catch (Exception e)
        {
            Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            _failure = e as HttpIOException ?? new HttpIOException(
                e is UpstreamException ? HttpRequestError.InvalidResponse : HttpRequestError.ResponseEnded, _isTimedOut ? $"Nothing moved for {_settings.IdleTimeout}." : e.Message, e);
            throw _failure;
        }
    }

    private void BeginBody(CgiHeadParser head)
    {
        _start = head.Length;
        // RFC 9110 §6.4.1
        _hasNoBody = _request.Method == "HEAD" || head.StatusCode is 204 or 304;
        if (!_hasNoBody)
            _announced = head.ContentLength;
        var body = TakeBody(_end - _start);
        _end = _start + body;
        if (_isEnded && !_hasNoBody && (_announced is null || _received == _announced))
            _length = body;
        if (body == 0)
            ReturnBuffer();
    }

    // Takes note of output; says how much of it belongs to the body.
    private int TakeBody(int output)
    {
        if (_hasNoBody && output > 0)
        {
            _isEnded = true;
            Release(isReusable: false);
            return 0;
        }
        if (_announced is { } announced && output > announced - _received)
        {
            // Blank lines behind "?>", often. The response ends where it says, as nginx has it.
            BodyCut(_settings.Logger, _settings.Destination, _request.Script, announced);
            output = (int)(announced - _received);
            _received = announced;
            _isEnded = true;
            Release(isReusable: false);
            return output;
        }
        _received += output;
        if (_isEnded)
            Release(isReusable: _announced is null || _received == _announced);
        return output;
    }

    // Without END_REQUEST nothing but the length tells a whole answer from a half.
    private int EndOfConnection()
    {
        if (!_hasNoBody && (_announced is null || _received < _announced))
            throw new HttpIOException(HttpRequestError.ResponseEnded, "The FastCGI application's connection was closed in the middle of an answer (no END_REQUEST).");
        _isEnded = true;
        Release(isReusable: false);
        return 0;
    }

    private int CopyBuffered(Span<byte> target)
    {
        var length = Math.Min(target.Length, _end - _start);
        _buffer.AsSpan(_start, length).CopyTo(target);
        Consume(length);
        return length;
    }

    [LoggerMessage(132, LogLevel.Warning, "FastCGI {Destination}, {Script}: the response body is longer than its Content-Length of {Length} bytes and was cut; correct the length that the script sends", EventName = "FastCgiBodyCut")]
    private static partial void BodyCut(ILogger logger, string destination, string script, long length);
}
