namespace ProxyKit;

/// <summary>
/// A destination at run time. It is identified by cluster and address and outlives configuration reloads, with its counters.
/// </summary>
public sealed class Destination
{
    private int _activeRequests;

    internal Destination(string clusterId, DestinationConfig config, DestinationAddress address)
    {
        ClusterId = clusterId;
        Config = config;
        Target = address;
    }

    /// <summary>The cluster it belongs to.</summary>
    public string ClusterId { get; }

    /// <summary>Its name in the cluster.</summary>
    public string Name => Config.Name ?? Config.Address;

    /// <summary>How it is configured.</summary>
    public DestinationConfig Config { get; internal set; }

    /// <summary>Requests that it is answering now.</summary>
    public int ActiveRequests => Volatile.Read(ref _activeRequests);

    internal DestinationAddress Target { get; }

    internal void BeginRequest() => Interlocked.Increment(ref _activeRequests);

    internal void EndRequest() => Interlocked.Decrement(ref _activeRequests);

    /// <summary>Its name.</summary>
    public override string ToString() => Name;
}
