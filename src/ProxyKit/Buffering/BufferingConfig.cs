namespace ProxyKit;

/// <summary>Keeps slow clients away from the upstream: bodies wait in the proxy, in memory and then in a file, not in the upstream's workers.</summary>
public sealed record BufferingConfig
{
    /// <summary>The client's body is taken whole before the upstream is asked.</summary>
    public RequestBufferingConfig Request { get; init; } = new();

    /// <summary>The upstream's body is taken at its own speed, and handed on at the client's.</summary>
    public ResponseBufferingConfig Response { get; init; } = new();
}

/// <summary>Takes the whole body off the client before a destination is chosen. nginx: <c>proxy_request_buffering</c>.</summary>
public sealed record RequestBufferingConfig
{
    /// <summary>The time within which <see cref="MinDataRate"/> holds, if <see cref="MinDataRateGracePeriod"/> is not longer.</summary>
    internal static readonly TimeSpan RateWindow = TimeSpan.FromSeconds(20);

    /// <summary>Whether it is done. Default: where the cluster speaks FastCGI, and not where it speaks HTTP.</summary>
    public bool? Enabled { get; init; }

    /// <summary>How much of a body is kept in memory, in bytes: 0 to 1073741824. What is longer goes to a file. Default: 65536. nginx: <c>client_body_buffer_size</c>.</summary>
    public int MemoryThreshold { get; init; } = 64 * 1024;

    /// <summary>How long the client may send nothing; positive, at most 24 days. Longer is 408. Default: 60 seconds. nginx: <c>client_body_timeout</c>.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How fast the client has to send once <see cref="MinDataRateGracePeriod"/> is over, in bytes per second, at least 0 (no limit): on average since the start, and in each 20 seconds. Slower is 408.
    /// Default: 240, as Kestrel's. HAProxy: <c>timeout http-request</c>.
    /// </summary>
    public double MinDataRate { get; init; } = 240;

    /// <summary>How long the client may be slower than <see cref="MinDataRate"/> at first; at least 0. Default: 5 seconds.</summary>
    public TimeSpan MinDataRateGracePeriod { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>Reads the response at the upstream's speed and writes it at the client's. nginx: <c>proxy_buffering</c>.</summary>
public sealed record ResponseBufferingConfig
{
    /// <summary>Whether it is done. Default: where the cluster speaks FastCGI, and not where it speaks HTTP.</summary>
    public bool? Enabled { get; init; }

    /// <summary>How much of a body waits in memory, in bytes: 4096 to 1073741824. What is beyond waits in a file. Default: 65536. nginx: <c>proxy_buffers</c>.</summary>
    public int MemoryThreshold { get; init; } = 64 * 1024;

    /// <summary>
    /// How much of a body waits in the proxy, in memory and file, in bytes; at least <see cref="MemoryThreshold"/>. While there is so much, the upstream is not read.
    /// Default: 1073741824. nginx: <c>proxy_max_temp_file_size</c>.
    /// </summary>
    public long MaxSize { get; init; } = 1024L * 1024 * 1024;
}
