namespace ProxyKit;

/// <summary>When requests take a destination out of rotation; see <see cref="PassiveHealthCheckConfig"/>.</summary>
public sealed class PassiveHealthCheckOptions
{
    internal PassiveHealthCheckOptions(PassiveHealthCheckConfig now)
    {
        (Policy, ConsecutiveFailures, FailureRate, Window, MinimumRequests) = (now.Policy, now.ConsecutiveFailures, now.FailureRate, now.Window, now.MinimumRequests);
        (FailureStatuses, OutlierEjection) = (now.FailureStatuses, now.OutlierEjection);
        (ReactivationPeriod, MaxReactivationPeriod, MaxEjectedPercent) = (now.ReactivationPeriod, now.MaxReactivationPeriod, now.MaxEjectedPercent);
    }

    /// <inheritdoc cref="PassiveHealthCheckConfig.Enabled"/>
    public bool? Enabled { get; set; } = true;

    /// <inheritdoc cref="PassiveHealthCheckConfig.Policy"/>
    public PassiveHealthPolicy Policy { get; set; }

    /// <inheritdoc cref="PassiveHealthCheckConfig.ConsecutiveFailures"/>
    public int ConsecutiveFailures { get; set; }

    /// <inheritdoc cref="PassiveHealthCheckConfig.FailureRate"/>
    public double FailureRate { get; set; }

    /// <inheritdoc cref="PassiveHealthCheckConfig.Window"/>
    public TimeSpan Window { get; set; }

    /// <inheritdoc cref="PassiveHealthCheckConfig.MinimumRequests"/>
    public int MinimumRequests { get; set; }

    /// <inheritdoc cref="PassiveHealthCheckConfig.FailureStatuses"/>
    public string? FailureStatuses { get; set; }

    /// <inheritdoc cref="PassiveHealthCheckConfig.OutlierEjection"/>
    public OutlierEjectionConfig? OutlierEjection { get; set; }

    /// <inheritdoc cref="PassiveHealthCheckConfig.ReactivationPeriod"/>
    public TimeSpan ReactivationPeriod { get; set; }

    /// <inheritdoc cref="PassiveHealthCheckConfig.MaxReactivationPeriod"/>
    public TimeSpan MaxReactivationPeriod { get; set; }

    /// <inheritdoc cref="PassiveHealthCheckConfig.MaxEjectedPercent"/>
    public int MaxEjectedPercent { get; set; }

    internal PassiveHealthCheckConfig ToConfig() => new()
    {
        Enabled = Enabled,
        Policy = Policy,
        ConsecutiveFailures = ConsecutiveFailures,
        FailureRate = FailureRate,
        Window = Window,
        MinimumRequests = MinimumRequests,
        FailureStatuses = FailureStatuses,
        OutlierEjection = OutlierEjection,
        ReactivationPeriod = ReactivationPeriod,
        MaxReactivationPeriod = MaxReactivationPeriod,
        MaxEjectedPercent = MaxEjectedPercent,
    };
}

/// <summary>How destinations are compared with each other; see <see cref="OutlierEjectionConfig"/>.</summary>
public sealed class OutlierEjectionOptions
{
    internal OutlierEjectionOptions(OutlierEjectionConfig now)
    {
        (Interval, Factor, Tolerance) = (now.Interval, now.Factor, now.Tolerance);
        (MinimumDestinations, MinimumRequests, FailureStatuses) = (now.MinimumDestinations, now.MinimumRequests, now.FailureStatuses);
    }

    /// <inheritdoc cref="OutlierEjectionConfig.Interval"/>
    public TimeSpan Interval { get; set; }

    /// <inheritdoc cref="OutlierEjectionConfig.Factor"/>
    public double Factor { get; set; }

    /// <inheritdoc cref="OutlierEjectionConfig.Tolerance"/>
    public double Tolerance { get; set; }

    /// <inheritdoc cref="OutlierEjectionConfig.MinimumDestinations"/>
    public int MinimumDestinations { get; set; }

    /// <inheritdoc cref="OutlierEjectionConfig.MinimumRequests"/>
    public int MinimumRequests { get; set; }

    /// <inheritdoc cref="OutlierEjectionConfig.FailureStatuses"/>
    public string FailureStatuses { get; set; }

    internal OutlierEjectionConfig ToConfig() => new()
    {
        Interval = Interval,
        Factor = Factor,
        Tolerance = Tolerance,
        MinimumDestinations = MinimumDestinations,
        MinimumRequests = MinimumRequests,
        FailureStatuses = FailureStatuses,
    };
}
