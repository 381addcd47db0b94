using ProxyKit.Health;
using ProxyKit.LoadBalancing;
using ProxyKit.Pipeline;
using ProxyKit.Resilience;

namespace ProxyKit;

/// <summary>
/// A destination at run time. It is identified by cluster and address and outlives configuration reloads, with its counters and its health.
/// </summary>
public sealed class Destination
{
    private readonly Lock _verdicts = new();
    private int _activeRequests;
    private int _maxConcurrentRequests = int.MaxValue;
    private DestinationHealth _active, _passive;
    private CircuitState _circuit;
    private TaskCompletionSource? _idle;

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

    /// <summary>What is known of its health, all checks together: unhealthy if one of them says so, or the circuit breaker is open.</summary>
    public DestinationHealth Health =>
        _active == DestinationHealth.Unhealthy || _passive == DestinationHealth.Unhealthy || _circuit == CircuitState.Open ? DestinationHealth.Unhealthy
        : _active == DestinationHealth.Healthy || _passive == DestinationHealth.Healthy ? DestinationHealth.Healthy
        : DestinationHealth.Unknown;

    /// <summary>What its circuit breaker does; closed if the cluster has none.</summary>
    public CircuitState CircuitState { get => _circuit; internal set => Change(ref _circuit, value); }

    /// <summary>Until when passive health checks keep it ejected; null while they do not.</summary>
    public DateTimeOffset? EjectedUntil { get; internal set; }

    /// <summary>Whether an operator has taken it out of rotation.</summary>
    public DestinationMode Mode { get; internal set; }

    /// <summary>Its weight: as configured, or as an operator has set it with <see cref="IProxyControl.SetWeight"/>.</summary>
    public int Weight => WeightOverride ?? Config.Weight;

    /// <summary>Its share of the requests in relation to the others': its weight, less while it starts slowly.</summary>
    public double EffectiveWeight => Weight * Ramp;

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

    /// <summary>What passive health checks say.</summary>
    internal DestinationHealth PassiveHealth { get => _passive; set => Change(ref _passive, value); }

    /// <summary>Whether passive health checks alone say that it is unhealthy.</summary>
    internal bool IsMerelyEjected => _passive == DestinationHealth.Unhealthy && _active != DestinationHealth.Unhealthy && _circuit != CircuitState.Open;

    /// <summary>
    /// Whether it has few requests because it fails, or has not responded yet, rather than because it is fast. Policies that go by load prefer others, but for one
    /// request a second.
    /// </summary>
    internal bool IsSuspect => Passive is { IsSuspect: true } record && !record.AdmitsTrial(Owner.Services.Time);

    /// <summary>Why the last probe failed; null if it did not.</summary>
    internal string? ProbeFailure { get; set; }

    /// <summary>How far a slow start has come: 0.1 to 1.</summary>
    internal double Ramp { get; set; } = 1;

    /// <summary>How requests fare, while passive health checks look.</summary>
    internal PassiveRecord? Passive { get; set; }

    /// <summary>Its circuit breaker, if the cluster has one.</summary>
    internal CircuitBreaker? Circuit { get; set; }

    internal int? WeightOverride { get; set; }

    /// <summary>Whether new requests may come, apart from limits. What a request knew when it began may be out of date when it picks.</summary>
    internal bool IsOpenToRequests => Mode == DestinationMode.Ready && Circuit?.Admits != false;

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
        if (Interlocked.Decrement(ref _activeRequests) == 0 && Volatile.Read(ref _idle) is not null)
            Interlocked.Exchange(ref _idle, null)?.SetResult();
        LoadObserver?.Changed();
    }

    /// <summary>Ends when no request is under way there.</summary>
    internal Task WhenIdle()
    {
        // First the waiter, then the look: a request that ends in between finds it.
        var idle = Volatile.Read(ref _idle);
        if (idle is null)
        {
            var created = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            idle = Interlocked.CompareExchange(ref _idle, created, null) ?? created;
        }
        Interlocked.MemoryBarrier();
        return ActiveRequests == 0 ? Task.CompletedTask : idle.Task;
    }

    private void Change<T>(ref T verdict, T value)
    {
        bool hasChanged;
        // Two verdicts that change at once must not both find that the other one has told it.
        lock (_verdicts)
        {
            var before = Health;
            verdict = value;
            hasChanged = (before == DestinationHealth.Unhealthy) != (Health == DestinationHealth.Unhealthy);
        }
        if (hasChanged)
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
