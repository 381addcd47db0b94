namespace ProxyKit.Resilience;

/// <summary>Finds what is wrong with a cluster's <see cref="ResilienceConfig"/>.</summary>
internal static class ResilienceValidator
{
    public static void Validate(string where, ResilienceConfig resilience, List<string> errors)
    {
        if (resilience.Pipeline is not null && (resilience.Retries is not null || resilience.Hedging is not null))
            errors.Add($"{where}: a resilience pipeline of your own takes the place of Resilience.Retries and Resilience.Hedging; only one may be given.");
        if (resilience.Retries is { } retries)
        {
            Check(retries.MaxRetryAttempts is null or (>= 1 and <= 16), nameof(retries.MaxRetryAttempts), retries.MaxRetryAttempts, "1 to 16");
            Check(retries.PerTryTimeout is not { } perTry || (perTry > TimeSpan.Zero && perTry <= TimeSpan.FromMilliseconds(int.MaxValue)), nameof(retries.PerTryTimeout), retries.PerTryTimeout, "positive and at most 24 days");
            foreach (var status in retries.Statuses.Where(s => s is < 400 or > 599))
                Check(false, nameof(retries.Statuses), status, "400 to 599");
            Check(retries.MaxBodySize >= 0, nameof(retries.MaxBodySize), retries.MaxBodySize, "0 or more bytes");
            Check(retries.Delay >= TimeSpan.Zero && retries.Delay <= TimeSpan.FromHours(1), nameof(retries.Delay), retries.Delay, "00:00:00 to 01:00:00");
            Check(retries.MaxDelay >= retries.Delay && retries.MaxDelay <= TimeSpan.FromHours(1), nameof(retries.MaxDelay), retries.MaxDelay, $"at least Delay ({retries.Delay}) and at most 01:00:00");
            Check(retries.BudgetRatio is >= 0 and <= 10, nameof(retries.BudgetRatio), retries.BudgetRatio, "0 to 10");
            Check(retries.BudgetMinimum is >= 0 and <= 10_000, nameof(retries.BudgetMinimum), retries.BudgetMinimum, "0 to 10000");
        }
        if (resilience.Hedging is { } hedging)
        {
            CheckHedging(hedging.Delay >= TimeSpan.Zero && hedging.Delay <= TimeSpan.FromHours(1), nameof(hedging.Delay), hedging.Delay, "00:00:00 to 01:00:00");
            CheckHedging(hedging.Percentile is null or (>= 0.5 and <= 0.999), nameof(hedging.Percentile), hedging.Percentile, "0.5 to 0.999");
            CheckHedging(hedging.MaxHedgedAttempts is >= 1 and <= 5, nameof(hedging.MaxHedgedAttempts), hedging.MaxHedgedAttempts, "1 to 5");
        }

        void Check(bool isValid, string name, object? value, string allowed) => Add(isValid, $"Resilience.Retries.{name}", value, allowed);

        void CheckHedging(bool isValid, string name, object? value, string allowed) => Add(isValid, $"Resilience.Hedging.{name}", value, allowed);

        void Add(bool isValid, string name, object? value, string allowed)
        {
            if (!isValid)
                errors.Add(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{where}: {name} is {value}; it must be {allowed}."));
        }
    }
}
