using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace ProxyKit.Forwarding;

/// <summary>Opens connections to one destination, each within <paramref name="timeout"/>.</summary>
[SuppressMessage("Design", "CA1001", Justification = "A SemaphoreSlim without a wait handle has nothing to dispose of.")]
internal sealed class Connector(DestinationAddress target, TimeSpan timeout, TimeProvider time)
{
    private const double FirstPause = 1, LongestPause = 25; // ms

    private readonly EndPoint _endPoint = EndPointOf(target);
    private readonly SemaphoreSlim _turn = new(1, 1);
    private int _waiting;

    /// <summary>Told of each connection that finds the listen backlog full.</summary>
    public Action? OnBacklogFull { get; init; }

    /// <summary>What log lines and errors call the destination.</summary>
    public string Name { get; } = target.UnixSocketPath ?? target.Authority;

    /// <exception cref="UpstreamException">Nobody listens, the name is not resolved, or the time is up.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> is cancelled.</exception>
    public async ValueTask<Socket> ConnectAsync(CancellationToken cancellationToken)
    {
        // A Unix socket is connected at once or not at all (connect(2)), so this needs no clock. Who found the backlog full before goes first.
        var isUnix = target.UnixSocketPath is not null;
        if (isUnix && Volatile.Read(ref _waiting) == 0 && await TryConnectAsync(cancellationToken) is { } connected)
            return connected;
        using var limit = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return (isUnix ? null : await TryConnectAsync(either.Token)) ?? await WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new UpstreamException(ProxyError.ConnectTimeout, FailureClass.NothingSent, $"No connection to {Name} within {timeout}.");
        }
    }

    // The kernel says no (EAGAIN) and never that there is room again. One asks, in short intervals, for all that wait; they get connections in order of arrival.
    private async ValueTask<Socket> WaitAsync(CancellationToken cancellationToken)
    {
        OnBacklogFull?.Invoke();
        Interlocked.Increment(ref _waiting);
        try
        {
            await _turn.WaitAsync(cancellationToken);
            try
            {
                for (var pause = FirstPause; ; pause = Math.Min(pause * 2, LongestPause))
                {
                    if (await TryConnectAsync(cancellationToken) is { } socket)
                        return socket;
                    await Task.Delay(TimeSpan.FromMilliseconds(pause * (0.5 + Random.Shared.NextDouble())), time, cancellationToken);
                }
            }
            finally
            {
                _turn.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>Null if the listen backlog is full.</summary>
    private async ValueTask<Socket?> TryConnectAsync(CancellationToken cancellationToken)
    {
        var socket = _endPoint switch
        {
            UnixDomainSocketEndPoint => new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified),
            IPEndPoint ip => new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
            _ => new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
        };
        try
        {
            if (_endPoint is UnixDomainSocketEndPoint)
            {
                socket.Blocking = false; // asks once and does not wait, without what ConnectAsync prepares for waiting
                socket.Connect(_endPoint);
            }
            else
                await socket.ConnectAsync(_endPoint, cancellationToken);
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            if (e.SocketErrorCode == SocketError.WouldBlock)
                return null;
            var isName = e.SocketErrorCode is SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData or SocketError.NoRecovery;
            throw new UpstreamException(isName ? ProxyError.NameResolution : ProxyError.Connect, FailureClass.NothingSent, Reason(e), e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    // .NET has no word for a socket that is not there, and takes one for addresses.
    private string Reason(SocketException exception) => (target.UnixSocketPath, exception.SocketErrorCode) switch
    {
        ({ } path, SocketError.AddressNotAvailable) => $"there is no socket {path}: does the application run, and listen there?",
        ({ } path, SocketError.AccessDenied) => $"this process's user may not write to the socket {path}, or not enter a folder on the way to it",
        ({ } path, SocketError.ConnectionRefused) => $"nobody listens at the socket {path}",
        _ => $"{exception.Message} ({Name})",
    };

    private static EndPoint EndPointOf(DestinationAddress target)
    {
        if (target.UnixSocketPath is { } path)
            return new UnixDomainSocketEndPoint(path);
        var (host, port) = target.HostAndPort;
        return IPAddress.TryParse(host.Trim('[', ']'), out var address) ? new IPEndPoint(address, port) : new DnsEndPoint(host, port);
    }
}
