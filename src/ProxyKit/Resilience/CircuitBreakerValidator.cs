using System.Globalization;
using ProxyKit.Configuration;

namespace ProxyKit.Resilience;

/// <summary>The part of validation that concerns circuit breakers: Polly's ranges, said as all else is.</summary>
internal static class CircuitBreakerValidator
{
    public static void Validate(string where, CircuitBreakerConfig? breaker, List<string> errors)
    {
        if (breaker is null)
            return;
        where += ": CircuitBreaker";
        if (breaker.FailureRatio is not (> 0 and <= 1))
            errors.Add($"{where}.FailureRatio is {breaker.FailureRatio.ToString(CultureInfo.InvariantCulture)}; it must be above 0 and at most 1.");
        if (breaker.MinimumThroughput < 2)
            errors.Add($"{where}.MinimumThroughput is {breaker.MinimumThroughput}; it must be at least 2.");
        if (breaker.ProbeRequests < 1)
            errors.Add($"{where}.ProbeRequests is {breaker.ProbeRequests}; it must be at least 1.");
        if (!StatusRanges.TryParse(breaker.FailureStatuses, out _))
            errors.Add($"{where}.FailureStatuses '{breaker.FailureStatuses}' is not allowed; it must be {StatusRanges.Allowed}.");
        Duration(nameof(breaker.SamplingDuration), breaker.SamplingDuration);
        Duration(nameof(breaker.BreakDuration), breaker.BreakDuration);

        void Duration(string name, TimeSpan value)
        {
            if (value < TimeSpan.FromMilliseconds(500) || value > TimeSpan.FromHours(24))
                errors.Add($"{where}.{name} is {value}; it must be 00:00:00.5 to 24 hours.");
        }
    }
}
