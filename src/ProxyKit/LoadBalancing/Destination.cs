using ProxyKit.LoadBalancing;
using ProxyKit.Pipeline;

namespace ProxyKit;

/// <summary>
/// A destination at run time. It is identified by cluster and address and outlives configuration reloads, with its counters and its health.
/// </summary>
public sealed class Destination
{
    private int _activeRequests;
    private int _maxConcurrentRequests = int.MaxValue;
    private DestinationHealth _active, _passive;

    internal Destination(Cluster owner, DestinationConfig config, DestinationAddress address)
    {
        Owner = owner;
        Config = config;
        Target = address;
    }

    /// <summary>The cluster it belongs to.</summary>
    public string ClusterId => Owner.ClusterId;

    /// <summary>Its name in the cluster.</summary>
    public string Name => Config.Name ?? Config.Address;

    /// <summary>How it is configured.</summary>
    public DestinationConfig Config { get; internal set; }

    /// <summary>Requests that it is answering now.</summary>
    public int ActiveRequests => Volatile.Read(ref _activeRequests);

    /// <summary>What is known of its health, all checks together: unhealthy if one of them says so.</summary>
    public DestinationHealth Health =>
        _active == DestinationHealth.Unhealthy || _passive == DestinationHealth.Unhealthy ? DestinationHealth.Unhealthy
        : _active == DestinationHealth.Healthy || _passive == DestinationHealth.Healthy ? DestinationHealth.Healthy
        : DestinationHealth.Unknown;

    /// <summary>Whether an operator has taken it out of rotation.</summary>
    public DestinationMode Mode { get; internal set; }

    /// <summary>Its share of the requests in relation to the others': its weight, less while it starts slowly.</summary>
    public double EffectiveWeight => Config.Weight * Ramp;

    /// <summary>How many requests it is sent at once: its own limit, or what its cluster sets for each destination; null if there is none.</summary>
    public int? MaxConcurrentRequests
    {
        get => Volatile.Read(ref _maxConcurrentRequests) is < int.MaxValue and var limit ? limit : null;
        internal set => Volatile.Write(ref _maxConcurrentRequests, value ?? int.MaxValue);
    }

    /// <summary>Whether it is at its limit of concurrent requests.</summary>
    public bool IsFull => ActiveRequests >= Volatile.Read(ref _maxConcurrentRequests);

    /// <summary>
    /// A decaying average of its times to the first byte, in which a slow answer counts at once and for some ten seconds. Only where
    /// <see cref="ClusterConfig.LoadBalancingPolicy"/> is <see cref="LoadBalancingPolicies.LeastTime"/>; null before the first answer.
    /// </summary>
    public TimeSpan? AverageTimeToFirstByte => TimeToFirstByte.Value is > 0 and var seconds ? TimeSpan.FromSeconds(seconds) : null;

    internal Cluster Owner { get; }

    /// <summary>What <see cref="AverageTimeToFirstByte"/> is read from.</summary>
    internal PeakAverage TimeToFirstByte { get; } = new();

    /// <summary>Who wants to know when <see cref="ActiveRequests"/> changes: the policy in force, if it does.</summary>
    internal LoadObserver? LoadObserver { get; set; }

    /// <summary>What the active health check says.</summary>
    internal DestinationHealth ActiveHealth { get => _active; set => Change(ref _active, value); }

    /// <summary>What the requests themselves say: passive health checks, the circuit breaker.</summary>
    internal DestinationHealth PassiveHealth { get => _passive; set => Change(ref _passive, value); }

    /// <summary>Why the last probe failed; null if it did not.</summary>
    internal string? ProbeFailure { get; set; }

    /// <summary>How far a slow start has come: 0.1 to 1.</summary>
    internal double Ramp { get; set; } = 1;

    internal DestinationAddress Target { get; }

    internal void BeginRequest()
    {
        Interlocked.Increment(ref _activeRequests);
        LoadObserver?.Changed();
    }

    internal void EndRequest()
    {
        if (Owner.Limiter is { } limiter)
        {
            limiter.Release(this);
            return;
        }
        FreeSlot();
        Owner.Limiter?.Refresh(); // it has come this very moment, and somebody may wait already
    }

    /// <summary>For <see cref="EndRequest"/> and the cluster's limiter alone.</summary>
    internal void FreeSlot()
    {
        Interlocked.Decrement(ref _activeRequests);
        LoadObserver?.Changed();
    }

    private void Change(ref DestinationHealth verdict, DestinationHealth value)
    {
        var before = Health;
        verdict = value;
        if ((before == DestinationHealth.Unhealthy) != (Health == DestinationHealth.Unhealthy))
            Owner.Refresh();
    }

    /// <summary>Its name.</summary>
    public override string ToString() => Name;
}

/// <summary>What is known of a destination's health.</summary>
public enum DestinationHealth
{
    /// <summary>Not checked, or not yet.</summary>
    Unknown,

    /// <summary>It answers as it should.</summary>
    Healthy,

    /// <summary>It does not.</summary>
    Unhealthy,
}

/// <summary>Whether an operator has taken a destination out of rotation.</summary>
public enum DestinationMode
{
    /// <summary>It takes requests.</summary>
    Ready,

    /// <summary>It takes only requests of sessions that belong to it, and finishes what it has. nginx: <c>drain</c>; HAProxy: <c>set server … state drain</c>.</summary>
    Drain,

    /// <summary>It takes nothing. nginx: <c>down</c>; HAProxy: <c>set server … state maint</c>.</summary>
    Maintenance,
}
