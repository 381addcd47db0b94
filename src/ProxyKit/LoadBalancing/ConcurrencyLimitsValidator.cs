namespace ProxyKit.LoadBalancing;

/// <summary>Finds what is wrong with a cluster's <see cref="ClusterConfig.Limits"/>.</summary>
internal static class ConcurrencyLimitsValidator
{
    private const int MaxQueueLimit = 1_000_000;
    private static readonly TimeSpan s_day = TimeSpan.FromDays(1);

    public static void Validate(string where, ClusterConfig cluster, List<string> errors)
    {
        if (cluster.Limits is not { } limits)
            return;
        if (limits.MaxConcurrentRequests is < 1)
            errors.Add($"{where}: Limits.MaxConcurrentRequests is {limits.MaxConcurrentRequests}; it must be at least 1.");
        if (limits.MaxConcurrentRequestsPerDestination is < 1)
            errors.Add($"{where}: Limits.MaxConcurrentRequestsPerDestination is {limits.MaxConcurrentRequestsPerDestination}; it must be at least 1.");
        if (limits.QueueLimit is < 0 or > MaxQueueLimit)
            errors.Add($"{where}: Limits.QueueLimit is {limits.QueueLimit}; it must be 0 to {MaxQueueLimit}.");
        if (limits.QueueTimeout != Timeout.InfiniteTimeSpan && (limits.QueueTimeout <= TimeSpan.Zero || limits.QueueTimeout > s_day))
            errors.Add($"{where}: Limits.QueueTimeout is {limits.QueueTimeout}; it must be positive and at most 1 day, or -00:00:00.0010000 for none. For no queue set QueueLimit to 0.");
        if (limits.RetryAfter < TimeSpan.Zero || limits.RetryAfter > s_day)
            errors.Add($"{where}: Limits.RetryAfter is {limits.RetryAfter}; it must be 00:00:00 (no such header) to 1 day.");
        if (limits is { MaxConcurrentRequests: null, MaxConcurrentRequestsPerDestination: null } && cluster.Destinations.All(d => d.MaxConcurrentRequests is null))
            errors.Add($"{where}: Limits limits nothing. It needs MaxConcurrentRequests, MaxConcurrentRequestsPerDestination, or a destination with MaxConcurrentRequests.");
    }
}
