namespace ProxyKit;

/// <summary>A route's buffering; see <see cref="BufferingConfig"/>.</summary>
public sealed class BufferingOptions
{
    /// <inheritdoc cref="BufferingConfig.Request"/>
    public RequestBufferingOptions Request { get; } = new();

    /// <inheritdoc cref="BufferingConfig.Response"/>
    public ResponseBufferingOptions Response { get; } = new();
}

/// <summary>The buffering of a route's requests; see <see cref="RequestBufferingConfig"/>.</summary>
public sealed class RequestBufferingOptions
{
    /// <summary>Whether it is done. Default: true, because it was asked for. False switches it off where the cluster speaks FastCGI.</summary>
    public bool Enabled { get; set; }

    /// <inheritdoc cref="RequestBufferingConfig.MemoryThreshold"/>
    public int MemoryThreshold { get; set; }

    /// <inheritdoc cref="RequestBufferingConfig.IdleTimeout"/>
    public TimeSpan IdleTimeout { get; set; }

    /// <inheritdoc cref="RequestBufferingConfig.MinDataRate"/>
    public double MinDataRate { get; set; }

    /// <inheritdoc cref="RequestBufferingConfig.MinDataRateGracePeriod"/>
    public TimeSpan MinDataRateGracePeriod { get; set; }

    internal void Read(RequestBufferingConfig config)
    {
        Enabled = true;
        MemoryThreshold = config.MemoryThreshold;
        IdleTimeout = config.IdleTimeout;
        MinDataRate = config.MinDataRate;
        MinDataRateGracePeriod = config.MinDataRateGracePeriod;
    }

    internal RequestBufferingConfig ToConfig() => new()
    {
        Enabled = Enabled,
        MemoryThreshold = MemoryThreshold,
        IdleTimeout = IdleTimeout,
        MinDataRate = MinDataRate,
        MinDataRateGracePeriod = MinDataRateGracePeriod,
    };
}

/// <summary>The buffering of a route's responses; see <see cref="ResponseBufferingConfig"/>.</summary>
public sealed class ResponseBufferingOptions
{
    /// <summary>Whether it is done. Default: true, because it was asked for. False switches it off where the cluster speaks FastCGI.</summary>
    public bool Enabled { get; set; }

    /// <inheritdoc cref="ResponseBufferingConfig.MemoryThreshold"/>
    public int MemoryThreshold { get; set; }

    /// <inheritdoc cref="ResponseBufferingConfig.MaxSize"/>
    public long MaxSize { get; set; }

    internal void Read(ResponseBufferingConfig config)
    {
        Enabled = true;
        MemoryThreshold = config.MemoryThreshold;
        MaxSize = config.MaxSize;
    }

    internal ResponseBufferingConfig ToConfig() => new() { Enabled = Enabled, MemoryThreshold = MemoryThreshold, MaxSize = MaxSize };
}
