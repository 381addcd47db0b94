using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that take destinations out of rotation by how requests fare.</summary>
public static class ProxyPassiveHealthSteps
{
    /// <summary>
    /// Ejects a destination after five failures in a row, or when 30 % or more of at least ten requests in a minute have failed: for a minute at first, longer when it
    /// happens again. See <see cref="PassiveHealthCheckConfig"/>.
    /// </summary>
    public static TBuilder WithPassiveHealthChecks<TBuilder>(this TBuilder builder)
        where TBuilder : IClusterConventionBuilder => builder.WithPassiveHealthChecks(static _ => { });

    /// <summary>The same, with so many failures in a row. nginx: <c>max_fails</c>.</summary>
    /// <param name="builder">The route or cluster.</param>
    /// <param name="consecutiveFailures">1 or more; 0 leaves it to the failure rate alone.</param>
    public static TBuilder WithPassiveHealthChecks<TBuilder>(this TBuilder builder, int consecutiveFailures)
        where TBuilder : IClusterConventionBuilder => builder.WithPassiveHealthChecks(p => p.ConsecutiveFailures = consecutiveFailures);

    /// <summary>Ejects destinations to which requests fail. See <see cref="PassiveHealthCheckConfig"/>.</summary>
    public static TBuilder WithPassiveHealthChecks<TBuilder>(this TBuilder builder, Action<PassiveHealthCheckOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithPassiveHealthChecks), cluster =>
        {
            var options = new PassiveHealthCheckOptions(cluster.HealthCheck.Passive);
            configure(options);
            return cluster with { HealthCheck = cluster.HealthCheck with { Passive = options.ToConfig() } };
        });
    }

    /// <summary>Ejects a destination whose success rate is far below the others', beside what <c>WithPassiveHealthChecks</c> does. See <see cref="OutlierEjectionConfig"/>.</summary>
    public static TBuilder WithOutlierEjection<TBuilder>(this TBuilder builder)
        where TBuilder : IClusterConventionBuilder => builder.WithOutlierEjection(static _ => { });

    /// <summary>The same, with settings.</summary>
    public static TBuilder WithOutlierEjection<TBuilder>(this TBuilder builder, Action<OutlierEjectionOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithOutlierEjection), cluster =>
        {
            var passive = cluster.HealthCheck.Passive;
            var options = new OutlierEjectionOptions(passive.OutlierEjection ?? new());
            configure(options);
            return cluster with { HealthCheck = cluster.HealthCheck with { Passive = passive with { Enabled = true, OutlierEjection = options.ToConfig() } } };
        });
    }
}
