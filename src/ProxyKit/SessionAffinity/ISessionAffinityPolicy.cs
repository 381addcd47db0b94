using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit;

/// <summary>
/// A way of telling which destination a request's session belongs to, known by its name. Register your own with
/// <c>AddReverseProxy().AddSessionAffinityPolicy&lt;T&gt;()</c>; ProxyKit's are registered the same way.
/// </summary>
public interface ISessionAffinityPolicy
{
    /// <summary>The name that <see cref="SessionAffinityConfig.Policy"/> refers to, without regard to case.</summary>
    string Name { get; }

    /// <summary>
    /// Makes what carries the keys of one cluster. Called when the cluster's configuration changes, not for each request. An exception is a configuration error, and its
    /// message is shown.
    /// </summary>
    /// <param name="cluster">The cluster, as configured.</param>
    /// <param name="previous">What this policy made for the cluster before, so that what it remembers lives on; null at first, or when the policy was another one.</param>
    SessionAffinityKeys CreateKeys(ClusterConfig cluster, SessionAffinityKeys? previous);
}

/// <summary>Carries the keys of one cluster's sessions between proxy and client. Called by many requests at once.</summary>
public abstract class SessionAffinityKeys
{
    /// <summary>For policies of a cluster.</summary>
    /// <param name="cluster">The cluster, as configured.</param>
    protected SessionAffinityKeys(ClusterConfig cluster)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        Cluster = cluster;
        Config = cluster.SessionAffinity ?? new();
    }

    /// <summary>The cluster, as configured.</summary>
    protected ClusterConfig Cluster { get; }

    /// <summary>The cluster's session affinity, as configured.</summary>
    protected SessionAffinityConfig Config { get; }

    /// <summary>
    /// The key of a destination, asked once for each. By default a hash of cluster, address and host (an HMAC if there is a <see cref="SessionAffinityConfig.Secret"/>):
    /// 22 characters of base64url, the same on every proxy instance with the same configuration.
    /// </summary>
    public virtual string KeyOf(Destination destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        // Not the name: one that passes to another server (an index in a list, say) must not take sessions with it, and discovery may number servers as they come.
        var text = $"{Cluster.ClusterId.ToUpperInvariant()}\n{destination.Target.Prefix}\n{destination.Config.Host?.ToUpperInvariant()}";
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(Encoding.UTF8.GetBytes(Config.Secret ?? ""), Encoding.UTF8.GetBytes(text), hash);
        return Base64Url.EncodeToString(hash[..16]);
    }

    /// <summary>The key of the request's session; null when it has none. One that is no destination's key is a session whose destination is not known.</summary>
    public abstract string? Find(HttpContext context);

    /// <summary>Called before the response is delivered, when its headers are in place: hands the client the key, or takes note of the session.</summary>
    /// <param name="context">The request and its response.</param>
    /// <param name="key">The key of the destination that has answered.</param>
    /// <param name="isCurrent">Whether it is the one that the session belongs to already.</param>
    public abstract void Send(HttpContext context, string key, bool isCurrent);

    /// <summary>Takes the key off the request: the upstream has no use for it.</summary>
    internal virtual void Hide(PreparedRequest request)
    {
    }

    /// <summary>Takes the key back from the client: its destination is gone for good.</summary>
    internal virtual void Forget(HttpContext context)
    {
    }
}
