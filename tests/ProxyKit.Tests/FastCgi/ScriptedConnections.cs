using System.Buffers;
using System.IO.Pipelines;
using ProxyKit.FastCgi;

namespace ProxyKit.Tests.FastCgi;

/// <summary>A FastCGI application in memory: for each connection a script.</summary>
internal sealed class ScriptedConnections(params Func<ScriptedConnection, Task>[] scripts) : IFastCgiConnections
{
    private readonly Stack<ScriptedConnection> _idle = [];

    public bool KeepsConnections { get; init; }

    /// <summary>How much is received at once, at most.</summary>
    public int ReceiveLimit { get; init; } = int.MaxValue;

    public List<ScriptedConnection> Opened { get; } = [];

    public ScriptedConnection Last => Opened[^1];

    public int Rented { get; private set; }

    public bool IsDisposed { get; private set; }

    public ValueTask<IFastCgiConnection> RentAsync(bool fresh, CancellationToken cancellationToken)
    {
        Rented++;
        if (fresh || !_idle.TryPop(out var connection))
        {
            connection = new(this);
            Opened.Add(connection);
            connection.Run(scripts[Math.Min(Opened.Count, scripts.Length) - 1]);
        }
        else
            connection.IsReused = true;
        return new(connection);
    }

    public void Returned(ScriptedConnection connection)
    {
        if (KeepsConnections)
            _idle.Push(connection);
        else
            connection.Dispose();
    }

    public void Dispose() => IsDisposed = true;
}

internal sealed class ScriptedConnection(ScriptedConnections connections) : IFastCgiConnection
{
    private readonly Pipe _toApplication = new(), _toProxy = new();
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsReused { get; set; }

    public bool IsDisposed { get; private set; }

    public int Returns { get; private set; }

    public int Sends { get; private set; }

    /// <summary>The script, done.</summary>
    public Task Script { get; private set; } = Task.CompletedTask;

    /// <summary>When the proxy gives the connection away, by closing it or otherwise.</summary>
    public Task Released => _released.Task;

    public void Run(Func<ScriptedConnection, Task> script) => Script = script(this);

    // The application's side.

    public async Task<SentRequest> ReadRequestAsync() => await SentRequest.ReadAsync(_toApplication.Reader) ?? throw new EndOfStreamException("There was no request.");

    public Task<SentRequest?> TryReadRequestAsync() => SentRequest.ReadAsync(_toApplication.Reader);

    public async Task<SentRequest> ReadParametersAsync() => (await SentRequest.ReadAsync(_toApplication.Reader, throughInput: false))!;

    /// <summary>The rest of a request whose parameters have been read.</summary>
    public Task<SentRequest?> ReadInputAsync(SentRequest request) => SentRequest.ReadAsync(_toApplication.Reader, begun: request);

    /// <summary>Takes what has come, whatever it is.</summary>
    public async Task ReadAvailableAsync()
    {
        var result = await _toApplication.Reader.ReadAsync();
        _toApplication.Reader.AdvanceTo(result.Buffer.End);
    }

    public async Task WriteAsync(byte[] bytes) => await _toProxy.Writer.WriteAsync(bytes);

    /// <summary>Closes the connection, as a process does that dies.</summary>
    public void Close()
    {
        _toProxy.Writer.Complete();
        _toApplication.Reader.Complete();
    }

    // The proxy's side.

    public async ValueTask<int> ReceiveAsync(Memory<byte> memory, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        var result = await _toProxy.Reader.ReadAsync(cancellationToken);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        var taken = result.Buffer.Slice(0, Math.Min(result.Buffer.Length, Math.Min(memory.Length, connections.ReceiveLimit)));
        taken.CopyTo(memory.Span);
        var length = (int)taken.Length;
        _toProxy.Reader.AdvanceTo(taken.End);
        return length;
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> memory, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        Sends++;
        var result = await _toApplication.Writer.WriteAsync(memory, cancellationToken);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (result.IsCompleted)
            throw new IOException("Broken pipe");
    }

    public void Return()
    {
        Assert.False(IsDisposed);
        Returns++;
        _released.TrySetResult();
        connections.Returned(this);
    }

    public void Dispose()
    {
        if (IsDisposed)
            return;
        IsDisposed = true;
        _released.TrySetResult();
        _toProxy.Reader.CancelPendingRead();
        _toApplication.Writer.CancelPendingFlush();
        _toApplication.Writer.Complete();
    }
}
