using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps of session affinity: on a route with destinations of its own, and in <c>AddCluster</c>, alike.</summary>
public static class ProxySessionAffinitySteps
{
    /// <summary>
    /// Sends the requests of one session to one destination, by a cookie that needs no keys and that all proxy instances understand
    /// (<see cref="SessionAffinityPolicies.HashCookie"/>).
    /// </summary>
    public static TBuilder WithSessionAffinity<TBuilder>(this TBuilder builder)
        where TBuilder : IClusterConventionBuilder => builder.WithSessionAffinity(static _ => { });

    /// <summary>Sends the requests of one session to one destination, by a cookie of this name.</summary>
    /// <param name="builder">The route or cluster.</param>
    /// <param name="cookieName">The cookie that the proxy sets; no other cluster on the same host should have one of that name.</param>
    public static TBuilder WithSessionAffinity<TBuilder>(this TBuilder builder, string cookieName)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentException.ThrowIfNullOrEmpty(cookieName);
        return builder.WithSessionAffinity(options => options.AffinityKeyName = cookieName);
    }

    /// <summary>Sends the requests of one session to one destination. See <see cref="SessionAffinityConfig"/>.</summary>
    public static TBuilder WithSessionAffinity<TBuilder>(this TBuilder builder, Action<SessionAffinityOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithSessionAffinity), cluster =>
        {
            var options = new SessionAffinityOptions(cluster.SessionAffinity ?? new());
            configure(options);
            return cluster with { SessionAffinity = options.ToConfig() };
        });
    }
}
