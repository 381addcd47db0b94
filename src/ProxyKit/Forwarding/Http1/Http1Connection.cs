using System.Net.Sockets;

namespace ProxyKit.Forwarding.Http1;

/// <summary>
/// One HTTP/1.1 connection to an upstream in clear text: a send buffer, a receive buffer, one exchange at a time. While it idles in the pool a receive is already
/// under way, which is the first of the next response; if it completes before, the upstream has closed, or said something nobody asked for.
/// </summary>
internal sealed class Http1Connection : IDisposable
{
    private const int InitialReceive = 8 * 1024, InitialSend = 4 * 1024;

    private readonly Socket _socket;
    private CancellationTokenRegistration _abort;
    private byte[] _receive = new byte[InitialReceive];
    private int _start, _end;
    private byte[] _send = new byte[InitialSend];
    private int _sendLength;
    private ValueTask<int> _readAhead;
    private bool _isReadingAhead;

    public Http1Connection(Socket socket, Http1Pool pool)
    {
        _socket = socket;
        Pool = pool;
        Response = new Http1Response(this);
        CreatedAt = pool.Now;
    }

    public long CreatedAt { get; }

    public Http1Pool Pool { get; }

    /// <summary>The parser of the response under way.</summary>
    public Http1Response Response { get; }

    /// <summary>Whether an exchange went over it before: then the upstream may have closed it meanwhile.</summary>
    public bool IsReused { get; private set; }

    public long IdleSince { get; private set; }

    /// <summary>What the upstream said in Keep-Alive; null if nothing.</summary>
    public TimeSpan? KeepAlive { get; set; }

    /// <summary>Bytes received and not yet taken.</summary>
    public ReadOnlyMemory<byte> Received => _receive.AsMemory(_start, _end - _start);

    /// <summary>Whether anything has been received since the exchange began.</summary>
    public bool HasReceived { get; private set; }

    public void Take(int count) => _start += count;

    /// <summary>Whether it is good for another exchange, as far as one can know.</summary>
    public bool IsAlive => !_isReadingAhead || !_readAhead.IsCompleted;

    public void BeginExchange(CancellationToken cancellationToken)
    {
        HasReceived = false;
        _abort = cancellationToken.UnsafeRegister(static state => ((Http1Connection)state!).Dispose(), this);
    }

    /// <summary>Ends the exchange: back into the pool, or closed.</summary>
    public void EndExchange(bool reusable)
    {
        // Once this returns no cancellation reaches a later exchange.
        _abort.Dispose();
        _abort = default;
        if (!reusable || _start != _end || _sendLength != 0)
        {
            Dispose();
            Pool.Closed();
            return;
        }
        IsReused = true;
        _start = _end = 0;
        IdleSince = Pool.Now;
        try
        {
#pragma warning disable CA2012 // kept, and awaited once: by the next FillAsync
            _readAhead = _socket.ReceiveAsync(_receive.AsMemory(), SocketFlags.None);
#pragma warning restore CA2012
            _isReadingAhead = true;
            if (_readAhead.IsFaulted)
                _readAhead.GetAwaiter().GetResult(); // reset already: nothing will await it
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            Dispose();
            Pool.Closed();
            return;
        }
        Pool.Return(this);
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Room for at least <paramref name="length"/> bytes to send; <see cref="Advance"/> what is written there.</summary>
    public Span<byte> SendBuffer(int length)
    {
        if (_send.Length - _sendLength < length)
            Array.Resize(ref _send, Math.Max(_send.Length * 2, _sendLength + length));
        return _send.AsSpan(_sendLength);
    }

    public void Advance(int count) => _sendLength += count;

    public int Unsent => _sendLength;

    /// <summary>Sends what stands in the send buffer.</summary>
    public ValueTask FlushAsync()
    {
        if (_sendLength == 0)
            return ValueTask.CompletedTask;
        var sending = _socket.SendAsync(_send.AsMemory(0, _sendLength), SocketFlags.None);
        if (!sending.IsCompletedSuccessfully)
            return FinishFlushAsync(sending);
        var sent = sending.Result;
        if (sent < _sendLength)
            return FinishFlushAsync(new(sent));
        Flushed();
        return ValueTask.CompletedTask;
    }

    private async ValueTask FinishFlushAsync(ValueTask<int> sending)
    {
        var sent = await sending;
        while (sent < _sendLength)
            sent += await _socket.SendAsync(_send.AsMemory(sent, _sendLength - sent), SocketFlags.None);
        Flushed();
    }

    private void Flushed()
    {
        _sendLength = 0;
        if (_send.Length > 64 * 1024)
            _send = new byte[InitialSend];
    }

    /// <summary>Sends these bytes without copying them; what stands in the send buffer goes first.</summary>
    public async ValueTask SendAsync(ReadOnlyMemory<byte> memory)
    {
        await FlushAsync();
        while (!memory.IsEmpty)
            memory = memory[await _socket.SendAsync(memory, SocketFlags.None)..];
    }

    /// <summary>Receives more behind what has not been taken. Tell <see cref="Filled"/> how much it was.</summary>
    public ValueTask<int> FillAsync()
    {
        if (_isReadingAhead)
        {
            _isReadingAhead = false;
            return _readAhead;
        }
        if (_start == _end)
            _start = _end = 0;
        else if (_end == _receive.Length)
        {
            var target = _start > 0 ? _receive : new byte[_receive.Length * 2];
            Buffer.BlockCopy(_receive, _start, target, 0, _end - _start);
            (_receive, _end, _start) = (target, _end - _start, 0);
        }
        return _socket.ReceiveAsync(_receive.AsMemory(_end), SocketFlags.None);
    }

    /// <summary>False at the end of the connection.</summary>
    public bool Filled(int read)
    {
        _end += read;
        HasReceived |= read > 0;
        return read > 0;
    }

    /// <summary>Receives into the caller's memory; nothing may be left in the buffer.</summary>
    public ValueTask<int> ReceiveAsync(Memory<byte> memory) => _socket.ReceiveAsync(memory, SocketFlags.None);
}
