using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps for load balancing by a hash: each sets the cluster's policy to <see cref="LoadBalancingPolicies.Hash"/>.</summary>
public static class ProxyHashSteps
{
    /// <summary>Sends each client to the same destination, by its address. See <see cref="ClusterConfig.Hash"/>.</summary>
    public static TBuilder WithHashing<TBuilder>(this TBuilder builder)
        where TBuilder : IClusterConventionBuilder => builder.WithHashing(HashSource.ClientIp);

    /// <summary>Sends requests with the same address, path or URL to the same destination. See <see cref="ClusterConfig.Hash"/>.</summary>
    public static TBuilder WithHashing<TBuilder>(this TBuilder builder, HashSource source)
        where TBuilder : IClusterConventionBuilder => builder.WithHashing(hash => hash.Source = source);

    /// <summary>Sends requests with the same value of a header, cookie or query parameter to the same destination. See <see cref="ClusterConfig.Hash"/>.</summary>
    /// <param name="builder">The route or cluster.</param>
    /// <param name="source"><see cref="HashSource.Header"/>, <see cref="HashSource.Cookie"/> or <see cref="HashSource.Query"/>.</param>
    /// <param name="name">Its name.</param>
    public static TBuilder WithHashing<TBuilder>(this TBuilder builder, HashSource source, string name)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return builder.WithHashing(hash => (hash.Source, hash.Name) = (source, name));
    }

    /// <summary>Sends requests with the same key to the same destination. See <see cref="ClusterConfig.Hash"/>.</summary>
    public static TBuilder WithHashing<TBuilder>(this TBuilder builder, Action<HashOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithHashing), cluster =>
        {
            var now = cluster.Hash ?? new();
            var options = new HashOptions { Source = now.Source, Name = now.Name, Key = now.Key, BoundedLoadFactor = now.BoundedLoadFactor };
            configure(options);
            return cluster with
            {
                LoadBalancingPolicy = LoadBalancingPolicies.Hash,
                Hash = new() { Source = options.Source, Name = options.Name, Key = options.Key, BoundedLoadFactor = options.BoundedLoadFactor },
            };
        });
    }
}
