namespace ProxyKit;

/// <summary>How a cluster finds out which of its destinations can be used. The names are YARP's where it has them.</summary>
public sealed record HealthCheckConfig
{
    /// <summary>Asking each destination from time to time.</summary>
    public ActiveHealthCheckConfig Active { get; init; } = new();

    /// <summary>Watching how requests fare.</summary>
    public PassiveHealthCheckConfig Passive { get; init; } = new();
}
