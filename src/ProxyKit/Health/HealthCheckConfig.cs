namespace ProxyKit;

/// <summary>How a cluster finds out which of its destinations can be used. The names are YARP's where it has them.</summary>
public sealed record HealthCheckConfig
{
    /// <summary>Asking each destination from time to time.</summary>
    public ActiveHealthCheckConfig Active { get; init; } = new();

    /// <summary>Watching how requests fare.</summary>
    public PassiveHealthCheckConfig Passive { get; init; } = new();

    /// <summary>
    /// What is done when no destination is healthy. Destinations that only passive checks have ejected are used even then: an ejection says that others are
    /// better, and there are none. Default: <see cref="AvailableDestinationsPolicy.HealthyAndUnknown"/>.
    /// </summary>
    public AvailableDestinationsPolicy AvailableDestinationsPolicy { get; init; }

    /// <summary>
    /// The share of healthy destinations, in percent, below which health is no longer looked at: then all are used, because so few could not bear the load, and the
    /// checks may be what is broken. 0 to 100. Only destinations of the tier in use count: backups when no other is healthy. Default: 0, which is never.
    /// Envoy: <c>healthy_panic_threshold</c>.
    /// </summary>
    public int PanicThreshold { get; init; }

    /// <summary>
    /// How long the share of a destination that has recovered, or that joins others, grows from a tenth to the whole. Up to a day. Default: 00:00:00, which is at once.
    /// HAProxy: <c>slowstart</c>; nginx Plus: <c>slow_start</c>.
    /// </summary>
    public TimeSpan SlowStart { get; init; }
}

/// <summary>Which destinations are used, by their health. The names are YARP's.</summary>
public enum AvailableDestinationsPolicy
{
    /// <summary>Those that are not known to be unhealthy. When there is none the client gets 503.</summary>
    HealthyAndUnknown,

    /// <summary>The same, but when there is none all are used. nginx does so.</summary>
    HealthyOrPanic,
}
