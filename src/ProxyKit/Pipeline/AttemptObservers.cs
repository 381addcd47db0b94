using ProxyKit.Health;
using ProxyKit.Resilience;

namespace ProxyKit.Pipeline;

/// <summary>Who watches a cluster's attempts. Observers belong to a configuration; what they have seen belongs to the destinations.</summary>
internal static class AttemptObservers
{
    public static IAttemptObserver[] Create(Cluster cluster, ClusterConfig config, int destinations, ILoadBalancingPolicy policy, ClusterResilience? resilience, ClusterModel? old)
    {
        var observers = new List<IAttemptObserver>();
        if (policy is IAttemptObserver watches)
            observers.Add(watches);
        if (resilience?.Observer is { } latency)
            observers.Add(latency);
        if (PassiveHealthCheck.IsEnabled(config, destinations))
        {
            // Configured alike it goes on, lest a cluster whose names are resolved every few seconds never comes to compare its destinations.
            observers.Add(old?.Observers.OfType<PassiveHealthCheck>().FirstOrDefault(c => c.Config == config.HealthCheck.Passive && c.Retries == config.Resilience?.Retries)
                ?? new PassiveHealthCheck(cluster, config));
        }
        if (config.CircuitBreaker is { } breaker)
            observers.Add(new CircuitBreakerObserver(breaker, cluster.Services));
        return [.. observers];
    }

    /// <summary>Before a model comes into force: its destinations are watched as it says, and no longer as another one said.</summary>
    public static void Attach(Cluster cluster, ClusterModel model)
    {
        foreach (var observer in model.Observers)
        {
            (observer as PassiveHealthCheck)?.Attach(model.Destinations);
            (observer as CircuitBreakerObserver)?.Attach(model.Destinations);
        }
        foreach (var gone in (cluster.Model?.Destinations ?? []).Except(model.Destinations))
        {
            cluster.Ejections.Forget(gone);
            gone.Circuit?.Dispose();
        }
        var isWatched = PassiveHealthCheck.IsEnabled(model.Config, model.Destinations.Length);
        foreach (var destination in model.Destinations)
        {
            if (!isWatched && destination.Passive is not null)
                cluster.Ejections.Detach(destination);
            if (model.Config.CircuitBreaker is null)
                CircuitBreakerObserver.Detach(destination);
        }
    }

    /// <summary>No timer of the cluster's fires any more.</summary>
    public static void Close(Cluster cluster)
    {
        cluster.Ejections.Close();
        foreach (var destination in cluster.Model?.Destinations ?? [])
            destination.Circuit?.Dispose();
    }
}
