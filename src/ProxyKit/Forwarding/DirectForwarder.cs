using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;
using ProxyKit.Forwarding.Http1;
using ProxyKit.Pipeline;
using ProxyKit.Transforms;

namespace ProxyKit;

/// <summary>Forwards a request of an app's own endpoint or middleware. Take it from dependency injection.</summary>
public interface IProxyForwarder
{
    /// <summary>Forwards the request as a route would, with its defaults.</summary>
    /// <param name="context">The request. Its response must not have started.</param>
    /// <param name="destination">An address such as <c>http://localhost:5001/base</c>. The request's path and query follow it.</param>
    /// <remarks>Errors are answered too. What became of the request: <see cref="ProxyContextExtensions.GetProxyContext"/>.</remarks>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is not an address.</exception>
    /// <exception cref="InvalidOperationException">The response has started, or its status is not 200.</exception>
    Task ForwardAsync(HttpContext context, string destination);

    /// <summary>Forwards the request with these transforms.</summary>
    /// <param name="context">The request. Its response must not have started.</param>
    /// <param name="destination">An address.</param>
    /// <param name="transforms">Made once with <see cref="TransformBuilder.Build"/>, not anew for each request.</param>
    /// <remarks>Errors are answered too. What became of the request: <see cref="ProxyContextExtensions.GetProxyContext"/>.</remarks>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is not an address, or a transform is invalid.</exception>
    /// <exception cref="InvalidOperationException">The response has started, or its status is not 200.</exception>
    Task ForwardAsync(HttpContext context, string destination, ValueList<Transform> transforms);
}

internal sealed class DirectForwarder(HttpHandlerFactory handlers, ForwarderServices services, ClusterServices clusterServices) : IProxyForwarder, IDisposable
{
    private const string Id = "(direct)";
    private const int MaxCached = 1024;

    private readonly ConcurrentDictionary<string, Cluster> _clusters = new();
    private readonly ConcurrentDictionary<ValueList<Transform>, Forwarder> _forwarders = new(ReferenceEqualityComparer.Instance);
    private readonly HttpMessageInvoker _invoker = handlers.Create(new ClusterConfig { ClusterId = Id });
    private readonly Http1Pools? _http1 = handlers.CreateHttp1(new ClusterConfig { ClusterId = Id });

    public Task ForwardAsync(HttpContext context, string destination) => ForwardAsync(context, destination, ValueList<Transform>.Empty);

    public async Task ForwardAsync(HttpContext context, string destination, ValueList<Transform> transforms)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(transforms);
        if (context.Response.HasStarted)
            throw new InvalidOperationException("The response has started; the request can no longer be forwarded.");
        if (context.Response.StatusCode != StatusCodes.Status200OK)
            throw new InvalidOperationException($"The response's status is {context.Response.StatusCode} already; a request that has been answered is not forwarded.");

        // What an app passes may come from its requests: what is kept is bounded.
        if (!_clusters.TryGetValue(destination, out var cluster))
        {
            cluster = CreateCluster(destination, isKept: _clusters.Count < MaxCached);
            if (_clusters.Count < MaxCached)
                cluster = _clusters.GetOrAdd(destination, cluster);
        }
        if (!_forwarders.TryGetValue(transforms, out var forwarder))
        {
            Check(transforms);
            forwarder = new(new RouteConfig { RouteId = Id, ClusterId = Id, Transforms = transforms }, services);
            if (_forwarders.Count < MaxCached)
                _forwarders.TryAdd(transforms, forwarder);
        }

        var proxy = new ProxyContext(forwarder.Route, cluster, services.Clocks.Time.GetTimestamp());
        context.Features.Set(proxy);
        services.DataRate.Apply(context);
        await ResponseEnd.FlushAfter(forwarder.ForwardAsync(context, proxy), context, proxy);
    }

    public void Dispose() => _http1?.Dispose();

    // Those of routes are checked at start-up.
    private static void Check(ValueList<Transform> transforms)
    {
        var errors = new List<string>();
        foreach (var transform in transforms)
            TransformValidator.Validate("Forwarding", transform, new(), errors);
        if (errors.Count > 0)
            throw new ArgumentException(string.Join(Environment.NewLine, errors), nameof(transforms));
    }

    private Cluster CreateCluster(string destination, bool isKept)
    {
        if (!DestinationAddress.TryParse(destination, out var address))
            throw new ArgumentException($"'{destination}' is not a destination address. Allowed are {DestinationAddress.Allowed}.", nameof(destination));
        if (address.IsFastCgi)
            throw new ArgumentException($"'{destination}' speaks FastCGI, which needs a route or a cluster: app.MapProxy(…, \"{destination}\").", nameof(destination));
        var config = new ClusterConfig { ClusterId = Id, Destinations = [new DestinationConfig { Address = destination }] };
        handlers.Register(address);
        // Our own transport has a pool for each destination object; SocketsHttpHandler pools by address.
        var http1 = isKept ? _http1 : null;
        var cluster = new Cluster(Id, handlers, clusterServices);
        cluster.Commit(new(config, [new Destination(cluster, config.Destinations[0], address)], _invoker, http1, new HttpTransport(_invoker, http1, fastCgi: null, config.HttpRequest), clusterServices.Policy(config)));
        return cluster;
    }
}
