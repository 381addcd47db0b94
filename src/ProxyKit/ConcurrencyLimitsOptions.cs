namespace ProxyKit;

/// <summary>Limits of concurrent requests; see <see cref="ConcurrencyLimitsConfig"/>.</summary>
public sealed class ConcurrencyLimitsOptions
{
    /// <inheritdoc cref="ConcurrencyLimitsConfig.MaxConcurrentRequests"/>
    public int? MaxConcurrentRequests { get; set; }

    /// <inheritdoc cref="ConcurrencyLimitsConfig.MaxConcurrentRequestsPerDestination"/>
    public int? MaxConcurrentRequestsPerDestination { get; set; }

    /// <inheritdoc cref="ConcurrencyLimitsConfig.QueueLimit"/>
    public int QueueLimit { get; set; }

    /// <inheritdoc cref="ConcurrencyLimitsConfig.QueueTimeout"/>
    public TimeSpan QueueTimeout { get; set; }

    /// <inheritdoc cref="ConcurrencyLimitsConfig.RetryAfter"/>
    public TimeSpan RetryAfter { get; set; }
}
