using System.Globalization;
using ProxyKit.Configuration;

namespace ProxyKit.Health;

/// <summary>The part of validation that concerns passive health checks.</summary>
internal static class PassiveHealthValidator
{
    public static void Validate(string where, PassiveHealthCheckConfig passive, List<string> errors)
    {
        where += ": HealthCheck.Passive";
        if (passive.ConsecutiveFailures < 0)
            errors.Add($"{where}.ConsecutiveFailures is {passive.ConsecutiveFailures}; it must be at least 1, or 0 to switch it off.");
        if (passive.FailureRate is not (>= 0 and <= 1))
            errors.Add($"{where}.FailureRate is {Text(passive.FailureRate)}; it must be 0 to 1, 0 to switch it off.");
        Window("Window", passive.Window);
        if (passive.MinimumRequests < 1)
            errors.Add($"{where}.MinimumRequests is {passive.MinimumRequests}; it must be at least 1.");
        Statuses("FailureStatuses", passive.FailureStatuses);
        Period("ReactivationPeriod", passive.ReactivationPeriod);
        Period("MaxReactivationPeriod", passive.MaxReactivationPeriod);
        if (passive.MaxEjectedPercent is < 0 or > 100)
            errors.Add($"{where}.MaxEjectedPercent is {passive.MaxEjectedPercent}; it must be 0 to 100.");
        if (passive is { Enabled: true, OutlierEjection: null, ConsecutiveFailures: var failures, FailureRate: var rate, Policy: var policy }
            && (failures == 0 || policy == PassiveHealthPolicy.TransportFailureRate) && (rate == 0 || policy == PassiveHealthPolicy.ConsecutiveFailures))
            errors.Add($"{where} is enabled, but nothing can eject a destination: with Policy {policy}, {(policy == PassiveHealthPolicy.Any ? "ConsecutiveFailures and FailureRate are" : policy == PassiveHealthPolicy.ConsecutiveFailures ? "ConsecutiveFailures is" : "FailureRate is")} 0.");

        if (passive.OutlierEjection is not { } outlier)
            return;
        Window("OutlierEjection.Interval", outlier.Interval);
        if (outlier.Factor is not (> 0 and <= 10))
            errors.Add($"{where}.OutlierEjection.Factor is {Text(outlier.Factor)}; it must be above 0 and at most 10.");
        if (outlier.Tolerance is not (>= 0 and <= 1))
            errors.Add($"{where}.OutlierEjection.Tolerance is {Text(outlier.Tolerance)}; it must be 0 to 1.");
        if (outlier.MinimumDestinations < 2)
            errors.Add($"{where}.OutlierEjection.MinimumDestinations is {outlier.MinimumDestinations}; it must be at least 2.");
        if (outlier.MinimumRequests < 1)
            errors.Add($"{where}.OutlierEjection.MinimumRequests is {outlier.MinimumRequests}; it must be at least 1.");
        Statuses("OutlierEjection.FailureStatuses", outlier.FailureStatuses);

        void Window(string name, TimeSpan value)
        {
            if (value < TimeSpan.FromMilliseconds(100) || value > TimeSpan.FromHours(1))
                errors.Add($"{where}.{name} is {value}; it must be 00:00:00.1 to 01:00:00.");
        }

        void Period(string name, TimeSpan value)
        {
            if (value < TimeSpan.FromMilliseconds(1) || value > TimeSpan.FromHours(24))
                errors.Add($"{where}.{name} is {value}; it must be 00:00:00.001 to 24 hours.");
        }

        void Statuses(string name, string? value)
        {
            if (value is { Length: > 0 } && !StatusRanges.TryParse(value, out _))
                errors.Add($"{where}.{name} '{value}' is not allowed; it must be {StatusRanges.Allowed}.");
        }
    }

    private static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);
}
