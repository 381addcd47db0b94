namespace ProxyKit;

/// <summary>How a cluster finds out which of its destinations can be used; see <see cref="HealthCheckConfig"/>.</summary>
public sealed class ClusterHealthCheckOptions
{
    internal ClusterHealthCheckOptions(HealthCheckConfig config)
    {
        Active = new(config.Active);
        Passive = new(config.Passive);
        AvailableDestinationsPolicy = config.AvailableDestinationsPolicy;
        PanicThreshold = config.PanicThreshold;
        SlowStart = config.SlowStart;
    }

    /// <inheritdoc cref="HealthCheckConfig.Active"/>
    public ActiveHealthCheckOptions Active { get; }

    /// <inheritdoc cref="HealthCheckConfig.Passive"/>
    public PassiveHealthCheckOptions Passive { get; }

    /// <inheritdoc cref="HealthCheckConfig.AvailableDestinationsPolicy"/>
    public AvailableDestinationsPolicy AvailableDestinationsPolicy { get; set; }

    /// <inheritdoc cref="HealthCheckConfig.PanicThreshold"/>
    public int PanicThreshold { get; set; }

    /// <inheritdoc cref="HealthCheckConfig.SlowStart"/>
    public TimeSpan SlowStart { get; set; }

    internal HealthCheckConfig ToConfig() => new()
    {
        Active = Active.ToConfig(),
        Passive = Passive.ToConfig(),
        AvailableDestinationsPolicy = AvailableDestinationsPolicy,
        PanicThreshold = PanicThreshold,
        SlowStart = SlowStart,
    };
}
