using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that split a route's requests between clusters.</summary>
public static class ProxySplitSteps
{
    /// <summary>Gives a share of the requests to another cluster; each request is drawn anew. Calls add up. See <see cref="SplitConfig"/>.</summary>
    /// <param name="builder">The route.</param>
    /// <param name="clusterId">The cluster that takes the share.</param>
    /// <param name="percentage">0 to 100, with two decimals at most. What is left goes to the route's own cluster.</param>
    public static ProxyRouteBuilder WithSplit(this ProxyRouteBuilder builder, string clusterId, double percentage)
    {
        ArgumentException.ThrowIfNullOrEmpty(clusterId);
        return builder.WithSplit(split => split.Clusters.Add(new() { ClusterId = clusterId, Percentage = percentage }));
    }

    /// <summary>Splits the requests between clusters: by share, header or cookie; sticky if wanted. Calls go on with what is there. See <see cref="SplitConfig"/>.</summary>
    public static ProxyRouteBuilder WithSplit(this ProxyRouteBuilder builder, Action<SplitOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.ConfigureRoute(route =>
        {
            var options = new SplitOptions { Sticky = route.Split?.Sticky };
            foreach (var cluster in route.Split?.Clusters ?? [])
                options.Clusters.Add(cluster);
            configure(options);
            return route with { Split = new() { Clusters = options.Clusters.ToValueList(), Sticky = options.Sticky } };
        });
    }
}
