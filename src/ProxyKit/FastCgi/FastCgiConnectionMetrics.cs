using System.Diagnostics.Metrics;
using ProxyKit.Diagnostics;

namespace ProxyKit.FastCgi;

/// <summary>The instruments of FastCGI connections, on the meter <c>ProxyKit</c>.</summary>
internal sealed class FastCgiConnectionMetrics
{
    private readonly UpDownCounter<long> _open;
    private readonly UpDownCounter<long> _queue;
    private readonly Counter<long> _rejected;
    private readonly Counter<long> _backlogFull;

    public FastCgiConnectionMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(ProxyMetrics.MeterName);
        _open = meter.CreateUpDownCounter<long>("proxykit.fastcgi.connections", "{connection}", "Open FastCGI connections, active or idle.");
        _queue = meter.CreateUpDownCounter<long>("proxykit.fastcgi.queue.length", "{request}", "Requests that wait for a FastCGI connection.");
        _rejected = meter.CreateCounter<long>("proxykit.fastcgi.queue.rejected", "{request}", "Requests that got no FastCGI connection, by reason.");
        _backlogFull = meter.CreateCounter<long>("proxykit.fastcgi.backlog_full", "{connection}", "Connections that found the application's listen backlog full and had to wait.");
    }

    /// <summary>Counts a connection elsewhere than before; <paramref name="now"/> keeps where, so that a listener who comes late sees no negative numbers.</summary>
    public void Count(ref ConnectionCount now, ConnectionCount next, FastCgiConnectionPool pool)
    {
        if (now != ConnectionCount.None)
            Add(now, -1, pool);
        now = _open.Enabled ? next : ConnectionCount.None;
        if (now != ConnectionCount.None)
            Add(now, 1, pool);
    }

    /// <summary>Whether it has been counted, so that <see cref="Dequeued"/> must be.</summary>
    public bool Queued(FastCgiConnectionPool pool)
    {
        if (!_queue.Enabled)
            return false;
        _queue.Add(1, Cluster(pool), Destination(pool));
        return true;
    }

    public void Dequeued(FastCgiConnectionPool pool) => _queue.Add(-1, Cluster(pool), Destination(pool));

    public void Rejected(ProxyError error, FastCgiConnectionPool pool)
    {
        if (_rejected.Enabled)
            _rejected.Add(1, Cluster(pool), Destination(pool), new("reason", error == ProxyError.QueueTimeout ? "timeout" : "full"));
    }

    public void BacklogFull(FastCgiConnectionPool pool)
    {
        if (_backlogFull.Enabled)
            _backlogFull.Add(1, Cluster(pool), Destination(pool));
    }

    private void Add(ConnectionCount where, long count, FastCgiConnectionPool pool) =>
        _open.Add(count, Cluster(pool), Destination(pool), new("state", where == ConnectionCount.Active ? "active" : "idle"));

    private static KeyValuePair<string, object?> Cluster(FastCgiConnectionPool pool) => new("proxykit.cluster", pool.Tags.Cluster);

    private static KeyValuePair<string, object?> Destination(FastCgiConnectionPool pool) => new("proxykit.destination", pool.Tags.Destination);
}

/// <summary>As what a connection is counted.</summary>
internal enum ConnectionCount
{
    None,
    Active,
    Idle,
}
