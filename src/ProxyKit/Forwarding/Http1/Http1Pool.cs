namespace ProxyKit.Forwarding.Http1;

/// <summary>The connections to one destination: the one used last is used next, so that superfluous ones grow old and are closed.</summary>
internal sealed class Http1Pool : IDisposable
{
    private readonly Connector _connector;
    private readonly HttpClientConfig _config;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim? _slots;
    private readonly ITimer _sweeper;
    private readonly Lock _lock = new();
    private readonly List<Http1Connection> _idle = [];
    private bool _disposed;

    public Http1Pool(DestinationAddress target, ClusterConfig cluster, TimeProvider time)
    {
        _connector = new(target, cluster.Timeouts.Connect, time);
        _config = cluster.HttpClient;
        _time = time;
        if (_config.MaxConnectionsPerServer is { } limit)
            _slots = new(limit, limit);
        var period = TimeSpan.FromSeconds(5);
        using (ExecutionContext.SuppressFlow())
            _sweeper = time.CreateTimer(static state => ((Http1Pool)state!).Sweep(), this, period, period);
    }

    public long Now => _time.GetTimestamp();

    /// <summary>Waits for <paramref name="task"/>, but not for longer.</summary>
    public async Task WaitAsync(Task task, TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            await task.WaitAsync(limit, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
        }
    }

    public int MaxHeadBytes => _config.MaxResponseHeadersLength * 1024;

    /// <summary>A connection that idles, or a new one.</summary>
    public ValueTask<Http1Connection> RentAsync(bool fresh, CancellationToken cancellationToken) =>
        _slots is null && !fresh && TryTake() is { } idle ? new(idle) : RentSlowAsync(fresh, cancellationToken);

    private async ValueTask<Http1Connection> RentSlowAsync(bool fresh, CancellationToken cancellationToken)
    {
        if (_slots is not null)
            await _slots.WaitAsync(cancellationToken);
        if (!fresh && TryTake() is { } idle)
            return idle;
        try
        {
            return new(await _connector.ConnectAsync(cancellationToken), this);
        }
        catch
        {
            _slots?.Release();
            throw;
        }
    }

    public void Return(Http1Connection connection)
    {
        var keep = false;
        lock (_lock)
        {
            if (!_disposed)
            {
                _idle.Add(connection);
                keep = true;
            }
        }
        if (!keep)
            connection.Dispose();
        _slots?.Release();
    }

    /// <summary>A connection that was rented is no more.</summary>
    public void Closed() => _slots?.Release();

    /// <summary>Closes what idles; what is in use is closed when it is returned.</summary>
    public void Dispose()
    {
        Http1Connection[] idle;
        lock (_lock)
        {
            _disposed = true;
            idle = [.. _idle];
            _idle.Clear();
        }
        _sweeper.Dispose();
        foreach (var connection in idle)
            connection.Dispose();
    }

    // The one that was used last and is still good for an exchange; those that are not are closed on the way.
    private Http1Connection? TryTake()
    {
        while (true)
        {
            Http1Connection connection;
            lock (_lock)
            {
                if (_idle.Count == 0)
                    return null;
                connection = _idle[^1];
                _idle.RemoveAt(_idle.Count - 1);
            }
            if (connection.IsAlive && !IsTooOld(connection, _time.GetTimestamp()))
                return connection;
            connection.Dispose();
        }
    }

    private bool IsTooOld(Http1Connection connection, long now)
    {
        var idle = _time.GetElapsedTime(connection.IdleSince, now);
        return (_config.PooledConnectionIdleTimeout != Timeout.InfiniteTimeSpan && idle >= _config.PooledConnectionIdleTimeout)
            || (connection.KeepAlive is { } announced && idle >= announced)
            || (_config.PooledConnectionLifetime != Timeout.InfiniteTimeSpan && _time.GetElapsedTime(connection.CreatedAt, now) >= _config.PooledConnectionLifetime);
    }

    private void Sweep()
    {
        List<Http1Connection>? old = null;
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            for (var i = _idle.Count - 1; i >= 0; i--)
            {
                if (_idle[i].IsAlive && !IsTooOld(_idle[i], now))
                    continue;
                (old ??= []).Add(_idle[i]);
                _idle.RemoveAt(i);
            }
        }
        foreach (var connection in old ?? [])
            connection.Dispose();
    }
}
