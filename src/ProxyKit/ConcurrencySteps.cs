using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that limit how many requests destinations are sent at once.</summary>
public static class ProxyConcurrencySteps
{
    /// <summary>Sends each destination at most so many requests at once; what is more waits. See <see cref="ConcurrencyLimitsConfig"/> for the queue's defaults.</summary>
    /// <param name="builder">The route or cluster.</param>
    /// <param name="maxPerDestination">At least 1; a destination's own <see cref="DestinationConfig.MaxConcurrentRequests"/> goes before it.</param>
    public static TBuilder WithConcurrencyLimits<TBuilder>(this TBuilder builder, int maxPerDestination)
        where TBuilder : IClusterConventionBuilder => builder.WithConcurrencyLimits(limits => limits.MaxConcurrentRequestsPerDestination = maxPerDestination);

    /// <summary>Limits how many requests the cluster and its destinations are sent at once, and sets how long what is more waits.</summary>
    public static TBuilder WithConcurrencyLimits<TBuilder>(this TBuilder builder, Action<ConcurrencyLimitsOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithConcurrencyLimits), cluster =>
        {
            var now = cluster.Limits ?? new();
            var options = new ConcurrencyLimitsOptions
            {
                MaxConcurrentRequests = now.MaxConcurrentRequests,
                MaxConcurrentRequestsPerDestination = now.MaxConcurrentRequestsPerDestination,
                QueueLimit = now.QueueLimit,
                QueueTimeout = now.QueueTimeout,
                RetryAfter = now.RetryAfter,
            };
            configure(options);
            return cluster with
            {
                Limits = new()
                {
                    MaxConcurrentRequests = options.MaxConcurrentRequests,
                    MaxConcurrentRequestsPerDestination = options.MaxConcurrentRequestsPerDestination,
                    QueueLimit = options.QueueLimit,
                    QueueTimeout = options.QueueTimeout,
                    RetryAfter = options.RetryAfter,
                },
            };
        });
    }
}
