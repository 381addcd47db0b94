using ProxyKit.Configuration;

namespace ProxyKit.LoadBalancing;

/// <summary>A cluster's <c>Limits</c> in JSON.</summary>
internal static class ConcurrencyLimitsReader
{
    public static ConcurrencyLimitsConfig Read(SectionReader limits)
    {
        var defaults = new ConcurrencyLimitsConfig();
        return new()
        {
            MaxConcurrentRequests = limits.Int("MaxConcurrentRequests"),
            MaxConcurrentRequestsPerDestination = limits.Int("MaxConcurrentRequestsPerDestination"),
            QueueLimit = limits.Int("QueueLimit") ?? defaults.QueueLimit,
            QueueTimeout = limits.Time("QueueTimeout") ?? defaults.QueueTimeout,
            RetryAfter = limits.Time("RetryAfter") ?? defaults.RetryAfter,
        };
    }
}
