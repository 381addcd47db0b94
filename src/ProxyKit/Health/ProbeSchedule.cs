namespace ProxyKit.Health;

/// <summary>When a destination is probed next.</summary>
internal static class ProbeSchedule
{
    private static readonly TimeSpan s_whenDown = TimeSpan.FromSeconds(5);

    /// <summary>From the start of a probe to the start of the next.</summary>
    /// <param name="config">The intervals.</param>
    /// <param name="isUrgent">Whether the destination is down or wavers.</param>
    /// <param name="isFirst">Whether the probe was the first one.</param>
    /// <param name="random">At least 0, less than 1.</param>
    public static TimeSpan Next(ActiveHealthCheckConfig config, bool isUrgent, bool isFirst, double random)
    {
        if (isUrgent)
            return (config.IntervalWhenDown ?? TimeSpan.FromTicks(Math.Min(s_whenDown.Ticks, config.Interval.Ticks))) * Around(1);
        // All destinations are probed at once when they appear; from then on they are spread over the interval.
        return config.Interval * (isFirst && config.Jitter > 0 ? random : Around(1));

        double Around(double one) => one + (config.Jitter * ((2 * random) - 1));
    }
}
