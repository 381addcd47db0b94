namespace ProxyKit.SessionAffinity;

/// <summary>A cookie with a hash of the destination.</summary>
internal sealed class HashCookiePolicy(TimeProvider time) : ISessionAffinityPolicy
{
    public string Name => SessionAffinityPolicies.HashCookie;

    public SessionAffinityKeys CreateKeys(ClusterConfig cluster, SessionAffinityKeys? previous) => new CookieKeys(cluster, time);
}
