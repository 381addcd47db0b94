using ProxyKit.Pipeline;

namespace ProxyKit.Discovery;

/// <summary>Keeps real destinations in the place of a cluster's configured ones. All of it happens under <see cref="ClusterServices.Updates"/>.</summary>
internal sealed class ClusterDiscovery(Cluster cluster)
{
    private DestinationDiscovery[] _running = [];

    /// <summary>Ends when each source has answered, or failed, at least once.</summary>
    public Task Asked => Task.WhenAll(_running.Select(r => r.Asked));

    /// <summary>The destinations that a configuration has by what is known now.</summary>
    public ValueList<DestinationConfig> Resolve(ClusterConfig config, ValueList<DestinationConfig>? inForce)
    {
        if (config.Discovery is not { } discovery)
            return config.Destinations;
        var result = new ResolvedConfig();
        var pending = false;
        foreach (var configured in config.Destinations)
        {
            var running = Find(new(config.ClusterId, configured, discovery));
            pending |= running is not { HasAsked: true };
            foreach (var resolved in running?.Known ?? [])
                result.Add(configured, resolved);
        }
        // A reload that brings new names does not leave the cluster empty for the moment until they are resolved.
        return result.Destinations is { Count: > 0 } destinations ? destinations : pending ? inForce ?? [] : [];
    }

    /// <summary>Asks for what this configuration names, and for nothing else.</summary>
    public void Follow(ClusterConfig config)
    {
        if (config.Discovery is null && _running.Length == 0)
            return;
        var old = _running;
        _running = config.Discovery is not { } discovery ? [] : [.. config.Destinations.Select(d =>
        {
            var query = new DiscoveryQuery(config.ClusterId, d, discovery);
            var before = Find(query);
            // A question that has changed is asked anew; the answer to the former holds until then.
            return before?.Query == query ? before : new DestinationDiscovery(cluster, query, before);
        })];
        foreach (var gone in old.Except(_running))
            gone.Stop();
        foreach (var added in _running.Except(old))
            added.Start();
        if (config.Discovery is not null)
            cluster.Services.Discovery.Metrics.Destinations(config.ClusterId, cluster.Model!.Destinations.Length);
    }

    public void Stop()
    {
        foreach (var running in _running)
            running.Stop();
        _running = [];
    }

    private DestinationDiscovery? Find(DiscoveryQuery query) => Array.Find(_running, r =>
        r.Query.Destination.Address == query.Destination.Address && r.Query.Discovery.Source.Equals(query.Discovery.Source, StringComparison.OrdinalIgnoreCase));
}
