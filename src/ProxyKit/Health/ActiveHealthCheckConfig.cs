namespace ProxyKit;

/// <summary>Asks each destination from time to time whether it is well. HAProxy: <c>check</c>; nginx Plus: <c>health_check</c>.</summary>
public sealed record ActiveHealthCheckConfig
{
    /// <summary>Whether destinations are asked. Default: false.</summary>
    public bool Enabled { get; init; }
}
