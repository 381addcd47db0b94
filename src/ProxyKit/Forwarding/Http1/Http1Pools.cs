using System.Collections.Concurrent;

namespace ProxyKit.Forwarding.Http1;

/// <summary>The HTTP/1.1 connections of a cluster, a pool for each destination.</summary>
internal sealed class Http1Pools(ClusterConfig cluster, TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<Destination, Http1Pool> _pools = new();
    private readonly Lock _lock = new();
    private bool _disposed;

    public Http1Pool For(Destination destination) => _pools.TryGetValue(destination, out var pool) ? pool : Add(destination);

    /// <summary>Closes what idles; requests under way finish.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            foreach (var pool in _pools.Values)
                pool.Dispose();
        }
    }

    /// <summary>Closes the pools of destinations that are no more.</summary>
    public void Keep(IReadOnlyCollection<Destination> destinations)
    {
        foreach (var gone in _pools.Keys.Except(destinations).ToArray())
        {
            if (_pools.TryRemove(gone, out var pool))
                pool.Dispose();
        }
    }

    private Http1Pool Add(Destination destination)
    {
        lock (_lock)
        {
            var pool = _pools.GetOrAdd(destination, d => new Http1Pool(d.Target, cluster, time));
            if (_disposed)
                pool.Dispose(); // connects, but keeps nothing
            return pool;
        }
    }
}
