using System.Globalization;
using ProxyKit.Configuration;

namespace ProxyKit.Health;

/// <summary>A cluster's <c>HealthCheck:Passive</c> in JSON.</summary>
internal static class PassiveHealthReader
{
    private const string RateLimitKey = "TransportFailureRateHealthPolicy.RateLimit";

    // metadata: the cluster's, where YARP has its policies' settings.
    public static PassiveHealthCheckConfig Read(SectionReader passive, ValueMap metadata)
    {
        var defaults = new PassiveHealthCheckConfig();
        return new()
        {
            Enabled = passive.Bool("Enabled"),
            Policy = ReadPolicy(passive) ?? defaults.Policy,
            ConsecutiveFailures = passive.Int("ConsecutiveFailures") ?? defaults.ConsecutiveFailures,
            FailureRate = passive.Double("FailureRate") ?? ReadRateLimit(passive, metadata) ?? defaults.FailureRate,
            Window = passive.Time("Window") ?? defaults.Window,
            MinimumRequests = passive.Int("MinimumRequests") ?? defaults.MinimumRequests,
            FailureStatuses = passive.Text("FailureStatuses"),
            OutlierEjection = passive.Section("OutlierEjection", ReadOutlierEjection),
            ReactivationPeriod = passive.Time("ReactivationPeriod") ?? defaults.ReactivationPeriod,
            MaxReactivationPeriod = passive.Time("MaxReactivationPeriod") ?? defaults.MaxReactivationPeriod,
            MaxEjectedPercent = passive.Int("MaxEjectedPercent") ?? defaults.MaxEjectedPercent,
        };
    }

    // YARP's documentation has the name of the class, too.
    private static PassiveHealthPolicy? ReadPolicy(SectionReader passive) =>
        passive.Has("Policy") && string.Equals(passive.Text("Policy"), "TransportFailureRateHealthPolicy", StringComparison.OrdinalIgnoreCase)
            ? PassiveHealthPolicy.TransportFailureRate
            : passive.Enum<PassiveHealthPolicy>("Policy");

    private static double? ReadRateLimit(SectionReader passive, ValueMap metadata)
    {
        if (!metadata.TryGetValue(RateLimitKey, out var text))
            return null;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= 1)
            return limit;
        passive.Errors.Add($"{passive.Path}: the cluster's Metadata '{RateLimitKey}' is '{text}'; it must be above 0 and at most 1.");
        return null;
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
