using System.Globalization;
using ProxyKit.Benchmarks.Caching;
using ProxyKit.Benchmarks.Php;

namespace ProxyKit.Benchmarks.Load;

/// <summary>Prints a scenario's results as a Markdown table.</summary>
internal static class ResultTable
{
    private delegate string Cell(TargetResult result);

    public static void Write(TextWriter output, Scenario scenario, IReadOnlyList<TargetResult> results)
    {
        var columns = Columns(scenario, result => results.FirstOrDefault(r => r.Answered && r.Name == Reference(scenario, result.Name)));
        var rows = new List<string[]> { columns.Select(c => c.Title).ToArray() };
        foreach (var result in results)
            rows.Add([.. columns.Select((column, i) => i == 0 || result.Answered ? column.Cell(result) : i == 1 ? "n/a" : "")]);
        output.WriteLine($"\n### {scenario.Name}: {scenario.Description}\n");
        MarkdownTable.Write(output, rows);
    }

    // The target that this one's figures are divided by: of its kind.
    private static string Reference(Scenario scenario, string name) =>
        ReferenceName(scenario) + (scenario.IsPhp ? "-php" : "") + new[] { "-balanced", PhpTargets.KeepSuffix }.FirstOrDefault(suffix => name.Contains(suffix, StringComparison.Ordinal));

    private static string ReferenceName(Scenario scenario) => scenario.IsPhp ? NginxProcess.Name : scenario.IsHit ? CacheTargets.Reference : "yarp";

    private static (string Title, Cell Cell)[] Columns(Scenario scenario, Func<TargetResult, TargetResult?> reference)
    {
        const double gigabyte = 1 << 30, megabyte = 1e6;
        (string Title, Cell Cell)[] columns =
        [
            ("target", r => r.Name),
            scenario.IsStream
                ? ("MB/s", r => Number(r.Median(m => m.Load.RequestsPerSecond) * gigabyte / megabyte, 0))
                : ("req/s", r => Number(r.Median(m => m.Load.RequestsPerSecond), 0)),
            ("p50 ms", r => Number(r.Median(m => m.Load.P50) / 1e3, 2)),
            ("p99 ms", r => Number(r.Median(m => m.Load.P99) / 1e3, 2)),
            scenario.IsStream
                ? ("CPU s/GB", r => Number(r.Median(m => m.CpuSecondsPerRequest), 2))
                : ("CPU us/req", r => Number(r.Median(m => m.CpuSecondsPerRequest) * 1e6, 1)),
            (scenario.IsStream ? "switches/GB" : "switches/req", r => Number(r.Median(m => m.ContextSwitchesPerRequest), scenario.IsStream ? 0 : 2)),
            (scenario.IsStream ? "items/GB" : "items/req", r => Number(r.Median(m => m.WorkItemsPerRequest), scenario.IsStream ? 0 : 2)),
            (scenario.IsStream ? "alloc B/GB" : "alloc B/req", r => Number(r.Median(m => m.AllocatedBytesPerRequest), 0)),
            ("body B", r => Number(r.Median(m => m.Load.BytesPerRequest), 0)),
            ("peak MB", r => Number(r.Median(m => m.PeakMemoryBytes) / megabyte, 0)),
            ($"CPU / {ReferenceName(scenario)}", r => Ratio(r, reference(r), m => m.CpuSecondsPerRequest)),
            ($"alloc / {ReferenceName(scenario)}", r => Ratio(r, reference(r), m => m.AllocatedBytesPerRequest)),
            ($"{(scenario.IsStream ? "MB/s" : "req/s")} / {ReferenceName(scenario)}", r => Ratio(r, reference(r), m => m.Load.RequestsPerSecond)),
            ("failed", r => Number(r.Failures, 0)),
            ("others %", r => Number(r.Median(m => m.OtherCpuPercent), 0)),
        ];
        // How well each compresses is part of what it costs.
        return scenario.IsHit ? columns : [.. columns.Where(column => column.Title != "body B")];
    }

    private static string Ratio(TargetResult result, TargetResult? reference, Func<Measurement, double> figure) =>
        reference is null ? "" : Number(result.MedianRatio(reference, figure), 2);

    private static string Number(double number, int decimals) =>
        double.IsNaN(number) ? "" : number.ToString("N" + decimals, CultureInfo.InvariantCulture);
}
