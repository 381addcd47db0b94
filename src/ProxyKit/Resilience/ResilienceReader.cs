using System.Globalization;
using ProxyKit.Configuration;

namespace ProxyKit.Resilience;

/// <summary>A cluster's <c>Resilience</c> in JSON.</summary>
internal static class ResilienceReader
{
    public static ResilienceConfig Read(SectionReader resilience) => new()
    {
        Retries = resilience.Section("Retries", ReadRetries),
        Hedging = resilience.Section("Hedging", ReadHedging),
    };

    private static RetryConfig ReadRetries(SectionReader retries)
    {
        var defaults = new RetryConfig();
        return new()
        {
            MaxRetryAttempts = retries.Int("MaxRetryAttempts"),
            PerTryTimeout = retries.Time("PerTryTimeout"),
            Statuses = retries.Has("Statuses") ? ReadStatuses(retries) : defaults.Statuses,
            NonIdempotent = retries.Bool("NonIdempotent") ?? defaults.NonIdempotent,
            MaxBodySize = retries.Int("MaxBodySize") ?? defaults.MaxBodySize,
            Delay = retries.Time("Delay") ?? defaults.Delay,
            MaxDelay = retries.Time("MaxDelay") ?? defaults.MaxDelay,
            BudgetRatio = retries.Double("BudgetRatio") ?? defaults.BudgetRatio,
            BudgetMinimum = retries.Int("BudgetMinimum") ?? defaults.BudgetMinimum,
        };
    }

    private static ValueList<int> ReadStatuses(SectionReader retries)
    {
        var statuses = new List<int>();
        foreach (var text in retries.Texts("Statuses"))
        {
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var status))
                statuses.Add(status);
            else
                retries.Errors.Add($"{retries.Path}:Statuses: '{text}' is not allowed; it must be a status such as 503.");
        }
        return statuses.ToValueList();
    }

    private static HedgingConfig ReadHedging(SectionReader hedging)
    {
        var defaults = new HedgingConfig();
        return new()
        {
            Delay = hedging.Time("Delay") ?? defaults.Delay,
            Percentile = hedging.Double("Percentile"),
            MaxHedgedAttempts = hedging.Int("MaxHedgedAttempts") ?? defaults.MaxHedgedAttempts,
        };
    }
}
