using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>The FastCGI connections of a cluster, a handler for each destination; a request's URI names it by its authority.</summary>
internal sealed class FastCgiPools(ClusterConfig cluster, Func<string, DestinationAddress> addresses, TimeProvider time, ILogger logger, FastCgiConnectionMetrics? metrics) : HttpMessageHandler
{
    private readonly ConcurrentDictionary<string, FastCgiHandler> _handlers = new(StringComparer.OrdinalIgnoreCase);
    private readonly Lock _lock = new();
    private bool _disposed;

    /// <summary>Closes the pools of destinations that are no more.</summary>
    public void Keep(IEnumerable<Destination> destinations)
    {
        foreach (var gone in _handlers.Keys.Except(destinations.Select(d => d.Target.Authority), StringComparer.OrdinalIgnoreCase).ToArray())
        {
            if (_handlers.TryRemove(gone, out var handler))
                handler.Pool.Dispose();
        }
    }

    /// <summary>Sends a request without messages.</summary>
    public ValueTask<UpstreamResponse?> SendAsync(PreparedRequest request, Destination destination, InterimRelay interim, CancellationToken cancellationToken) =>
        For(destination.Target.Authority).ForwardAsync(request, destination, interim, cancellationToken);

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        For(request.RequestUri!.Authority).ForwardAsync(request, cancellationToken);

    private FastCgiHandler For(string authority) => _handlers.TryGetValue(authority, out var handler) ? handler : Add(authority);

    /// <summary>Closes what idles, since each idle connection keeps a worker from others; requests under way finish.</summary>
    protected override void Dispose(bool disposing)
    {
        lock (_lock)
        {
            _disposed = true;
            foreach (var handler in _handlers.Values)
                handler.Pool.Dispose();
        }
        base.Dispose(disposing);
    }

    private FastCgiHandler Add(string authority)
    {
        lock (_lock)
        {
            if (_handlers.TryGetValue(authority, out var handler))
                return handler;
            var address = addresses(authority);
            handler = new FastCgiHandler(address, cluster.FastCgi ?? new(), cluster.Timeouts.Connect, time, logger);
            handler.Pool.Metrics = metrics;
            handler.Pool.Tags = (cluster.ClusterId, Name(address));
            if (_disposed)
                handler.Pool.Dispose(); // connects, but keeps nothing
            return _handlers[authority] = handler;
        }
    }

    private string Name(DestinationAddress address)
    {
        foreach (var destination in cluster.Destinations)
        {
            if (destination.Name is { } name && DestinationAddress.TryParse(destination.Address, out var other) && other == address)
                return name;
        }
        return $"fastcgi://{(address.UnixSocketPath is { } path ? $"unix:{path}" : address.Authority)}";
    }
}
