using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ProxyKit.IntegrationTests;

/// <summary>A client that sends exactly these bytes (latin-1), and shows the bytes that come back.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    private RawClient()
    {
    }

    public Socket Socket => _socket;

    public static async Task<RawClient> ConnectAsync(int port)
    {
        var client = new RawClient();
        await client._socket.ConnectAsync(IPAddress.Loopback, port);
        return client;
    }

    /// <summary>Sends one request on a connection of its own and reads until the server closes (send Connection: close), or for at most ten seconds.</summary>
    public static async Task<string> SendAsync(int port, string bytes)
    {
        using var client = await ConnectAsync(port);
        await client.SendAsync(bytes);
        return await client.ReadToEndAsync();
    }

    public async Task SendAsync(string bytes) => await _socket.SendAsync(Encoding.Latin1.GetBytes(bytes));

    public async Task<string> ReadToEndAsync()
    {
        var (text, _) = await ReadToEndOrResetAsync();
        return text;
    }

    /// <summary>All there is until the end, and whether that end was a reset.</summary>
    public async Task<(string Text, bool Reset)> ReadToEndOrResetAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var text = new StringBuilder();
        var buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                var read = await _socket.ReceiveAsync(buffer, limit.Token);
                if (read == 0)
                    return (text.ToString(), false);
                text.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }
        }
        catch (SocketException)
        {
            return (text.ToString(), true);
        }
    }

    /// <summary>Reads until <paramref name="marker"/> has come.</summary>
    public async Task<string> ReadUntilAsync(string marker)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var text = new StringBuilder();
        var buffer = new byte[16 * 1024];
        while (!text.ToString().Contains(marker, StringComparison.Ordinal))
        {
            var read = await _socket.ReceiveAsync(buffer, limit.Token);
            if (read == 0)
                throw new EndOfStreamException($"The server closed after: {text}");
            text.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
        return text.ToString();
    }

    public void Dispose() => _socket.Dispose();
}

/// <summary>An upstream that answers with exactly these bytes (latin-1), and keeps those of the request.</summary>
internal sealed class RawUpstream : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<string> _requests = [];
    private readonly StringBuilder _received = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _connections;
    private readonly Func<RawUpstreamConnection, Task> _serve;
    private readonly Task _accepting;

    public RawUpstream(Func<RawUpstreamConnection, Task> serve, int port = 0)
    {
        _listener = new(IPAddress.Loopback, port);
        _serve = serve;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Reads a request's head (and the body that Content-Length or chunks announce), sends these bytes, and closes.</summary>
    public RawUpstream(string response)
        : this(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync(response);
        })
    {
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Url => $"http://127.0.0.1:{Port}";

    /// <summary>The requests so far, as they came.</summary>
    public IReadOnlyList<string> Requests
    {
        get
        {
            lock (_requests)
                return [.. _requests];
        }
    }

    /// <summary>Every byte so far, of requests that never became complete too.</summary>
    public string Received
    {
        get
        {
            lock (_requests)
                return _received.ToString();
        }
    }

    /// <summary>How many connections there have been.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Answers every request with these bytes, on connections that are kept.</summary>
    public static RawUpstream KeepAlive(string response) => new(async connection =>
    {
        while (true)
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync(response);
        }
    });

    /// <summary>Waits until so many requests have come.</summary>
    public Task RequestsAsync(int count) => WhenAsync(() => _requests.Count >= count);

    /// <summary>Waits until these bytes have come.</summary>
    public Task ReceivedAsync(string bytes) => WhenAsync(() => _received.ToString().Contains(bytes, StringComparison.Ordinal));

    internal void Saw(string bytes) => Change(() => _received.Append(bytes));

    internal void Add(string request) => Change(() => _requests.Add(request));

    private void Change(Action change)
    {
        TaskCompletionSource changed;
        lock (_requests)
        {
            change();
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        changed.SetResult();
    }

    private async Task WhenAsync(Func<bool> condition)
    {
        while (true)
        {
            Task changed;
            lock (_requests)
            {
                if (condition())
                    return;
                changed = _changed.Task;
            }
            await changed.WaitAsync(TimeSpan.FromSeconds(10));
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_stop.Token);
                Interlocked.Increment(ref _connections);
                _ = ServeAsync(socket);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using (socket)
        {
            try
            {
                await _serve(new(this, socket, _stop.Token));
                socket.Shutdown(SocketShutdown.Send);
                // Take what still comes, so that the close is not a reset.
                var rest = new byte[4096];
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
                limit.CancelAfter(TimeSpan.FromSeconds(2));
                while (await socket.ReceiveAsync(rest, limit.Token) > 0)
                {
                }
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or EndOfStreamException or ObjectDisposedException)
            {
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting; // before the listener goes from under it
        _listener.Stop();
        _stop.Dispose();
    }
}

internal sealed class RawUpstreamConnection(RawUpstream upstream, Socket socket, CancellationToken stop)
{
    public Socket Socket => socket;

    public CancellationToken Stopping => stop;

    public async Task SendAsync(string bytes) => await socket.SendAsync(Encoding.Latin1.GetBytes(bytes), stop);

    /// <summary>Closes with a reset instead of an orderly end.</summary>
    public void Reset() => socket.Close(0);

    /// <summary>Reads the head only.</summary>
    public async Task<string> ReadHeadAsync()
    {
        var text = await ReadUntilAsync(new StringBuilder(), t => t.Contains("\r\n\r\n", StringComparison.Ordinal));
        upstream.Add(text);
        return text;
    }

    /// <summary>Reads the head and the body.</summary>
    public async Task<string> ReadRequestAsync()
    {
        var text = await ReadUntilAsync(new StringBuilder(), IsComplete);
        upstream.Add(text);
        return text;
    }

    /// <summary>Reads on until these bytes have come.</summary>
    public Task<string> ReadUntilAsync(string marker) => ReadUntilAsync(new StringBuilder(), t => t.Contains(marker, StringComparison.Ordinal));

    /// <summary>Waits until the other side has closed, in whatever way.</summary>
    public async Task ClosedAsync()
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await socket.ReceiveAsync(buffer, stop) > 0)
            {
            }
        }
        catch (SocketException)
        {
        }
    }

    private static bool IsComplete(string text)
    {
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
            return false;
        var head = text[..end];
        if (head.Contains("transfer-encoding: chunked", StringComparison.OrdinalIgnoreCase))
            return text.EndsWith("0\r\n\r\n", StringComparison.Ordinal);
        var length = head.Split("\r\n").FirstOrDefault(l => l.StartsWith("content-length:", StringComparison.OrdinalIgnoreCase));
        return length is null || text.Length >= end + 4 + int.Parse(length[15..], null);
    }

    private async Task<string> ReadUntilAsync(StringBuilder text, Func<string, bool> complete)
    {
        var buffer = new byte[16 * 1024];
        while (!complete(text.ToString()))
        {
            var read = await socket.ReceiveAsync(buffer, stop);
            if (read == 0)
                throw new EndOfStreamException();
            var bytes = Encoding.Latin1.GetString(buffer, 0, read);
            upstream.Saw(bytes);
            text.Append(bytes);
        }
        return text.ToString();
    }
}
