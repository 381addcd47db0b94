using Microsoft.Extensions.Diagnostics.HealthChecks;
using ProxyKit.Health;
using ProxyKit.Pipeline;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds clusters to ASP.NET Core's health checks.</summary>
public static class ProxyKitHealthChecksBuilderExtensions
{
    /// <summary>
    /// Adds a check of a cluster, named <c>proxy-</c> and the cluster's name. It is healthy while all destinations in rotation are available, degraded while some are,
    /// and unhealthy when none is or the cluster is in panic. It asks nobody anything: it tells what the cluster's own checks know.
    /// </summary>
    public static IHealthChecksBuilder AddProxyCluster(this IHealthChecksBuilder builder, string clusterId) => builder.AddProxyCluster(clusterId, static _ => { });

    /// <summary>The same, with settings.</summary>
    /// <param name="builder">What <c>AddHealthChecks()</c> returns.</param>
    /// <param name="clusterId">The cluster's name; for a route with destinations of its own its pattern.</param>
    /// <param name="configure">Sets the registration's name, tags or failure status.</param>
    public static IHealthChecksBuilder AddProxyCluster(this IHealthChecksBuilder builder, string clusterId, Action<HealthCheckRegistration> configure)
    {
        ArgumentException.ThrowIfNullOrEmpty(clusterId);
        return Add(builder, $"proxy-{clusterId}", clusterId, configure);
    }

    /// <summary>Adds one check of all clusters, named <c>proxy</c>: it is as the worst of them is.</summary>
    public static IHealthChecksBuilder AddProxyClusters(this IHealthChecksBuilder builder) => builder.AddProxyClusters(static _ => { });

    /// <summary>The same, with settings.</summary>
    /// <param name="builder">What <c>AddHealthChecks()</c> returns.</param>
    /// <param name="configure">Sets the registration's name, tags or failure status.</param>
    public static IHealthChecksBuilder AddProxyClusters(this IHealthChecksBuilder builder, Action<HealthCheckRegistration> configure) =>
        Add(builder, "proxy", null, configure);

    private static IHealthChecksBuilder Add(IHealthChecksBuilder builder, string name, string? clusterId, Action<HealthCheckRegistration> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        var registration = new HealthCheckRegistration(name, services => new ClusterHealthCheck(Clusters(services), clusterId), failureStatus: null, tags: null);
        configure(registration);
        return builder.Add(registration);
    }

    private static ClusterDirectory Clusters(IServiceProvider services) =>
        services.GetService<ClusterDirectory>()
        ?? throw new InvalidOperationException("The reverse proxy's services are missing: call builder.Services.AddReverseProxy() before builder.Build().");
}
