using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using ProxyKit.Benchmarks.Load;
using ProxyKit.Benchmarks.Php;

namespace ProxyKit.Benchmarks.SlowClients;

/// <summary>What the slow clients and the fast one saw; times in milliseconds, <c>Elapsed</c> in seconds.</summary>
internal sealed record SlowLoadResult(int Served, int Refused, int Broken, int Fast, int Answered, double P50, double P99, double Elapsed)
{
    /// <summary>The most connections that slowhttptest held at once.</summary>
    public int Held { get; init; }
}

/// <summary>One target under one kind of slow clients.</summary>
internal sealed record ExperimentResult(SlowLoadResult Load, Samples Samples, double CpuSeconds);

/// <summary>
/// A php-fpm and a proxy of their own for each run, so that nothing is left over from the one before: no worker that is still held, no memory.
/// The proxy is warm when it begins.
/// </summary>
internal sealed partial class Experiment(Workspace workspace, SlowClientsOptions options)
{
    private readonly PhpSite _site = new(workspace.Folder, options.Size);

    /// <summary>Null, after saying so, when the target's program is not installed.</summary>
    public async Task<ExperimentResult?> RunAsync(string name, string run, CancellationToken cancellation)
    {
        using var php = await PhpFpm.StartAsync(workspace, _site, options.Workers, cancellation);
        using var upstream = await PhpTargets.StartUpstreamAsync(name, workspace, php, cancellation);
        using var target = await PhpTargets.StartAsync(name, workspace, php, upstream, cancellation);
        if (target is null)
            return null;
        Command.Progress($"{run}: warming up {name}");
        await WarmUpAsync(target, cancellation);
        Command.Progress($"{run}: {name}");
        var cpuBefore = ProcessUsage.CpuSeconds(target.Id);
        await using var sampler = new Sampler(php, target, workspace.TargetFolder(target.Name), options.Workers);
        var load = run switch
        {
            "up" => await RunAsync(target, Upload(target), options.Clients, options.Rate, options.Cut, cancellation),
            "down" => await RunAsync(target, Download(target), options.Clients, options.Rate, options.Cut, cancellation),
            "crawl" => await RunAsync(target, Download(target), SlowClientsOptions.Crawlers, SlowClientsOptions.CrawlRate, options.Size / SlowClientsOptions.CrawlRate + options.Cut, cancellation),
            _ => await AttackAsync(target, run, cancellation),
        };
        var samples = await sampler.EndAsync();
        return new ExperimentResult(load, samples, ProcessUsage.CpuSeconds(target.Id) - cpuBefore);
    }

    private async Task WarmUpAsync(ServerProcess target, CancellationToken cancellation)
    {
        await new LoadGenerator(workspace).RunAsync(new LoadShape("-c 2 -n 1000", PhpSite.Hello), target, 20, cancellation);
        foreach (var arguments in new[] { Upload(target), Download(target) })
        {
            var load = await RunAsync(target, arguments, clients: 20, rate: 0, cut: 20, cancellation);
            if (load is not { Served: 20 } || load.Answered < load.Fast)
                throw new LoadException($"{target.Name} does not serve the site even without slow clients: {load}\n{target.Output}");
        }
    }

    private string[] Upload(ServerProcess target) => ["-b", _site.Body, "-e", _site.UploadAnswer, Url(target, PhpSite.Upload)];

    private string[] Download(ServerProcess target) => ["-e", _site.Body, Url(target, PhpSite.Download)];

    private static string Url(ServerProcess target, string path) => $"http://127.0.0.1:{target.Port}{path}";

    private async Task<SlowLoadResult> RunAsync(
        ServerProcess target, string[] slow, int clients, double rate, double cut, CancellationToken cancellation)
    {
        string[] arguments =
        [
            "-n", $"{clients}", "-r", Invariant(rate), "-t", Invariant(options.StartOver), "-D", Invariant(cut),
            "-p", PhpSite.Hello, "-f", _site.HelloAnswer, .. slow,
        ];
        var (exitCode, output, error) = await Tool.RunAsync(workspace.SlowClients, arguments, cancellation);
        return exitCode == 0 ? JsonSerializer.Deserialize<SlowLoadResult>(output, JsonSerializerOptions.Web)! : throw new LoadException($"{target.Name}: {error}");
    }

    // slowhttptest holds its connections; beside it our fast client alone.
    private async Task<SlowLoadResult> AttackAsync(ServerProcess target, string attack, CancellationToken cancellation)
    {
        var program = Tool.Find("slowhttptest") ?? throw new LoadException("--attack needs slowhttptest: apt-get install slowhttptest");
        string[] kind = attack switch
        {
            "headers" => ["-H", "-i", "5", "-x", "24", "-u", Url(target, PhpSite.Hello)],
            "body" => ["-B", "-i", "5", "-x", "24", "-s", "65536", "-u", Url(target, PhpSite.Upload)],
            _ => ["-X", "-n", "1", "-z", "32", "-w", "512", "-y", "1024", "-u", Url(target, PhpSite.Download)],
        };
        var seconds = Math.Ceiling(options.AttackSeconds);
        string[] common = ["-c", $"{options.Clients}", "-r", $"{Math.Max(1, options.Clients / 4)}", "-l", Invariant(seconds), "-p", "3", "-v", "1"];
        var attacking = Tool.RunAsync(program, [.. kind, .. common], cancellation);
        var load = await RunAsync(target, [Url(target, PhpSite.Hello)], clients: 0, rate: 0, cut: seconds, cancellation);
        var (_, output, error) = await attacking;
        if (!output.Contains("Exit status", StringComparison.Ordinal))
            throw new LoadException($"slowhttptest did not run to its end:\n{output}\n{error}");
        return load with { Held = Connected().Matches(output).Max(match => int.Parse(match.Groups[1].ValueSpan)) };
    }

    private static string Invariant(double number) => number.ToString(CultureInfo.InvariantCulture);

    // Once a second, in colour.
    [GeneratedRegex(@"connected:\s*(?:\x1b\[[\d;]*m\s*)*(\d+)")]
    private static partial Regex Connected();
}
