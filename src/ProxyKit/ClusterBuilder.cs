namespace ProxyKit;

/// <summary>Something that has a cluster: a route with destinations of its own, or a named cluster. The steps that concern a cluster work on both.</summary>
public interface IClusterConventionBuilder
{
    /// <summary>Changes the cluster's configuration. Steps call it; so can a user's own.</summary>
    /// <param name="stepName">The step's name, for messages.</param>
    /// <param name="change">Returns the changed configuration.</param>
    void ConfigureCluster(string stepName, Func<ClusterConfig, ClusterConfig> change);
}

/// <summary>Builds a named cluster.</summary>
public sealed class ClusterBuilder : IClusterConventionBuilder
{
    internal ClusterBuilder(string clusterId) => Config = new() { ClusterId = clusterId };

    internal ClusterConfig Config { get; private set; }

    /// <summary>Adds destinations by address.</summary>
    public ClusterBuilder To(params string[] addresses)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        Config = Config with { Destinations = [.. Config.Destinations, .. addresses.Select(a => new DestinationConfig { Address = a })] };
        return this;
    }

    /// <inheritdoc/>
    public void ConfigureCluster(string stepName, Func<ClusterConfig, ClusterConfig> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        Config = change(Config);
    }
}
