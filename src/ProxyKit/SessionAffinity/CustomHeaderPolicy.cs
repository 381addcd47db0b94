using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.SessionAffinity;

/// <summary>A header with a hash of the destination, which the client sends back.</summary>
internal sealed class CustomHeaderPolicy : ISessionAffinityPolicy
{
    public string Name => SessionAffinityPolicies.CustomHeader;

    public SessionAffinityKeys CreateKeys(ClusterConfig cluster, SessionAffinityKeys? previous) => new Keys(cluster);

    private sealed class Keys(ClusterConfig cluster) : SessionAffinityKeys(cluster)
    {
        private readonly string _name = cluster.SessionAffinity!.AffinityKeyName!;

        // Several values are none of ours: "a,b" names no destination.
        public override string? Find(HttpContext context) => context.Request.Headers[_name] is { Count: > 0 } values && values.ToString() is { Length: > 0 } key ? key : null;

        public override void Send(HttpContext context, string key, bool isCurrent)
        {
            if (!isCurrent)
                context.Response.Headers[_name] = key;
        }

        internal override void Hide(PreparedRequest request) => request.Headers.Remove(_name);
    }
}
