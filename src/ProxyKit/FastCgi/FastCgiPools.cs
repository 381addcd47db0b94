using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace ProxyKit.FastCgi;

/// <summary>The FastCGI connections of a cluster, a handler for each destination; a request's URI names it by its authority.</summary>
internal sealed class FastCgiPools(ClusterConfig cluster, Func<string, DestinationAddress> addresses, TimeProvider time, ILogger logger) : HttpMessageHandler
{
    private readonly ConcurrentDictionary<string, HttpMessageInvoker> _handlers = new(StringComparer.OrdinalIgnoreCase);

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        _handlers.GetOrAdd(request.RequestUri!.Authority, static (authority, pools) => pools.Create(authority), this).SendAsync(request, cancellationToken);

    private HttpMessageInvoker Create(string authority) =>
        new(new FastCgiHandler(addresses(authority), cluster.FastCgi ?? new(), cluster.Timeouts.Connect, time, logger));
}
