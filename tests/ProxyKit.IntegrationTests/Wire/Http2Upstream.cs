using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>An HTTP/2 upstream in clear text whose frames the test sends itself.</summary>
internal sealed class Http2Upstream : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<Http2UpstreamStream, Task> _serve;
    private readonly List<Http2UpstreamStream> _streams = [];
    private readonly Task _accepting;

    /// <param name="serve">Runs when the header section of a request has arrived.</param>
    public Http2Upstream(Func<Http2UpstreamStream, Task> serve)
    {
        _serve = serve;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>The requests so far, in their order.</summary>
    public IReadOnlyList<Http2UpstreamStream> Streams
    {
        get
        {
            lock (_streams)
                return [.. _streams];
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ReadAsync(await _listener.AcceptSocketAsync(_stop.Token));
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task ReadAsync(Socket socket)
    {
        using var stream = new NetworkStream(socket, ownsSocket: true);
        var connection = new Http2UpstreamConnection(stream);
        var streams = new Dictionary<int, Http2UpstreamStream>();
        var head = new byte[9];
        try
        {
            await stream.ReadExactlyAsync(new byte[24], _stop.Token);
            await connection.SendAsync(type: 4, flags: 0, id: 0, []);
            while (true)
            {
                await stream.ReadExactlyAsync(head, _stop.Token);
                var payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
                await stream.ReadExactlyAsync(payload, _stop.Token);
                var id = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5));
                var isLast = (head[4] & 1) != 0;
                switch (head[3])
                {
                    case 0: // DATA
                        streams[id].Add(payload, isLast);
                        if (payload.Length > 0)
                        {
                            await connection.SendAsync(type: 8, flags: 0, id: 0, Number(payload.Length));
                            await connection.SendAsync(type: 8, flags: 0, id, Number(payload.Length));
                        }
                        break;
                    case 1: // HEADERS
                        Http2UpstreamStream request;
                        lock (_streams)
                            _streams.Add(streams[id] = request = new(connection, id, _streams.Count));
                        request.Add([], isLast);
                        _ = _serve(request);
                        break;
                    case 3: // RST_STREAM
                        streams[id].Add([], isLast: false, isReset: true);
                        break;
                    case 4 when !isLast: // SETTINGS
                        await connection.SendAsync(type: 4, flags: 1, id: 0, []);
                        break;
                    case 6 when !isLast: // PING
                        await connection.SendAsync(type: 6, flags: 1, id: 0, payload);
                        break;
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }

    internal static byte[] Number(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _listener.Stop();
        _stop.Dispose();
    }
}

internal sealed class Http2UpstreamConnection(Stream stream)
{
    private readonly SemaphoreSlim _writing = new(1, 1);

    public async Task SendAsync(byte type, byte flags, int id, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, (payload.Length << 8) | type);
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), id);
        payload.CopyTo(frame, 9);
        await _writing.WaitAsync();
        try
        {
            await stream.WriteAsync(frame);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>GOAWAY: streams up to <paramref name="last"/> are processed, later ones are not (RFC 9113 §6.8).</summary>
    public Task GoAwayAsync(int last, int code = 0) => SendAsync(type: 7, flags: 0, id: 0, [.. Http2Upstream.Number(last), .. Http2Upstream.Number(code)]);

    public void Close() => stream.Dispose();
}

/// <summary>One request to an <see cref="Http2Upstream"/>.</summary>
internal sealed class Http2UpstreamStream(Http2UpstreamConnection connection, int id, int index)
{
    private readonly List<byte> _body = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Http2UpstreamConnection Connection => connection;

    public int Id => id;

    /// <summary>How many requests there have been before, on all connections.</summary>
    public int Index => index;

    public bool IsComplete { get; private set; }

    public bool IsReset { get; private set; }

    public string Body
    {
        get
        {
            lock (_body)
                return Encoding.Latin1.GetString([.. _body]);
        }
    }

    internal void Add(byte[] data, bool isLast, bool isReset = false)
    {
        TaskCompletionSource changed;
        lock (_body)
        {
            _body.AddRange(data);
            IsComplete |= isLast;
            IsReset |= isReset;
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        changed.SetResult();
    }

    /// <summary>Waits until so much of the body has come.</summary>
    public Task ReceivedAsync(int bytes) => WhenAsync(() => _body.Count >= bytes);

    public Task CompleteAsync() => WhenAsync(() => IsComplete);

    private async Task WhenAsync(Func<bool> condition)
    {
        while (true)
        {
            Task changed;
            lock (_body)
            {
                if (condition())
                    return;
                changed = _changed.Task;
            }
            await changed.WaitAsync(TimeSpan.FromSeconds(10));
        }
    }

    /// <summary>A whole response.</summary>
    public async Task RespondAsync(int status, string body)
    {
        await connection.SendAsync(type: 1, flags: 4, id, [0x08, 3, .. Encoding.ASCII.GetBytes($"{status}")]); // :status, a literal (RFC 7541 §6.2.2)
        await connection.SendAsync(type: 0, flags: 1, id, Encoding.Latin1.GetBytes(body));
    }

    /// <summary>RST_STREAM with this code (RFC 9113 §7).</summary>
    public Task ResetAsync(int code) => connection.SendAsync(type: 3, flags: 0, id, Http2Upstream.Number(code));
}
