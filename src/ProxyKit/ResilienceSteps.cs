using Polly;
using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that concern what is done when a destination fails.</summary>
public static class ProxyResilienceSteps
{
    /// <summary>
    /// Switches off what a cluster with several destinations does by default when one of them is down: passive health checks, and one further attempt for a request that
    /// could not be sent. See <see cref="ClusterConfig.Failover"/>.
    /// </summary>
    public static TBuilder WithoutFailover<TBuilder>(this TBuilder builder)
        where TBuilder : IClusterConventionBuilder => builder.Step(nameof(WithoutFailover), static cluster => cluster with { Failover = false });

    /// <summary>Retries failed requests on the other destinations, each of them once and at least two times. See <see cref="RetryConfig"/>.</summary>
    public static TBuilder WithRetries<TBuilder>(this TBuilder builder)
        where TBuilder : IClusterConventionBuilder => builder.WithRetries(static _ => { });

    /// <summary>Tries other destinations when one fails. See <see cref="RetryConfig"/>.</summary>
    /// <param name="builder">The route or cluster.</param>
    /// <param name="maxRetryAttempts">How many further attempts a request has, 1 to 16.</param>
    public static TBuilder WithRetries<TBuilder>(this TBuilder builder, int maxRetryAttempts)
        where TBuilder : IClusterConventionBuilder => builder.WithRetries(retries => retries.MaxRetryAttempts = maxRetryAttempts);

    /// <summary>Tries other destinations when one fails. See <see cref="RetryConfig"/>.</summary>
    public static TBuilder WithRetries<TBuilder>(this TBuilder builder, Action<RetryOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithRetries), cluster =>
        {
            var now = cluster.Resilience?.Retries ?? new();
            var options = new RetryOptions
            {
                MaxRetryAttempts = now.MaxRetryAttempts,
                PerTryTimeout = now.PerTryTimeout,
                Statuses = [.. now.Statuses],
                NonIdempotent = now.NonIdempotent,
                MaxBodySize = now.MaxBodySize,
                Delay = now.Delay,
                MaxDelay = now.MaxDelay,
                BudgetRatio = now.BudgetRatio,
                BudgetMinimum = now.BudgetMinimum,
            };
            configure(options);
            return cluster with
            {
                Resilience = (cluster.Resilience ?? new()) with
                {
                    Retries = new()
                    {
                        MaxRetryAttempts = options.MaxRetryAttempts,
                        PerTryTimeout = options.PerTryTimeout,
                        Statuses = options.Statuses.ToValueList(),
                        NonIdempotent = options.NonIdempotent,
                        MaxBodySize = options.MaxBodySize,
                        Delay = options.Delay,
                        MaxDelay = options.MaxDelay,
                        BudgetRatio = options.BudgetRatio,
                        BudgetMinimum = options.BudgetMinimum,
                    },
                },
            };
        });
    }

    /// <summary>Asks a second destination when the first has not answered after half a second. See <see cref="HedgingConfig"/>.</summary>
    public static TBuilder WithHedging<TBuilder>(this TBuilder builder)
        where TBuilder : IClusterConventionBuilder => builder.WithHedging(static _ => { });

    /// <summary>Asks a second destination when the first has not answered after a while. See <see cref="HedgingConfig"/>.</summary>
    public static TBuilder WithHedging<TBuilder>(this TBuilder builder, TimeSpan delay)
        where TBuilder : IClusterConventionBuilder => builder.WithHedging(hedging => hedging.Delay = delay);

    /// <summary>Asks a second destination when the first has not answered after a while. See <see cref="HedgingConfig"/>.</summary>
    public static TBuilder WithHedging<TBuilder>(this TBuilder builder, Action<HedgingOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithHedging), cluster =>
        {
            var now = cluster.Resilience?.Hedging ?? new();
            var options = new HedgingOptions { Delay = now.Delay, Percentile = now.Percentile, MaxHedgedAttempts = now.MaxHedgedAttempts };
            configure(options);
            return cluster with
            {
                Resilience = (cluster.Resilience ?? new()) with
                {
                    Hedging = new() { Delay = options.Delay, Percentile = options.Percentile, MaxHedgedAttempts = options.MaxHedgedAttempts },
                },
            };
        });
    }

    /// <summary>
    /// Uses a Polly pipeline of your own, in place of retries and hedging. Each execution of its callback is one attempt at the next destination; what it returns goes to the client.
    /// A request body is kept for repetition up to 64 KB.
    /// </summary>
    public static TBuilder WithResiliencePipeline<TBuilder>(this TBuilder builder, Action<ResiliencePipelineBuilder<HttpResponseMessage>> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithResiliencePipeline), cluster => cluster with { Resilience = (cluster.Resilience ?? new()) with { Pipeline = configure } });
    }
}
