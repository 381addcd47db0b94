namespace ProxyKit;

/// <summary>Further attempts; see <see cref="RetryConfig"/>.</summary>
public sealed class RetryOptions
{
    /// <inheritdoc cref="RetryConfig.MaxRetryAttempts"/>
    public int? MaxRetryAttempts { get; set; }

    /// <inheritdoc cref="RetryConfig.PerTryTimeout"/>
    public TimeSpan? PerTryTimeout { get; set; }

    /// <inheritdoc cref="RetryConfig.Statuses"/>
    public IList<int> Statuses { get; set; } = [];

    /// <inheritdoc cref="RetryConfig.NonIdempotent"/>
    public bool NonIdempotent { get; set; }

    /// <inheritdoc cref="RetryConfig.MaxBodySize"/>
    public int MaxBodySize { get; set; }

    /// <inheritdoc cref="RetryConfig.Delay"/>
    public TimeSpan Delay { get; set; }

    /// <inheritdoc cref="RetryConfig.MaxDelay"/>
    public TimeSpan MaxDelay { get; set; }

    /// <inheritdoc cref="RetryConfig.BudgetRatio"/>
    public double BudgetRatio { get; set; }

    /// <inheritdoc cref="RetryConfig.BudgetMinimum"/>
    public int BudgetMinimum { get; set; }
}

/// <summary>A second request when the first takes long; see <see cref="HedgingConfig"/>.</summary>
public sealed class HedgingOptions
{
    /// <inheritdoc cref="HedgingConfig.Delay"/>
    public TimeSpan Delay { get; set; }

    /// <inheritdoc cref="HedgingConfig.Percentile"/>
    public double? Percentile { get; set; }

    /// <inheritdoc cref="HedgingConfig.MaxHedgedAttempts"/>
    public int MaxHedgedAttempts { get; set; }
}
