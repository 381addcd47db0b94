using System.Globalization;
using ProxyKit.Configuration;

namespace ProxyKit.Health;

/// <summary>A cluster's <c>HealthCheck</c> in JSON.</summary>
internal static class HealthCheckReader
{
    private const string ThresholdKey = "ConsecutiveFailuresHealthPolicy.Threshold", OnlyPolicy = "ConsecutiveFailures";

    // metadata: the cluster's, where YARP has its policies' settings.
    public static HealthCheckConfig Read(SectionReader check, ValueMap metadata) => new()
    {
        Active = check.Section("Active", active => ReadActive(active, metadata)) ?? new(),
        Passive = check.Section("Passive", passive => PassiveHealthReader.Read(passive, metadata)) ?? new(),
        AvailableDestinationsPolicy = check.Enum<AvailableDestinationsPolicy>("AvailableDestinationsPolicy") ?? default,
        PanicThreshold = check.Int("PanicThreshold") ?? 0,
        SlowStart = check.Time("SlowStart") ?? TimeSpan.Zero,
    };

    private static ActiveHealthCheckConfig ReadActive(SectionReader active, ValueMap metadata)
    {
        var defaults = new ActiveHealthCheckConfig();
        if (active.Text("Policy") is { Length: > 0 } policy && !policy.Equals(OnlyPolicy, StringComparison.OrdinalIgnoreCase))
            active.Errors.Add($"{active.Path}:Policy: '{policy}' is not allowed; it must be {OnlyPolicy}, whose thresholds are Rise and Fall.");
        return new()
        {
            Enabled = active.Bool("Enabled") ?? false,
            Probe = active.Enum<HealthProbe>("Probe") ?? default,
            Interval = active.Time("Interval") ?? defaults.Interval,
            IntervalWhenDown = active.Time("IntervalWhenDown"),
            Jitter = active.Double("Jitter") ?? defaults.Jitter,
            Timeout = active.Time("Timeout") ?? defaults.Timeout,
            Rise = active.Int("Rise") ?? defaults.Rise,
            Fall = active.Int("Fall") ?? ReadThreshold(active, metadata) ?? defaults.Fall,
            StartupWait = active.Time("StartupWait") ?? defaults.StartupWait,
            Path = active.Text("Path"),
            Query = active.Text("Query"),
            Method = active.Text("Method") ?? defaults.Method,
            Headers = active.Map("Headers"),
            Host = active.Text("Host"),
            ExpectedStatus = active.Text("ExpectedStatus") ?? defaults.ExpectedStatus,
            ExpectedBody = active.Text("ExpectedBody"),
            ExpectedBodyPattern = active.Text("ExpectedBodyPattern"),
            Version = active.HttpVersion("Version"),
            VersionPolicy = active.Enum<HttpVersionPolicy>("VersionPolicy"),
            GrpcService = active.Text("GrpcService"),
        };
    }

    private static int? ReadThreshold(SectionReader active, ValueMap metadata)
    {
        if (!metadata.TryGetValue(ThresholdKey, out var text))
            return null;
        // YARP reads a fraction, and compares failures with it.
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var threshold) && threshold is > 0 and < int.MaxValue)
            return (int)Math.Ceiling(threshold);
        active.Errors.Add($"{active.Path}: the cluster's Metadata '{ThresholdKey}' is '{text}'; it must be a positive number.");
        return null;
    }
}
