using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that concern the connections to FastCGI applications.</summary>
public static class ProxyFastCgiConnectionSteps
{
    /// <summary>Opens at most so many connections to each destination; further requests wait in order of arrival. See <see cref="FastCgiConnectionConfig"/> for the queue's defaults.</summary>
    /// <param name="builder">The route or cluster.</param>
    /// <param name="maxConnections">At least 1; for php-fpm its <c>pm.max_children</c>, divided by the number of proxies.</param>
    public static TBuilder WithFastCgiConnections<TBuilder>(this TBuilder builder, int maxConnections)
        where TBuilder : IClusterConventionBuilder => builder.WithFastCgiConnections(connections => connections.MaxConnections = maxConnections);

    /// <summary>Sets how many connections there are to FastCGI applications, whether they are kept, and what becomes of what scripts write to their standard error.</summary>
    public static TBuilder WithFastCgiConnections<TBuilder>(this TBuilder builder, Action<FastCgiConnectionOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithFastCgiConnections), cluster =>
        {
            var now = cluster.FastCgi ?? new();
            var options = new FastCgiConnectionOptions
            {
                KeepConnections = now.KeepConnections,
                MaxConnections = now.MaxConnections,
                QueueLimit = now.QueueLimit,
                QueueTimeout = now.QueueTimeout,
                IdleTimeout = now.IdleTimeout,
                StandardError = now.StandardError,
                FailOnStandardError = now.FailOnStandardError,
            };
            configure(options);
            return cluster with
            {
                FastCgi = new()
                {
                    KeepConnections = options.KeepConnections,
                    MaxConnections = options.MaxConnections,
                    QueueLimit = options.QueueLimit,
                    QueueTimeout = options.QueueTimeout,
                    IdleTimeout = options.IdleTimeout,
                    StandardError = options.StandardError,
                    FailOnStandardError = options.FailOnStandardError,
                },
            };
        });
    }
}
