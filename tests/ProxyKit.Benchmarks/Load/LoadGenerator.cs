using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace ProxyKit.Benchmarks.Load;

/// <summary>Runs the load generators: our own for HTTP/1.1 and WebSocket, h2load for HTTP/2.</summary>
internal sealed partial class LoadGenerator(Workspace workspace)
{
    public static bool HasHttp2 => Tool.Find("h2load") is not null;

    public Task<LoadResult> RunAsync(LoadShape shape, ServerProcess target, double seconds, CancellationToken cancellation) =>
        shape.Http2 ? RunHttp2Async(shape, target, seconds, cancellation) : RunHttp1Async(shape, target, seconds, cancellation);

    private async Task<LoadResult> RunHttp1Async(LoadShape shape, ServerProcess target, double seconds, CancellationToken cancellation)
    {
        // A -d among the shape's own arguments comes later and wins.
        string[] arguments = ["-d", Invariant(seconds), .. shape.Arguments.Split(' '), $"http://127.0.0.1:{target.Port}{shape.Path}"];
        var (exitCode, output, error) = await Tool.RunAsync(workspace.LoadGenerator, arguments, cancellation);
        // A target that cannot do this scenario is a row without figures, not the end of the run.
        return exitCode == 0 ? JsonSerializer.Deserialize<LoadResult>(output, JsonSerializerOptions.Web)! : Failed(target, error);
    }

    private async Task<LoadResult> RunHttp2Async(LoadShape shape, ServerProcess target, double seconds, CancellationToken cancellation)
    {
        File.Delete(workspace.RequestLog);
        var wholeSeconds = Math.Max(1, Math.Round(seconds));
        string[] arguments =
        [
            "-t", "1", "-D", Invariant(wholeSeconds), .. shape.Arguments.Split(' '),
            $"--log-file={workspace.RequestLog}", $"https://127.0.0.1:{target.TlsPort}{shape.Path}",
        ];
        var (_, output, error) = await Tool.RunAsync(Tool.Find("h2load")!, arguments, cancellation);
        if (Http2Requests().Match(output) is not { Success: true } requests || !File.Exists(workspace.RequestLog))
            return Failed(target, error);
        // Each line: start, status, microseconds.
        var lines = await File.ReadAllLinesAsync(workspace.RequestLog, cancellation);
        long[] latencies = [.. lines.Select(line => long.Parse(line.AsSpan(line.LastIndexOf('\t') + 1))).Order()];
        return latencies.Length == 0 ? Failed(target, output) : new LoadResult(
            latencies.Length,
            lines.LongCount(line => !line.Contains("\t2")),
            long.Parse(requests.Groups["failed"].Value),
            wholeSeconds,
            latencies[latencies.Length / 2],
            latencies[(int)(latencies.Length * .99)]);
    }

    private static LoadResult Failed(ServerProcess target, string reason)
    {
        Console.Error.WriteLine($"  {target.Name}: {reason.Trim()}");
        return new LoadResult(0, 0, 1, 1, 0, 0);
    }

    private static string Invariant(double number) => number.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"requests: \d+ total.* (?<failed>\d+) failed")]
    private static partial Regex Http2Requests();
}
