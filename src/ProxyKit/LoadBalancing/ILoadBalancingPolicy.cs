using Microsoft.AspNetCore.Http;

namespace ProxyKit;

/// <summary>
/// A way of choosing among destinations, known by its name. Register your own with <c>AddReverseProxy().AddLoadBalancingPolicy&lt;T&gt;()</c>; ProxyKit's are
/// registered the same way.
/// </summary>
public interface ILoadBalancingPolicy
{
    /// <summary>The name that <see cref="ClusterConfig.LoadBalancingPolicy"/> refers to, without regard to case.</summary>
    string Name { get; }

    /// <summary>
    /// Makes what chooses, for one set of destinations. Called when the set or its weights change (a reload, a health verdict, a slow start), not for each request:
    /// what can be computed beforehand is computed here.
    /// </summary>
    /// <param name="destinations">The destinations.</param>
    /// <param name="previous">What chose until now, so that counters go on; null at first, or when the policy was another one.</param>
    DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous);
}

/// <summary>Chooses among the destinations of one <see cref="DestinationSet"/>. Called by many requests at once.</summary>
public abstract class DestinationPicker
{
    /// <summary>
    /// The next destination in this request's order of preference: the first call gives the best, a retry the next one. Only one that
    /// <see cref="PickContext.Accepts"/>; null when it accepts none. Each must have been asked about then: if one of them is at its limit, the request waits for it.
    /// </summary>
    public abstract Destination? Pick(in PickContext context);
}

/// <summary>A request in need of a destination.</summary>
public readonly struct PickContext
{
    private readonly ProxyContext _proxy;

    internal PickContext(HttpContext httpContext, ProxyContext proxy, bool acceptsTrials = false)
    {
        HttpContext = httpContext;
        _proxy = proxy;
        AcceptsTrials = acceptsTrials;
    }

    /// <summary>Whether a destination on trial takes more than its trials, because no other one is left.</summary>
    internal bool AcceptsTrials { get; }

    /// <summary>The request.</summary>
    public HttpContext HttpContext { get; }

    /// <summary>Whether this request may go there: it has not been tried, is not at its limit of concurrent requests, and neither its circuit breaker nor an ejection that has just ended holds requests back.</summary>
    public bool Accepts(Destination destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (!destination.IsOpenToRequests || _proxy.HasAttempted(destination))
            return false;
        if (!AcceptsTrials && destination.Passive is { IsOnTrial: true } record && !record.AdmitsTrial(destination.Owner.Services.Time))
        {
            _proxy.HasPassedOverTrial = true;
            return false;
        }
        if (!destination.IsFull)
            return true;
        _proxy.Full.Add(destination);
        return false;
    }
}

/// <summary>The destinations of one tier (all but the backups, or the backups) at one moment. It does not change; a new one is made when something does.</summary>
public sealed class DestinationSet
{
    private readonly double[] _weights;
    private readonly HashSet<Destination>? _available;

    internal DestinationSet(ClusterConfig cluster, Destination[] members, Destination[] available)
    {
        Cluster = cluster;
        Members = members;
        Available = available;
        _weights = [.. available.Select(d => d.EffectiveWeight)];
        IsWeighted = _weights.Any(w => w != _weights[0]);
        if (available.Length < members.Length)
            _available = [.. available];
    }

    /// <summary>The cluster, as configured.</summary>
    public ClusterConfig Cluster { get; }

    /// <summary>All destinations that take part, those that are down for now among them, in the configured order: what a hash ring is built on.</summary>
    public IReadOnlyList<Destination> Members { get; }

    /// <summary>Those to choose from, in the configured order.</summary>
    public IReadOnlyList<Destination> Available { get; }

    /// <summary>Whether the weights of <see cref="Available"/> differ.</summary>
    public bool IsWeighted { get; }

    /// <summary>The weight of one of <see cref="Available"/> at the time the set was made: positive, a fraction while it starts slowly.</summary>
    public double WeightOf(int index) => _weights[index];

    /// <summary>All weights of <see cref="Available"/>; not to be changed.</summary>
    internal double[] Weights => _weights;

    /// <summary>Whether one of <see cref="Members"/> is among <see cref="Available"/>.</summary>
    public bool IsAvailable(Destination destination) => _available?.Contains(destination) ?? true;
}
