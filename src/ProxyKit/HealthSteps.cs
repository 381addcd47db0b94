using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that find out which destinations can be used.</summary>
public static class ProxyHealthSteps
{
    /// <summary>
    /// Takes destinations out of rotation that accept no connection (asked every 15 s) or to which requests fail, and takes them back when they recover: active checks
    /// with <see cref="HealthProbe.Tcp"/>, and passive checks. See <see cref="HealthCheckConfig"/>. HAProxy: <c>check observe layer4</c>.
    /// </summary>
    public static TBuilder WithHealthChecks<TBuilder>(this TBuilder builder)
        where TBuilder : IClusterConventionBuilder => builder.WithHealthChecks(static _ => { });

    /// <summary>The same, but asks for <paramref name="path"/>, which has to answer 200 to 299. HAProxy: <c>option httpchk</c>.</summary>
    /// <param name="builder">The route or cluster.</param>
    /// <param name="path">A path such as <c>/healthz</c>, after the destination's base path.</param>
    public static TBuilder WithHealthChecks<TBuilder>(this TBuilder builder, string path)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return builder.WithHealthChecks(options => (options.Active.Probe, options.Active.Path) = (HealthProbe.Http, path));
    }

    /// <summary>The same, with settings. Active and passive checks are both on, unless <paramref name="configure"/> switches one off.</summary>
    /// <param name="builder">The route or cluster.</param>
    /// <param name="configure">Changes the settings.</param>
    public static TBuilder WithHealthChecks<TBuilder>(this TBuilder builder, Action<ClusterHealthCheckOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithHealthChecks), cluster =>
        {
            var options = new ClusterHealthCheckOptions(cluster.HealthCheck);
            configure(options);
            return cluster with { HealthCheck = options.ToConfig() };
        });
    }
}
