using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps of the circuit breaker.</summary>
public static class ProxyCircuitBreakerSteps
{
    /// <summary>
    /// Leaves a destination alone for five seconds when half of at least twenty requests in thirty seconds have failed, then tries it with one. See
    /// <see cref="CircuitBreakerConfig"/>.
    /// </summary>
    public static TBuilder WithCircuitBreaker<TBuilder>(this TBuilder builder)
        where TBuilder : IClusterConventionBuilder => builder.WithCircuitBreaker(static _ => { });

    /// <summary>The same, with settings.</summary>
    public static TBuilder WithCircuitBreaker<TBuilder>(this TBuilder builder, Action<CircuitBreakerOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithCircuitBreaker), cluster =>
        {
            var options = new CircuitBreakerOptions(cluster.CircuitBreaker ?? new());
            configure(options);
            return cluster with { CircuitBreaker = options.ToConfig() };
        });
    }
}
