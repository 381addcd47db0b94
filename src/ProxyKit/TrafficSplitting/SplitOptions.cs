namespace ProxyKit;

/// <summary>A route's split; see <see cref="SplitConfig"/>.</summary>
public sealed class SplitOptions
{
    /// <inheritdoc cref="SplitConfig.Clusters"/>
    public IList<SplitClusterConfig> Clusters { get; } = [];

    /// <inheritdoc cref="SplitConfig.Sticky"/>
    public SplitStickyConfig? Sticky { get; set; }
}
