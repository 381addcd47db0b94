using Microsoft.AspNetCore.Http;
using ProxyKit.Pipeline;
using ProxyKit.Routing;

namespace ProxyKit.TrafficSplitting;

/// <summary>A route's split at run time: which of its clusters answers a request. Conditions go first, then the visitor's number decides.</summary>
internal sealed class Split
{
    private readonly RouteConfig _route;
    private readonly Cluster _main;
    private readonly Share[] _shares;
    private readonly VisitorNumber _visitor;
    private readonly SplitLog _log;

    private Split(RouteConfig route, SplitConfig config, Func<string, Cluster> clusters)
    {
        _route = route;
        _main = clusters(route.ClusterId!);
        _visitor = new(config.Sticky);
        _log = new(_main.Services.Loggers);

        // The first takes its numbers from below, the second from above, so that either grows without touching the other; any more follow on both sides.
        _shares = new Share[config.Clusters.Count];
        var (below, above, fromBelow) = (0, VisitorNumber.Count, true);
        for (var i = 0; i < _shares.Length; i++)
        {
            var entry = config.Clusters[i];
            var cluster = clusters(entry.ClusterId);
            var size = (int)Math.Round(entry.Percentage * (VisitorNumber.Count / 100));
            var first = fromBelow ? below : above -= size;
            if (fromBelow)
                below += size;
            if (cluster != _main)
                fromBelow = !fromBelow;
            _shares[i] = new(entry, cluster, first, first + size);
        }
    }

    /// <summary>Null where the route has no split.</summary>
    public static Split? Create(RouteConfig route, Func<string, Cluster> clusters) => route.Split is { } config ? new(route, config, clusters) : null;

    public Cluster Choose(HttpContext context)
    {
        foreach (var share in _shares)
        {
            if (share.Claims(context.Request))
                return share.Cluster;
        }
        var number = _visitor.Of(context);
        foreach (var share in _shares)
        {
            if (number < share.First || number >= share.End)
                continue;
            if (share.Cluster.Balancer.Available.Length > 0)
                return share.Cluster;
            _log.ShareUnavailable(_route.RouteId, share.Cluster.ClusterId, _main.ClusterId);
            break;
        }
        return _main;
    }

    /// <summary>A cluster, what it claims, and its numbers.</summary>
    private sealed class Share(SplitClusterConfig config, Cluster cluster, int first, int end)
    {
        public Cluster Cluster => cluster;

        public int First => first;

        public int End => end;

        public bool Claims(HttpRequest request)
        {
            foreach (var header in config.Headers.AsSpan())
            {
                if (HeaderMatcherPolicy.IsMatch(header, request.Headers[header.Name]))
                    return true;
            }
            foreach (var cookie in config.Cookies.AsSpan())
            {
                if (request.Cookies[cookie.Name] is { } value && (cookie.Values.Count == 0 || cookie.Values.AsSpan().Contains(value)))
                    return true;
            }
            return false;
        }
    }
}
