using System.Collections.Frozen;

namespace ProxyKit.Discovery;

/// <summary>What the discovery of all clusters shares.</summary>
internal sealed class DiscoveryServices(IEnumerable<IDestinationSource> sources, TimeProvider time, DiscoveryLog log, DiscoveryMetrics metrics)
{
    // Of two with one name the one registered last, as everywhere in dependency injection.
    private readonly FrozenDictionary<string, IDestinationSource> _sources = sources
        .GroupBy(s => s.Name, StringComparer.OrdinalIgnoreCase).ToFrozenDictionary(g => g.Key, g => g.Last(), StringComparer.OrdinalIgnoreCase);

    public IEnumerable<string> SourceNames => _sources.Keys;

    public TimeProvider Time { get; } = time;

    public DiscoveryLog Log { get; } = log;

    public DiscoveryMetrics Metrics { get; } = metrics;

    public IDestinationSource? Find(string name) => _sources.GetValueOrDefault(name);
}
