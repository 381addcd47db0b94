using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that make names out of a cluster's destinations.</summary>
public static class ProxyDiscoverySteps
{
    /// <summary>Resolves the destinations' names in DNS, again and again, and gives each address its own share of the requests.</summary>
    public static TBuilder WithDiscovery<TBuilder>(this TBuilder builder)
        where TBuilder : IClusterConventionBuilder => builder.WithDiscovery(static _ => { });

    /// <summary>Lets a source say which real destinations stand behind the configured ones. See <see cref="DiscoveryConfig.Source"/>.</summary>
    /// <param name="builder">The route or cluster.</param>
    /// <param name="source">One of <see cref="DestinationSources"/>, or the name of a source of a package's or your own.</param>
    public static TBuilder WithDiscovery<TBuilder>(this TBuilder builder, string source)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        return builder.WithDiscovery(options => options.Source = source);
    }

    /// <summary>Lets a source say which real destinations stand behind the configured ones, with settings.</summary>
    public static TBuilder WithDiscovery<TBuilder>(this TBuilder builder, Action<DiscoveryOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithDiscovery), cluster =>
        {
            var now = cluster.Discovery ?? new();
            var options = new DiscoveryOptions
            {
                Source = now.Source,
                RefreshInterval = now.RefreshInterval,
                Timeout = now.Timeout,
                HoldTime = now.HoldTime,
                AddressFamily = now.AddressFamily,
            };
            configure(options);
            return cluster with
            {
                Discovery = new()
                {
                    Source = options.Source,
                    RefreshInterval = options.RefreshInterval,
                    Timeout = options.Timeout,
                    HoldTime = options.HoldTime,
                    AddressFamily = options.AddressFamily,
                },
            };
        });
    }
}
