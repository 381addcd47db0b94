namespace ProxyKit;

/// <summary>
/// Sends a request to a second destination when the first has not answered after a while, and takes the answer that comes first; the other is cancelled.
/// Only for requests without a body whose method is idempotent (RFC 9110 §9.2.2). Hedges come out of the same budget as retries.
/// </summary>
public sealed record HedgingConfig
{
    /// <summary>How long the first attempt has before the next begins; also until enough is known for <see cref="Percentile"/>. Default: 00:00:00.5000000.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// Begin the next attempt at this quantile of the cluster's recent times to first byte, 0.5 to 0.999, so that only the slowest are hedged. Default: none; <see cref="Delay"/> counts.
    /// </summary>
    public double? Percentile { get; init; }

    /// <summary>How many attempts may be added, 1 to 5. Default: 1.</summary>
    public int MaxHedgedAttempts { get; init; } = 1;
}
