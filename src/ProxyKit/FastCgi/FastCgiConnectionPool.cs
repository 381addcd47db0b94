using Microsoft.Extensions.Logging;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>
/// The connections to one FastCGI application. A slot is the right to have a connection, busy or idle; there are <see cref="FastCgiConnectionConfig.MaxConnections"/>.
/// Whoever finds none waits in a queue, and what becomes free is handed to the first there, so nobody overtakes.
/// </summary>
internal sealed class FastCgiConnectionPool : IDisposable
{
    private readonly FastCgiConnectionConfig _config;
    private readonly TimeProvider _time;
    private readonly Connector _connector;
    private readonly FastCgiConnectionLog _log;
    private readonly Lock _lock = new();
    private readonly List<FastCgiConnection> _idle = []; // the one used last at the end, and next
    private readonly LinkedList<Waiter> _queue = [];
    private ITimer? _sweeper;
    private bool _isSweeping;
    private int _slots;
    private volatile bool _disposed;

    public FastCgiConnectionPool(DestinationAddress address, FastCgiConnectionConfig config, TimeSpan connectTimeout, TimeProvider time, ILogger logger)
    {
        (_config, _time, _log) = (config, time, new(logger, time));
        _connector = new(address, connectTimeout, time) { OnBacklogFull = OnBacklogFull };
    }

    /// <summary>Whether the application is asked to leave connections open (FCGI_KEEP_CONN).</summary>
    public bool KeepsConnections => _config.KeepConnections && !_disposed;

    /// <summary>Where connections are counted, if anywhere; set before the first of them.</summary>
    public FastCgiConnectionMetrics? Metrics { get; set; }

    /// <summary>The attributes under which they are counted.</summary>
    public (string Cluster, string Destination) Tags { get; set; }

    /// <summary>A connection that idles, or a new one; one that is <paramref name="fresh"/> has never been used.</summary>
    /// <exception cref="UpstreamException">There is none: <see cref="ProxyError.Connect"/>, <see cref="ProxyError.NameResolution"/>, <see cref="ProxyError.ConnectTimeout"/>,
    /// <see cref="ProxyError.QueueFull"/> or <see cref="ProxyError.QueueTimeout"/>, all <see cref="FailureClass.NothingSent"/>.</exception>
    public ValueTask<FastCgiConnection> RentAsync(bool fresh, CancellationToken cancellationToken)
    {
        if (_config is { MaxConnections: null, KeepConnections: false })
            return OpenAsync(cancellationToken);
        while (true)
        {
            FastCgiConnection? idle = null;
            LinkedListNode<Waiter>? place = null;
            bool isFull;
            lock (_lock)
            {
                isFull = _slots >= _config.MaxConnections;
                // One that must not be used makes room for one that may: the oldest.
                if (_idle.Count > 0 && (!fresh || isFull))
                {
                    idle = _idle[fresh ? 0 : ^1];
                    _idle.RemoveAt(fresh ? 0 : _idle.Count - 1);
                }
                else if (!isFull)
                    _slots++;
                else if (_queue.Count < _config.QueueLimit)
                    place = _queue.AddLast(new Waiter(fresh));
            }
            if (idle is null)
                return !isFull ? OpenAsync(cancellationToken)
                    : place is null ? ValueTask.FromException<FastCgiConnection>(QueueFull()) : WaitAsync(place, cancellationToken);
            if (!fresh && idle.TryWake())
                return new(idle);
            if (!fresh)
                _log.StaleConnection(_connector.Name);
            idle.Dispose();
        }
    }

    /// <summary>Closes what idles; what is in use is closed when it is returned. It goes on to connect, but keeps nothing.</summary>
    public void Dispose()
    {
        FastCgiConnection[] idle;
        lock (_lock)
        {
            _disposed = true;
            idle = [.. _idle];
            _idle.Clear();
            _sweeper?.Dispose();
        }
        foreach (var connection in idle)
            connection.Dispose();
    }

    internal void Return(FastCgiConnection connection)
    {
        if (KeepsConnections && connection.TryRest(_time.GetTimestamp()))
        {
            Waiter? first;
            lock (_lock)
            {
                first = _queue.First?.Value;
                if (_disposed || first is { Fresh: true })
                    first = null;
                else if (first is not null)
                    _queue.RemoveFirst();
                else
                {
                    _idle.Add(connection);
                    Sweep();
                    return;
                }
            }
            if (first is not null)
            {
                first.SetResult(connection);
                return;
            }
        }
        connection.Dispose();
    }

    /// <summary>A connection is closed: its slot goes to the first who waits.</summary>
    internal void Closed()
    {
        if (_config is { MaxConnections: null, KeepConnections: false })
            return;
        Waiter? first;
        lock (_lock)
        {
            first = _queue.First?.Value;
            if (first is null)
                _slots--;
            else
                _queue.RemoveFirst();
        }
        first?.SetResult(null);
    }

    /// <summary>Connects, with a slot that is given back if that fails.</summary>
    private async ValueTask<FastCgiConnection> OpenAsync(CancellationToken cancellationToken)
    {
        FastCgiConnection? connection = null;
        try
        {
            connection = new(await _connector.ConnectAsync(cancellationToken), this);
        }
        finally
        {
            if (connection is null)
                Closed();
        }
        connection.Opened();
        return connection;
    }

    private UpstreamException QueueFull()
    {
        _log.QueueFull(_connector.Name, _config);
        Metrics?.Rejected(ProxyError.QueueFull, this);
        return new(ProxyError.QueueFull, FailureClass.NothingSent, $"All {_config.MaxConnections} connections to {_connector.Name} are in use, and {_config.QueueLimit} requests wait for one.");
    }

    private async ValueTask<FastCgiConnection> WaitAsync(LinkedListNode<Waiter> place, CancellationToken cancellationToken)
    {
        var waiter = place.Value;
        var isCounted = Metrics?.Queued(this) ?? false;
        FastCgiConnection? connection;
        try
        {
            connection = await waiter.Task.WaitAsync(_config.QueueTimeout, _time, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            if (TryLeave(place))
            {
                if (e is OperationCanceledException)
                    throw;
                _log.QueueTimeout(_connector.Name, _config);
                Metrics?.Rejected(ProxyError.QueueTimeout, this);
                throw new UpstreamException(ProxyError.QueueTimeout, FailureClass.NothingSent, $"No connection to {_connector.Name} became free within {_config.QueueTimeout}.");
            }
            // Its turn came this very moment.
            connection = await waiter.Task;
            if (e is OperationCanceledException)
            {
                if (connection is null)
                    Closed();
                else
                    GiveBack(connection);
                throw;
            }
        }
        finally
        {
            if (isCounted)
                Metrics!.Dequeued(this);
        }
        if (connection is null)
            return await OpenAsync(cancellationToken);
        if (connection.TryWake())
            return connection;
        _log.StaleConnection(_connector.Name);
        // The slot stays here; only if somebody else has closed the connection it is gone with it.
        return connection.TryClose() ? await OpenAsync(cancellationToken) : await RentAsync(fresh: true, cancellationToken);
    }

    private void GiveBack(FastCgiConnection connection)
    {
        if (connection.TryWake())
            Return(connection);
        else
            connection.Dispose();
    }

    private bool TryLeave(LinkedListNode<Waiter> place)
    {
        lock (_lock)
        {
            if (place.List is null)
                return false;
            _queue.Remove(place);
            return true;
        }
    }

    private void OnBacklogFull()
    {
        _log.BacklogFull(_connector.Name);
        Metrics?.BacklogFull(this);
    }

    // Under the lock. The timer is not moved by what comes and goes: when it fires it looks what is due, and arms itself anew.
    private void Sweep()
    {
        if (_isSweeping || _config.IdleTimeout == Timeout.InfiniteTimeSpan)
            return;
        _isSweeping = true;
        if (_sweeper is null)
        {
            using (ExecutionContext.SuppressFlow())
                _sweeper = _time.CreateTimer(static state => ((FastCgiConnectionPool)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
        var wait = _config.IdleTimeout - _time.GetElapsedTime(_idle[0].IdleSince);
        _sweeper.Change(wait < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : wait, Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        FastCgiConnection[] old;
        lock (_lock)
        {
            _isSweeping = false;
            if (_disposed)
                return;
            var count = 0;
            while (count < _idle.Count && _time.GetElapsedTime(_idle[count].IdleSince) >= _config.IdleTimeout)
                count++;
            old = [.. _idle.Take(count)];
            _idle.RemoveRange(0, count);
            if (_idle.Count > 0)
                Sweep();
        }
        foreach (var connection in old)
            connection.Dispose();
    }

    /// <summary>A request that waits for a slot (null), or a connection that comes with one.</summary>
    private sealed class Waiter(bool fresh)
        // Not on the thread of the request whose end makes way for this one.
        : TaskCompletionSource<FastCgiConnection?>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public bool Fresh => fresh;
    }
}
