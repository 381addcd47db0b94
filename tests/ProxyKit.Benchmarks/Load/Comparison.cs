using System.Diagnostics;
using ProxyKit.Benchmarks.Caching;
using ProxyKit.Benchmarks.Php;

namespace ProxyKit.Benchmarks.Load;

/// <summary>
/// Runs one scenario: every target is started and warmed up, then measured in interleaved rounds,
/// so that whatever the machine does in the meantime befalls all of them alike; and this as often as there are starts.
/// </summary>
internal sealed class Comparison(Workspace workspace, ServerProcess backend, PhpFpm? php, LoadOptions options)
{
    private const int WarmUpRequests = 60_000;
    private static readonly TimeSpan LongestWarmUp = TimeSpan.FromSeconds(60);

    private readonly LoadGenerator _generator = new(workspace);

    public async Task<IReadOnlyList<TargetResult>> RunAsync(Scenario scenario, CancellationToken cancellation)
    {
        var results = new List<TargetResult>();
        for (var start = 0; start < options.Starts; start++)
            await RunOnceAsync(scenario, results, cancellation);
        return results;
    }

    private async Task RunOnceAsync(Scenario scenario, List<TargetResult> results, CancellationToken cancellation)
    {
        var targets = new List<ServerProcess>();
        try
        {
            foreach (var name in options.TargetsOf(scenario))
                if (await StartAsync(name, cancellation) is { } target)
                    targets.Add(target);
            var able = new List<ServerProcess>();
            foreach (var target in targets)
            {
                if (!results.Exists(result => result.Name == target.Name))
                    results.Add(new TargetResult(target.Name, options.QuietPercent));
                if (await WarmUpAsync(scenario, target, cancellation))
                    able.Add(target);
            }
            await MeasureAsync(scenario, able, results, cancellation);
        }
        finally
        {
            targets.ForEach(target => target.Dispose());
        }
    }

    private Task<ServerProcess?> StartAsync(string name, CancellationToken cancellation) =>
        PhpTargets.Names.Contains(LoadOptions.WithoutSuffix(name)) ? PhpTargets.StartAsync(name, workspace, RequirePhp(name), upstream: null, cancellation)
        : CacheTargets.Names.Contains(name) ? CacheTargets.StartAsync(name, workspace, backend.Port, cancellation)
        : name == NginxProcess.Name ? NginxProcess.StartAsync(workspace, backend.Port, cancellation)
        : DotNetProcess.StartAsync(name, workspace, $"http://127.0.0.1:{backend.Port}", null, cancellation);

    private PhpFpm RequirePhp(string name) => php ?? throw new LoadException($"The target {name} is for scenarios with PHP: --scenario php-hello");

    // False when the target has no answer to this scenario.
    private async Task<bool> WarmUpAsync(Scenario scenario, ServerProcess target, CancellationToken cancellation)
    {
        Command.Progress($"{scenario.Name}: warming up {target.Name}");
        var started = Stopwatch.GetTimestamp();
        for (var requests = 0L; requests < (target.IsManaged ? WarmUpRequests : 1) && Stopwatch.GetElapsedTime(started) < LongestWarmUp;)
        {
            var load = await _generator.RunAsync(scenario.WarmUp, target, target.IsManaged ? 2 : 1, cancellation);
            if (load.Requests == load.Refused)
                return false;
            requests += load.Requests;
        }
        return !scenario.IsStream || (await _generator.RunAsync(scenario.Load, target, options.Seconds, cancellation)).Requests > 0;
    }

    private async Task MeasureAsync(
        Scenario scenario, List<ServerProcess> targets, List<TargetResult> results, CancellationToken cancellation)
    {
        var patience = options.LongestWait;
        for (var round = 0; round < options.Rounds; round++)
        {
            for (var i = 0; i < targets.Count; i++)
            {
                // There and back again: no target always follows the same one.
                var target = targets[round % 2 == 0 ? i : targets.Count - 1 - i];
                Command.Progress($"{scenario.Name}: round {round + 1} of {options.Rounds}, {target.Name}");
                (var measurement, patience) = await MeasureQuietlyAsync(scenario, target, patience, cancellation);
                results.Find(result => result.Name == target.Name)!.Rounds.Add(measurement);
            }
        }
        Command.Progress("");
    }

    private async Task<(Measurement Measurement, TimeSpan PatienceLeft)> MeasureQuietlyAsync(
        Scenario scenario, ServerProcess target, TimeSpan patience, CancellationToken cancellation)
    {
        var meter = new Meter(_generator);
        while (true)
        {
            var started = Stopwatch.GetTimestamp();
            if (patience > TimeSpan.Zero && await Meter.OtherCpuPercentAsync(cancellation) > options.QuietPercent)
            {
                patience -= Stopwatch.GetElapsedTime(started);
                continue;
            }
            if (!scenario.IsStream)
                await _generator.RunAsync(scenario.WarmUp, target, .3, cancellation);
            var measurement = await meter.MeasureAsync(scenario.Load, target, options.Seconds, cancellation);
            if (patience <= TimeSpan.Zero || !TargetResult.IsDisturbed(measurement, options.QuietPercent))
                return (measurement, patience);
            patience -= Stopwatch.GetElapsedTime(started);
        }
    }
}
