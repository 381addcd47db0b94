using System.Net.Sockets;

namespace ProxyKit.FastCgi;

/// <summary>
/// One connection to a FastCGI application: rented, idle or closed. An exchange that has returned it must not touch it any more, nor dispose of it: it may be somebody
/// else's by then. So whatever closes it on cancellation is to be taken away before.
/// </summary>
internal sealed class FastCgiConnection(Socket socket, FastCgiConnectionPool pool) : IFastCgiConnection
{
    private int _state;
    private ConnectionCount _count;

    /// <summary>Whether an exchange went over it before: a failure before any byte of an answer may mean that the application had closed it.</summary>
    public bool IsReused { get; private set; }

    public long IdleSince { get; private set; }

    public ValueTask<int> ReceiveAsync(Memory<byte> memory, CancellationToken cancellationToken) => socket.ReceiveAsync(memory, SocketFlags.None, cancellationToken);

    /// <summary>Sends all of it.</summary>
    public ValueTask SendAsync(ReadOnlyMemory<byte> memory, CancellationToken cancellationToken)
    {
        var sending = socket.SendAsync(memory, SocketFlags.None, cancellationToken);
        if (!sending.IsCompletedSuccessfully)
            return FinishAsync(sending, memory, cancellationToken);
        var sent = sending.Result;
        return sent == memory.Length ? ValueTask.CompletedTask : FinishAsync(new(sent), memory, cancellationToken);
    }

    /// <summary>After END_REQUEST with nothing unread: back to the pool, or closed where connections are not kept.</summary>
    public void Return() => pool.Return(this);

    /// <summary>Closes it at once and frees its slot.</summary>
    public void Dispose()
    {
        if (TryClose())
            pool.Closed();
    }

    /// <summary>Closes it without freeing its slot. False if it is closed already.</summary>
    internal bool TryClose()
    {
        if (Interlocked.Exchange(ref _state, State.Closed) == State.Closed)
            return false;
        socket.Dispose();
        pool.Metrics?.Count(ref _count, ConnectionCount.None, pool);
        return true;
    }

    internal void Opened() => pool.Metrics?.Count(ref _count, ConnectionCount.Active, pool);

    /// <summary>From rented to idle. False if it is closed.</summary>
    internal bool TryRest(long now)
    {
        IdleSince = now;
        IsReused = true;
        if (Interlocked.CompareExchange(ref _state, State.Idle, State.Rented) != State.Rented)
            return false;
        pool.Metrics?.Count(ref _count, ConnectionCount.Idle, pool);
        return true;
    }

    /// <summary>From idle to rented. False if it is good for nothing: the application has closed it, or has said something that nobody asked for.</summary>
    internal bool TryWake()
    {
        if (Interlocked.CompareExchange(ref _state, State.Rented, State.Idle) != State.Idle)
            return false;
        pool.Metrics?.Count(ref _count, ConnectionCount.Active, pool);
        try
        {
            return !socket.Poll(0, SelectMode.SelectRead);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    private async ValueTask FinishAsync(ValueTask<int> sending, ReadOnlyMemory<byte> memory, CancellationToken cancellationToken)
    {
        for (var sent = await sending; sent < memory.Length;)
            sent += await socket.SendAsync(memory[sent..], SocketFlags.None, cancellationToken);
    }

    private static class State
    {
        public const int Rented = 0, Idle = 1, Closed = 2;
    }
}
