namespace ProxyKit;

/// <summary>The names of the load balancing policies that ProxyKit brings; see <see cref="ClusterConfig.LoadBalancingPolicy"/>.</summary>
public static class LoadBalancingPolicies
{
    /// <summary>Of two destinations drawn at random, by weight, the one that is answering fewer requests for its weight. The default. nginx: <c>random two least_conn</c>.</summary>
    public const string PowerOfTwoChoices = nameof(PowerOfTwoChoices);
}
