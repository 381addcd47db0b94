using System.Security.Cryptography;
using System.Text;

namespace ProxyKit.SessionAffinity;

/// <summary>A cookie with the key that Application Request Routing, and YARP's policy of this name, would set.</summary>
internal sealed class ArrCookiePolicy(TimeProvider time) : ISessionAffinityPolicy
{
    public string Name => SessionAffinityPolicies.ArrCookie;

    public SessionAffinityKeys CreateKeys(ClusterConfig cluster, SessionAffinityKeys? previous) => new Keys(cluster, time);

    private sealed class Keys(ClusterConfig cluster, TimeProvider time) : CookieKeys(cluster, time)
    {
        public override string KeyOf(Destination destination) => Convert.ToHexString(SHA256.HashData(Encoding.Unicode.GetBytes(destination.Name.ToLowerInvariant())));
    }
}
