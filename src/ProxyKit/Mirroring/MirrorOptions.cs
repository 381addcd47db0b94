namespace ProxyKit;

/// <summary>A route's mirror; see <see cref="MirrorConfig"/>.</summary>
public sealed class MirrorOptions
{
    /// <inheritdoc cref="MirrorConfig.ClusterId"/>
    public string ClusterId { get; set; } = "";

    /// <inheritdoc cref="MirrorConfig.Percentage"/>
    public double Percentage { get; set; }

    /// <inheritdoc cref="MirrorConfig.MaxBodySize"/>
    public long MaxBodySize { get; set; }

    /// <inheritdoc cref="MirrorConfig.Timeout"/>
    public TimeSpan Timeout { get; set; }

    /// <inheritdoc cref="MirrorConfig.MaxConcurrentRequests"/>
    public int MaxConcurrentRequests { get; set; }

    /// <inheritdoc cref="MirrorConfig.Header"/>
    public string? Header { get; set; }
}
