using System.Collections.Frozen;

namespace ProxyKit.Pipeline;

/// <summary>The clusters in force, for who asks from outside: metrics, health checks, control.</summary>
internal sealed class ClusterDirectory
{
    private volatile FrozenDictionary<string, Cluster> _clusters = FrozenDictionary<string, Cluster>.Empty;

    public IReadOnlyList<Cluster> All => _clusters.Values;

    public Cluster? Find(string clusterId) => _clusters.GetValueOrDefault(clusterId);

    public void Publish(IEnumerable<Cluster> clusters) => _clusters = clusters.ToFrozenDictionary(c => c.ClusterId, StringComparer.OrdinalIgnoreCase);
}
