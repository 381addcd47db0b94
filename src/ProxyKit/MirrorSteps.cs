using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that copy a route's requests.</summary>
public static class ProxyMirrorSteps
{
    /// <summary>Sends a copy of each request to a shadow cluster, whose answers are thrown away. See <see cref="MirrorConfig"/>.</summary>
    public static ProxyRouteBuilder WithMirror(this ProxyRouteBuilder builder, string clusterId)
    {
        ArgumentException.ThrowIfNullOrEmpty(clusterId);
        return builder.WithMirror(mirror => mirror.ClusterId = clusterId);
    }

    /// <summary>Sends copies of requests to a shadow cluster, with settings. Calls go on with what is there. See <see cref="MirrorConfig"/>.</summary>
    public static ProxyRouteBuilder WithMirror(this ProxyRouteBuilder builder, Action<MirrorOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.ConfigureRoute(route =>
        {
            var now = route.Mirror ?? new() { ClusterId = "" };
            var options = new MirrorOptions
            {
                ClusterId = now.ClusterId,
                Percentage = now.Percentage,
                MaxBodySize = now.MaxBodySize,
                Timeout = now.Timeout,
                MaxConcurrentRequests = now.MaxConcurrentRequests,
                Header = now.Header,
            };
            configure(options);
            return route with
            {
                Mirror = new()
                {
                    ClusterId = options.ClusterId,
                    Percentage = options.Percentage,
                    MaxBodySize = options.MaxBodySize,
                    Timeout = options.Timeout,
                    MaxConcurrentRequests = options.MaxConcurrentRequests,
                    Header = options.Header,
                },
            };
        });
    }
}
