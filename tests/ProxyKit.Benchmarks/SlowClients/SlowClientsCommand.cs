using System.Globalization;
using ProxyKit.Benchmarks.Load;

namespace ProxyKit.Benchmarks.SlowClients;

/// <summary><c>slow-clients</c>: who keeps php-fpm's few workers free while many clients are on slow lines.</summary>
internal static class SlowClientsCommand
{
    public static async Task<int> RunAsync(string[] args)
    {
        // A .NET proxy locks its temporary files against other .NET programs; we only ask for their length.
        AppContext.SetSwitch("System.IO.DisableFileLocking", true);
        if (args is ["--help" or "--list", ..])
        {
            Console.WriteLine(SlowClientsOptions.Usage);
            return 0;
        }
        return await Command.RunAsync(stop => CompareAsync(SlowClientsOptions.Parse(args), stop));
    }

    private static async Task CompareAsync(SlowClientsOptions options, CancellationToken cancellation)
    {
        using var workspace = await Workspace.CreateAsync(cancellation);
        var experiment = new Experiment(workspace, options);
        foreach (var run in options.Runs)
        {
            var results = new List<(string Target, ExperimentResult Result)>();
            foreach (var target in options.Targets)
                if (await experiment.RunAsync(target, run, cancellation) is { } result)
                    results.Add((target, result));
            // That of the same run, as the machine is now.
            var nginx = results.Find(r => r.Target == "nginx-php").Result?.CpuSeconds;
            var clients = run == "crawl" ? SlowClientsOptions.Crawlers : options.Clients;
            var rows = new List<string[]> { Head(run) };
            rows.AddRange(results.Select(r => Row(r.Target, run, clients, r.Result, nginx)));
            Command.Progress("");
            Console.WriteLine($"\n### {Title(run, options)}\n");
            MarkdownTable.Write(Console.Out, rows);
        }
    }

    private static bool IsAttack(string run) => SlowClientsOptions.Attacks.Contains(run);

    private static string Title(string run, SlowClientsOptions options) => IsAttack(run)
        ? $"slowhttptest, slow {run}: {options.Clients} connections, {options.AttackSeconds:N0} s, {options.Workers} php-fpm workers"
        : run == "crawl" ? $"crawl: {SlowClientsOptions.Crawlers} readers, {options.Size:N0} B each at {SlowClientsOptions.CrawlRate:N0} B/s, {options.Workers} php-fpm workers"
        : $"{run}: {options.Clients} slow clients, {options.Size:N0} B each at {options.Rate:N0} B/s, {options.Workers} php-fpm workers";

    private static string[] Head(string run) =>
    [
        "target",
        .. IsAttack(run) ? ["held"] : (string[])["served", "refused", "broken", "worker-s each"],
        "fast OK", "fast p50 ms", "fast p99 ms", "worker-busy s", "all busy %", "memory MB", "temp MB", "CPU s", "x nginx", "seconds",
    ];

    private static string[] Row(string target, string run, int clients, ExperimentResult result, double? nginx)
    {
        var (load, samples) = (result.Load, result.Samples);
        return
        [
            SlowClientsOptions.ShortName(target),
            .. IsAttack(run) ? [$"{load.Held}"] :
                (string[])[$"{load.Served}/{clients}", $"{load.Refused}", $"{load.Broken}", load.Served == 0 ? "" : Number(samples.BusySeconds / load.Served, 3)],
            $"{load.Answered}/{load.Fast}", Number(load.P50, 0), Number(load.P99, 0),
            Number(samples.BusySeconds, 1), Number(samples.AllBusyPercent, 0),
            $"{Number(samples.MemoryBefore / 1e6, 0)} to {Number(samples.MemoryPeak / 1e6, 0)}", Number(samples.DiskPeak / 1e6, 0),
            Number(result.CpuSeconds, 1), nginx > 0 ? Number(result.CpuSeconds / nginx.Value, 1) : "", Number(load.Elapsed, 0),
        ];
    }

    private static string Number(double number, int decimals) => number.ToString("N" + decimals, CultureInfo.InvariantCulture);
}
