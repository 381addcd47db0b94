using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>A php-fpm of its own, on a Unix socket in a temporary folder or on a free port of the loopback; it and its workers end with the test.</summary>
internal sealed class PhpFpm : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("proxykit-fpm-").FullName;
    private readonly PhpFpmOptions _options;
    private readonly string _program;
    private readonly int _port;
    private readonly StringBuilder _output = new();
    private Process? _process;

    private PhpFpm(string program, PhpFpmOptions options)
    {
        (_program, _options) = (program, options);
        Root = Directory.CreateDirectory(Path.Combine(_folder, "www")).FullName;
        Directory.CreateDirectory(Path.Combine(_folder, "tmp"));
        if (!options.IsTcp)
            return;
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        _port = ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    /// <summary>The folder of the scripts.</summary>
    public string Root { get; }

    /// <summary>As a destination has it.</summary>
    public string Address => _options.IsTcp ? $"fastcgi://127.0.0.1:{_port}" : $"fastcgi://unix:{SocketPath}";

    public string SocketPath => Path.Combine(_folder, "fpm.sock");

    public EndPoint EndPoint => _options.IsTcp ? new IPEndPoint(IPAddress.Loopback, _port) : new UnixDomainSocketEndPoint(SocketPath);

    /// <summary>What php-fpm itself wrote into its log.</summary>
    public string Log => File.Exists(LogPath) ? File.ReadAllText(LogPath) : "";

    private string LogPath => Path.Combine(_folder, "fpm.log");

    private EndPoint StatusEndPoint => _options.StatusIsInPool ? EndPoint : new UnixDomainSocketEndPoint(Path.Combine(_folder, "status.sock"));

    public static Task<PhpFpm> StartAsync() => StartAsync(static _ => { });

    public static async Task<PhpFpm> StartAsync(Action<PhpFpmOptions> configure)
    {
        var options = new PhpFpmOptions();
        configure(options);
        var fpm = new PhpFpm(RealServer.RequireAny("php-fpm*", "php-fpm"), options);
        try
        {
            await fpm.StartAgainAsync();
            return fpm;
        }
        catch
        {
            await fpm.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes a script, or any file, below the root.</summary>
    public PhpFpm With(string path, string content)
    {
        var file = Path.Combine(Root, path.TrimStart('/'));
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, content);
        return this;
    }

    /// <summary>Starts it at the same address as before, and waits until it answers.</summary>
    public async Task StartAgainAsync()
    {
        var config = Path.Combine(_folder, "fpm.conf");
        await File.WriteAllTextAsync(config, Config());
        var start = new ProcessStartInfo(_program, ["-y", config, "-F", "-R"]) { RedirectStandardError = true, RedirectStandardOutput = true };
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, line) => Heard(line.Data);
        _process.OutputDataReceived += (_, line) => Heard(line.Data);
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        for (var limit = Stopwatch.StartNew(); ;)
        {
            try
            {
                // The pool's own workers are left alone: some tests have one, and a backlog of one.
                await StatusAsync();
                using var socket = new Socket(EndPoint.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(EndPoint);
                return;
            }
            catch (Exception e) when (e is SocketException or IOException or JsonException && !_process.HasExited && limit.Elapsed < TimeSpan.FromSeconds(20))
            {
                await Task.Delay(20); // it says nowhere that it listens
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                throw new InvalidOperationException($"php-fpm does not start: {_output}{Log}", e);
            }
        }
    }

    /// <summary>How it is now. A worker of its own answers, so none of the pool's is needed or counted.</summary>
    public async Task<PhpFpmStatus> StatusAsync()
    {
        var reply = await FastCgiAsk.GetAsync(StatusEndPoint, "/status", "/status", "json&full");
        return JsonSerializer.Deserialize<PhpFpmStatus>(reply.Body) ?? throw new IOException("no status");
    }

    /// <summary>Asks until it is as the test says.</summary>
    public async Task<PhpFpmStatus> UntilAsync(Func<PhpFpmStatus, bool> condition)
    {
        for (var limit = Stopwatch.StartNew(); ;)
        {
            var status = await StatusAsync();
            if (condition(status))
                return status;
            Assert.True(limit.Elapsed < TimeSpan.FromSeconds(15), $"php-fpm is still {status}");
            await Task.Delay(10);
        }
    }

    /// <summary>The ids of the processes of the pool.</summary>
    public async Task<IReadOnlyList<int>> WorkersAsync() => [.. (await StatusAsync()).Processes.Select(p => p.Pid)];

    /// <summary>Ends processes with SIGKILL; php-fpm starts others in their place.</summary>
    public static void Kill(IEnumerable<int> workers)
    {
        foreach (var worker in workers)
            Signal("KILL", worker);
    }

    /// <summary>Ends it and all its workers at once, in the midst of what they do, unless <paramref name="graceful"/>.</summary>
    public async Task StopAsync(bool graceful = false)
    {
        if (_process is null)
            return;
        if (!_process.HasExited)
            Signal(graceful ? "QUIT" : "TERM", _process.Id);
        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
        _process.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private string Config()
    {
        var text = new StringBuilder($"""
            [global]
            daemonize = no
            error_log = {LogPath}
            log_level = notice
            [www]
            {(Environment.IsPrivilegedProcess ? "user = root\ngroup = root" : "")}
            listen = {(_options.IsTcp ? $"127.0.0.1:{_port}" : SocketPath)}
            listen.backlog = {_options.Backlog}
            pm = static
            pm.max_children = {_options.Workers}
            pm.max_requests = {_options.MaxRequests}
            pm.status_path = /status
            {(_options.StatusIsInPool ? "" : $"pm.status_listen = {Path.Combine(_folder, "status.sock")}")}
            ping.path = /ping
            request_terminate_timeout = {_options.TerminateTimeout.TotalSeconds.ToString(CultureInfo.InvariantCulture)}
            security.limit_extensions = {_options.LimitExtensions}

            """);
        // As a user it may not write into the system's folders.
        var ini = new Dictionary<string, string>
        {
            ["session.save_path"] = Path.Combine(_folder, "tmp"), ["sys_temp_dir"] = Path.Combine(_folder, "tmp"), ["upload_tmp_dir"] = Path.Combine(_folder, "tmp"),
            ["post_max_size"] = "0", ["upload_max_filesize"] = "2G", ["max_execution_time"] = "0",
            ["opcache.enable"] = "0", // it would run a script that a test has replaced
        };
        foreach (var (name, value) in _options.Ini)
            ini[name] = value;
        foreach (var (name, value) in ini)
            text.AppendLine(CultureInfo.InvariantCulture, $"php_admin_value[{name}] = {value}");
        return text.ToString();
    }

    private void Heard(string? line)
    {
        lock (_output)
            _output.AppendLine(line);
    }

    private static void Signal(string signal, int process)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{process}"]);
        kill.WaitForExit();
    }
}
