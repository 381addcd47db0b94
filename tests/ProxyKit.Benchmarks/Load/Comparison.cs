using System.Diagnostics;

namespace ProxyKit.Benchmarks.Load;

/// <summary>
/// Runs one scenario: every target is started and warmed up, then measured in interleaved rounds,
/// so that whatever the machine does in the meantime befalls all of them alike.
/// </summary>
internal sealed class Comparison(Workspace workspace, ServerProcess backend, LoadOptions options)
{
    private const int WarmUpRequests = 60_000;
    private static readonly TimeSpan LongestWarmUp = TimeSpan.FromSeconds(60);

    private readonly LoadGenerator _generator = new(workspace);

    public async Task<IReadOnlyList<TargetResult>> RunAsync(Scenario scenario, CancellationToken cancellation)
    {
        var targets = new List<ServerProcess>();
        try
        {
            foreach (var name in options.Targets)
                if (await StartAsync(name, cancellation) is { } target)
                    targets.Add(target);
            var able = new List<ServerProcess>();
            foreach (var target in targets)
                if (await WarmUpAsync(scenario, target, cancellation))
                    able.Add(target);
            var results = targets.ConvertAll(target => new TargetResult(target.Name, options.QuietPercent));
            await MeasureAsync(scenario, able, results, cancellation);
            return results;
        }
        finally
        {
            targets.ForEach(target => target.Dispose());
        }
    }

    private async Task<ServerProcess?> StartAsync(string name, CancellationToken cancellation) => name == NginxProcess.Name
        ? await NginxProcess.StartAsync(workspace, backend.Port, cancellation)
        : await DotNetProcess.StartAsync(name, workspace, backend.Port, cancellation);

    // False when the target has no answer to this scenario.
    private async Task<bool> WarmUpAsync(Scenario scenario, ServerProcess target, CancellationToken cancellation)
    {
        Progress($"{scenario.Name}: warming up {target.Name}");
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
                Progress($"{scenario.Name}: round {round + 1} of {options.Rounds}, {target.Name}");
                (var measurement, patience) = await MeasureQuietlyAsync(scenario, target, patience, cancellation);
                results.Find(result => result.Name == target.Name)!.Rounds.Add(measurement);
            }
        }
        Progress("");
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

    private static void Progress(string text)
    {
        if (!Console.IsErrorRedirected)
            Console.Error.Write($"\r{text,-70}\r");
    }
}
