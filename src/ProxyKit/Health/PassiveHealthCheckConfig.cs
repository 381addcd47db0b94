namespace ProxyKit;

/// <summary>Takes a destination out of rotation when requests to it fail. nginx: <c>max_fails</c>; HAProxy: <c>observe</c>; Envoy: outlier detection.</summary>
public sealed record PassiveHealthCheckConfig
{
    /// <summary>Whether requests are watched. Default: false.</summary>
    public bool Enabled { get; init; }
}
