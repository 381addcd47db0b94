using System.Collections.Frozen;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace ProxyKit.SessionAffinity;

/// <summary>What the session affinity of all clusters shares.</summary>
internal sealed class AffinityServices(IEnumerable<ISessionAffinityPolicy> policies, IMeterFactory meters, ILoggerFactory loggers)
{
    // Of two with one name the one registered last, as everywhere in dependency injection.
    private readonly FrozenDictionary<string, ISessionAffinityPolicy> _policies = policies
        .GroupBy(p => p.Name, StringComparer.OrdinalIgnoreCase).ToFrozenDictionary(g => g.Key, g => g.Last(), StringComparer.OrdinalIgnoreCase);

    public IEnumerable<string> PolicyNames => _policies.Keys;

    public AffinityMetrics Metrics { get; } = new(meters);

    public AffinityLog Log { get; } = new(loggers);

    public ISessionAffinityPolicy? Find(string name) => _policies.GetValueOrDefault(name);
}
