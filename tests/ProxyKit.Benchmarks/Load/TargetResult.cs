namespace ProxyKit.Benchmarks.Load;

/// <summary>The rounds of one target, and their medians.</summary>
internal sealed class TargetResult(string name, double quietPercent)
{
    public string Name { get; } = name;

    public List<Measurement> Rounds { get; } = [];

    public bool Answered => Rounds.Sum(r => r.Load.Requests) > 2 * Failures;

    public long Failures => Rounds.Sum(r => r.Load.Failures);

    public static bool IsDisturbed(Measurement measurement, double quietPercent) => measurement.OtherCpuPercent > quietPercent + 10;

    public double Median(Func<Measurement, double> figure) => Median(Calm(Rounds.Select(r => (r, r))).Select(r => figure(r.Item1)));

    /// <summary>The median, over the rounds, of this target's figure divided by the other's in the same round.</summary>
    public double MedianRatio(TargetResult other, Func<Measurement, double> figure) =>
        Median(Calm(Rounds.Zip(other.Rounds)).Select(pair => figure(pair.Item1) / figure(pair.Item2)));

    // The rounds that other programs did not disturb, or all of them when none was quiet.
    private List<(Measurement, Measurement)> Calm(IEnumerable<(Measurement, Measurement)> rounds)
    {
        var all = rounds.ToList();
        var calm = all.FindAll(pair => !IsDisturbed(pair.Item1, quietPercent) && !IsDisturbed(pair.Item2, quietPercent));
        return calm.Count == 0 ? all : calm;
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
