using System.Collections.Frozen;
using ProxyKit.Discovery;
using ProxyKit.Health;
using ProxyKit.LoadBalancing;
using ProxyKit.Resilience;
using ProxyKit.SessionAffinity;

namespace ProxyKit.Pipeline;

/// <summary>What all clusters of an app share.</summary>
internal sealed class ClusterServices(
    IEnumerable<ILoadBalancingPolicy> policies, TimeProvider time, HealthServices health, DestinationEvents events, ResilienceTelemetry resilience,
    ConcurrencyMetrics concurrency, AffinityServices affinity, DiscoveryServices discovery,
    Microsoft.Extensions.Logging.ILoggerFactory loggers)
{
    // Of two with one name the one registered last, as everywhere in dependency injection.
    private readonly FrozenDictionary<string, ILoadBalancingPolicy> _policies = policies
        .GroupBy(p => p.Name, StringComparer.OrdinalIgnoreCase).ToFrozenDictionary(g => g.Key, g => g.Last(), StringComparer.OrdinalIgnoreCase);

    public IEnumerable<string> PolicyNames => _policies.Keys;

    public AffinityServices Affinity { get; } = affinity;

    /// <summary>Held while clusters are prepared and committed: a reload and what a name has been resolved to come one after the other.</summary>
    public Lock Updates { get; } = new();

    public DiscoveryServices Discovery { get; } = discovery;

    public TimeProvider Time { get; } = time;

    public ResilienceTelemetry Resilience { get; } = resilience;

    public HealthServices Health { get; } = health;

    public ConcurrencyMetrics Concurrency { get; } = concurrency;

    public Microsoft.Extensions.Logging.ILoggerFactory Loggers { get; } = loggers;

    public DestinationEvents Events { get; } = events;

    /// <summary>The cluster's load balancing policy; validation has seen that there is one.</summary>
    public ILoadBalancingPolicy Policy(ClusterConfig config) => _policies[config.LoadBalancingPolicy];
}
