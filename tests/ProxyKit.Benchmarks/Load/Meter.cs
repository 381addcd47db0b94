using System.Diagnostics;
using ProxyKit.Benchmarks.Targets;

namespace ProxyKit.Benchmarks.Load;

/// <summary>Measures one run, and how quiet the machine is.</summary>
internal sealed class Meter(LoadGenerator generator)
{
    public async Task<Measurement> MeasureAsync(LoadShape shape, ServerProcess target, double seconds, CancellationToken cancellation)
    {
        ProcessUsage.ResetPeakMemory(target.Id);
        var before = await StatsAsync(target, cancellation);
        var switchesBefore = ProcessUsage.ContextSwitches(target.Id);
        var cpuBefore = ProcessUsage.CpuSeconds(target.Id);
        var others = new OtherPrograms();
        var load = await generator.RunAsync(shape, target, seconds, cancellation);
        var otherCpuPercent = others.CpuPercent();
        var cpu = ProcessUsage.CpuSeconds(target.Id) - cpuBefore;
        var switches = ProcessUsage.ContextSwitches(target.Id) - switchesBefore;
        var after = await StatsAsync(target, cancellation);
        double requests = Math.Max(1, load.Requests);
        return new Measurement(
            load, cpu / requests, switches / requests, (after.WorkItems - before.WorkItems) / requests, (after.Allocated - before.Allocated) / requests,
            ProcessUsage.PeakMemoryBytes(target.Id), otherCpuPercent);
    }

    /// <summary>How much CPU programs outside the comparison use, over the next moments.</summary>
    public static async Task<double> OtherCpuPercentAsync(CancellationToken cancellation)
    {
        var others = new OtherPrograms();
        await Task.Delay(400, cancellation);
        return others.CpuPercent();
    }

    private static async Task<(double Allocated, double WorkItems)> StatsAsync(ServerProcess target, CancellationToken cancellation) =>
        target.IsManaged ? await StatsEndpoint.ReadAsync(target.StatsPort, cancellation) : (double.NaN, double.NaN);

    private sealed class OtherPrograms
    {
        private readonly double _before = Now();
        private readonly long _started = Stopwatch.GetTimestamp();

        public double CpuPercent() => Math.Max(0, (Now() - _before) / Stopwatch.GetElapsedTime(_started).TotalSeconds * 100);

        private static double Now() => ProcessUsage.MachineCpuSeconds() - ProcessUsage.OwnCpuSeconds();
    }
}
