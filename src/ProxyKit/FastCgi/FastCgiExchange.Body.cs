using System.Runtime.CompilerServices;
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
                    ThrowIfTooLong();
                    if (output > 0)
                        return output;
                }
                else
                {
                    _start = _end = 0;
                    if ((Filled(await FillAsync(cancellationToken)) ? TakeBody(_end) : EndOfConnection()) == 0)
                        _start = _end = 0;
                }
            }
            ThrowIfTooLong();
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
        _received += output;
        if (_isEnded)
            Release(isReusable: _announced is null || _received == _announced);
        return output;
    }

    // More than was announced is somebody's mistake, and none of what it came with is passed on.
    private void ThrowIfTooLong()
    {
        if (_received > _announced)
            throw new HttpIOException(HttpRequestError.InvalidResponse, $"The FastCGI application's answer is longer than its Content-Length of {_announced} bytes.");
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
}
