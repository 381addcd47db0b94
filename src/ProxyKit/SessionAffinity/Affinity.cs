using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using ProxyKit.Caching;
using ProxyKit.Forwarding;
using ProxyKit.LoadBalancing;

namespace ProxyKit.SessionAffinity;

/// <summary>
/// Session affinity of a cluster at run time. It looks among all destinations, not just those that can be chosen: one that drains or has weight 0 keeps its sessions.
/// </summary>
internal sealed class Affinity
{
    private readonly ISessionAffinityPolicy _policy;
    private readonly SessionAffinityKeys _keys;
    private readonly AffinityServices _services;
    private readonly FrozenDictionary<string, Destination> _destinations;
    private readonly FrozenDictionary<Destination, string> _keyOf;
    private readonly bool _redistributes;

    private Affinity(ClusterConfig cluster, SessionAffinityConfig config, Destination[] destinations, AffinityServices services, Affinity? previous)
    {
        _services = services;
        _policy = services.Find(config.Policy)!;
        _keys = _policy.CreateKeys(cluster, previous?._policy == _policy ? previous._keys : null);
        _redistributes = config.FailurePolicy == SessionAffinityFailurePolicy.Redistribute;
        _keyOf = destinations.ToFrozenDictionary(d => d, _keys.KeyOf);
        _destinations = destinations.DistinctBy(d => _keyOf[d]).ToFrozenDictionary(d => _keyOf[d], StringComparer.Ordinal);
    }

    /// <summary>Null when the cluster has none.</summary>
    public static Affinity? Create(ClusterConfig cluster, Destination[] destinations, AffinityServices services, Affinity? previous) =>
        cluster.SessionAffinity is { Enabled: true } config ? new(cluster, config, destinations, services, previous) : null;

    /// <summary>Finds the session's destination. Called once, when the request is prepared and before a destination is chosen.</summary>
    public void Begin(HttpContext context, ProxyContext proxy, PreparedRequest prepared)
    {
        if (_keys.Find(context) is not { } key)
        {
            proxy.AffinityStatus = AffinityStatus.New;
            return;
        }
        _keys.Hide(prepared);
        if (_destinations.TryGetValue(key, out var destination))
        {
            proxy.AffineDestination = destination;
            if (IsUsable(destination, proxy.Balancer))
            {
                proxy.AffinityStatus = AffinityStatus.Found;
                return;
            }
            proxy.AffinityStatus = AffinityStatus.Unavailable;
            _services.Log.Unavailable(destination, _redistributes);
        }
        else
        {
            proxy.AffinityStatus = AffinityStatus.Unknown;
            _services.Log.KeyUnknown(proxy.Cluster.ClusterId);
            // Or the client would be refused for ever.
            if (!_redistributes)
                _keys.Forget(context);
        }
        if (!_redistributes)
            _services.Metrics.Rejected(proxy);
    }

    /// <summary>Takes the session's own field off what the upstream is sent.</summary>
    public void Hide(HttpContext context, PreparedRequest prepared)
    {
        if (_keys.Find(context) is not null)
            _keys.Hide(prepared);
    }

    /// <summary>Looks again: the request has waited for a destination, and there is a new verdict on the session's own, or a new configuration.</summary>
    public void Reconsider(ProxyContext proxy)
    {
        if (proxy.AffineDestination is { } own)
            proxy.AffinityStatus = _keyOf.ContainsKey(own) && IsUsable(own, proxy.Balancer) ? AffinityStatus.Found : AffinityStatus.Unavailable;
        else if (proxy.AffinityStatus == AffinityStatus.None)
            proxy.AffinityStatus = AffinityStatus.New;
    }

    /// <summary>The next destination for this request: the session's own first, then what the balancer prefers, unless the session is worth nothing there.</summary>
    public Destination? Pick(HttpContext context, ProxyContext proxy)
    {
        if (proxy is { AffinityStatus: AffinityStatus.Found, AffineDestination: { } own } && !proxy.HasAttempted(own) && IsUsable(own, proxy.Balancer))
        {
            if (own.IsFull)
                proxy.Full.Add(own); // waited for, if there is nowhere else to go
            else if (own.Circuit is not { } circuit || circuit.TryEnter())
                return own;
        }
        return MustStay(proxy) ? null : proxy.Balancer.Pick(context, proxy);
    }

    /// <summary>Whether the request may go to no other destination than its session's.</summary>
    public bool MustStay(ProxyContext proxy) =>
        !_redistributes && proxy.AffinityStatus is not (AffinityStatus.None or AffinityStatus.New);

    /// <summary>Ties the session to the destination that has answered. Called when the upstream's headers are copied to the response, transforms not yet applied.</summary>
    public void Deliver(HttpContext context, ProxyContext proxy, Destination? answered)
    {
        // An answer that the cache has asked for may be for many; the client who asked first is told when it gets it.
        if (CacheResponseFeature.IsResponseOf(context))
            return;
        // None has, where a resilience pipeline of the user's came up with the answer.
        if (answered is null || !_keyOf.TryGetValue(answered, out var key))
            return;
        var isCurrent = ReferenceEquals(answered, proxy.AffineDestination);
        _keys.Send(context, key, isCurrent);
        _services.Metrics.Answered(proxy, isCurrent);
    }

    // What the balancer takes although it is unhealthy, for want of better, serves its sessions as well.
    private static bool IsUsable(Destination destination, Balancer balancer) =>
        destination.Mode != DestinationMode.Maintenance
        && (destination.Health != DestinationHealth.Unhealthy || Array.IndexOf(balancer.Available, destination) >= 0);
}
