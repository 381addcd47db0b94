using ProxyKit.Configuration;

namespace ProxyKit.Health;

/// <summary>A cluster's <c>HealthCheck</c> in JSON.</summary>
internal static class HealthCheckReader
{
    public static HealthCheckConfig Read(SectionReader check) => new()
    {
        Active = check.Section("Active", ReadActive) ?? new(),
        Passive = check.Section("Passive", PassiveHealthReader.Read) ?? new(),
    };

    private static ActiveHealthCheckConfig ReadActive(SectionReader active) => new()
    {
        Enabled = active.Bool("Enabled") ?? false,
    };
}
