using ProxyKit.Configuration;

namespace ProxyKit.Health;

/// <summary>A cluster's <c>HealthCheck:Passive</c> in JSON.</summary>
internal static class PassiveHealthReader
{
    public static PassiveHealthCheckConfig Read(SectionReader passive)
    {
        var defaults = new PassiveHealthCheckConfig();
        return new()
        {
            Enabled = passive.Bool("Enabled") ?? defaults.Enabled,
            Policy = passive.Enum<PassiveHealthPolicy>("Policy") ?? defaults.Policy,
            ConsecutiveFailures = passive.Int("ConsecutiveFailures") ?? defaults.ConsecutiveFailures,
            FailureRate = passive.Double("FailureRate") ?? defaults.FailureRate,
            Window = passive.Time("Window") ?? defaults.Window,
            MinimumRequests = passive.Int("MinimumRequests") ?? defaults.MinimumRequests,
            FailureStatuses = passive.Text("FailureStatuses"),
            OutlierEjection = passive.Section("OutlierEjection", ReadOutlierEjection),
            ReactivationPeriod = passive.Time("ReactivationPeriod") ?? defaults.ReactivationPeriod,
            MaxReactivationPeriod = passive.Time("MaxReactivationPeriod") ?? defaults.MaxReactivationPeriod,
            MaxEjectedPercent = passive.Int("MaxEjectedPercent") ?? defaults.MaxEjectedPercent,
        };
    }

    private static OutlierEjectionConfig ReadOutlierEjection(SectionReader outlier)
    {
        var defaults = new OutlierEjectionConfig();
        return new()
        {
            Interval = outlier.Time("Interval") ?? defaults.Interval,
            Factor = outlier.Double("Factor") ?? defaults.Factor,
            Tolerance = outlier.Double("Tolerance") ?? defaults.Tolerance,
            MinimumDestinations = outlier.Int("MinimumDestinations") ?? defaults.MinimumDestinations,
            MinimumRequests = outlier.Int("MinimumRequests") ?? defaults.MinimumRequests,
            FailureStatuses = outlier.Text("FailureStatuses") ?? defaults.FailureStatuses,
        };
    }
}
