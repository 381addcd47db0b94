namespace ProxyKit;

/// <summary>The names of the load balancing policies that ProxyKit brings; see <see cref="ClusterConfig.LoadBalancingPolicy"/>.</summary>
public static class LoadBalancingPolicies
{
    /// <summary>
    /// Of two destinations drawn at random, by weight, the one that is answering fewer requests for its weight. The default. nginx: <c>random two least_conn</c>;
    /// HAProxy: <c>random(2)</c>.
    /// </summary>
    public const string PowerOfTwoChoices = nameof(PowerOfTwoChoices);

    /// <summary>One after the other; the heavier ones more often, spread evenly among the rest. nginx's default; HAProxy: <c>roundrobin</c>.</summary>
    public const string RoundRobin = nameof(RoundRobin);

    /// <summary>At random, by weight. nginx: <c>random</c>; HAProxy: <c>random(1)</c>.</summary>
    public const string Random = nameof(Random);

    /// <summary>
    /// The one that is answering the fewest requests for its weight; an idle one before all others, and of equals the one whose turn it is.
    /// nginx: <c>least_conn</c>; HAProxy: <c>leastconn</c>.
    /// </summary>
    public const string LeastRequests = nameof(LeastRequests);

    /// <summary>
    /// Of two destinations drawn at random, by weight, the one that is likely to answer first: a decaying average of its times to the first byte, times the requests
    /// that it is answering. nginx: <c>least_time header</c>; Finagle and Linkerd: peak EWMA.
    /// </summary>
    public const string LeastTime = nameof(LeastTime);

    /// <summary>
    /// The first in the configured order; the next one when it is down or at its limit of concurrent requests. Weights do not count. HAProxy: <c>first</c>.
    /// </summary>
    public const string First = nameof(First);

    /// <summary>As <see cref="First"/>, in the order of the names, without regard to case. YARP's name.</summary>
    public const string FirstAlphabetical = nameof(FirstAlphabetical);

    /// <summary>
    /// The same destination for the same key, as <see cref="ClusterConfig.Hash"/> says, by default the client's address; when destinations come and go, only the keys
    /// of those move. nginx: <c>hash … consistent</c>, <c>ip_hash</c>; HAProxy: <c>source</c>, <c>uri</c>, <c>hash</c> with <c>hash-type consistent</c>.
    /// </summary>
    public const string Hash = nameof(Hash);
}
