using System.Diagnostics;
using System.Text.RegularExpressions;
using ProxyKit.Benchmarks.Load;

namespace ProxyKit.Benchmarks.Php;

/// <summary>A php-fpm with a fixed number of workers, on a Unix socket. Its status has a socket of its own, so asking occupies no worker.</summary>
internal sealed partial class PhpFpm : IDisposable
{
    private static readonly TimeSpan LongestStart = TimeSpan.FromSeconds(20);

    private static int _started;

    private readonly ServerProcess _process;
    private readonly FpmStatus _status;

    private PhpFpm(ServerProcess process, PhpSite site, string folder) =>
        (_process, Site, Socket, _status) = (process, site, SocketIn(folder), new FpmStatus(StatusIn(folder)));

    public PhpSite Site { get; }

    public string Socket { get; }

    public static async Task<PhpFpm> StartAsync(Workspace workspace, PhpSite site, int workers, CancellationToken cancellation)
    {
        var program = Find() ?? throw new LoadException("php-fpm is not installed: apt-get install php-fpm");
        var folder = Directory.CreateDirectory(workspace.TargetFolder($"php-fpm-{Interlocked.Increment(ref _started)}")).FullName;
        var configuration = Path.Combine(folder, "php-fpm.conf");
        await File.WriteAllTextAsync(configuration, Configuration(folder, workers), cancellation);
        var process = await ServerProcess.StartAsync("php-fpm", new ProcessStartInfo(program, ["-F", "-y", configuration]), 0, 0, 0, cancellation);
        var fpm = new PhpFpm(process, site, folder);
        try
        {
            var started = Stopwatch.GetTimestamp();
            while (await fpm.ActiveWorkersAsync(cancellation) is null)
            {
                if (Stopwatch.GetElapsedTime(started) > LongestStart)
                    throw new LoadException($"php-fpm did not start:\n{process.Output}");
                await Task.Delay(50, cancellation);
            }
            return fpm;
        }
        catch
        {
            fpm.Dispose();
            throw;
        }
    }

    /// <summary>How many workers have a connection: it ends when the proxy closes it, not when the script does. Null when there is no answer.</summary>
    public async Task<int?> ActiveWorkersAsync(CancellationToken cancellation) =>
        ActiveProcesses().Match(await _status.ReadAsync(cancellation)) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan) : null;

    public void Dispose() => _process.Dispose();

    private static string? Find() =>
        Tool.Find("php-fpm") ?? Tool.FindAll("php-fpm*").Where(path => Version().IsMatch(path)).MaxBy(path => double.Parse(Version().Match(path).ValueSpan));

    private static string SocketIn(string folder) => Path.Combine(folder, "fpm.sock");

    private static string StatusIn(string folder) => Path.Combine(folder, "status.sock");

    private static string Configuration(string folder, int workers) => $"""
        [global]
        daemonize = no
        error_log = /dev/stderr
        log_level = warning
        [www]
        {(Environment.IsPrivilegedProcess ? "user = nobody\ngroup = nogroup" : "")}
        listen = {SocketIn(folder)}
        listen.mode = 0666
        pm = static
        pm.max_children = {workers}
        pm.status_path = {FpmStatus.Path}
        pm.status_listen = {StatusIn(folder)}
        php_admin_value[post_max_size] = 1G
        php_admin_value[memory_limit] = 1G
        php_admin_value[max_execution_time] = 0
        """;

    [GeneratedRegex(@"(?<=php-fpm)\d+\.\d+$")]
    private static partial Regex Version();

    [GeneratedRegex(@"""active processes"":(\d+)")]
    private static partial Regex ActiveProcesses();
}
