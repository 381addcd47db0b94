using System.Diagnostics;
using System.Net.Sockets;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>A database server of its own, in a temporary folder and on a Unix socket there; it ends with the test. Its root has no password.</summary>
internal sealed class MariaDb : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("proxykit-db-").FullName;
    private readonly string _program = RealServer.Require("mariadbd", "mariadb-server");
    private Process? _process;

    private MariaDb()
    {
    }

    public string SocketPath => Path.Combine(_folder, "db.sock");

    private string Log => Path.Combine(_folder, "db.log");

    /// <summary>Starts it with these databases, empty.</summary>
    public static async Task<MariaDb> StartAsync(params string[] databases)
    {
        var installer = RealServer.Require("mariadb-install-db", "mariadb-server");
        var server = new MariaDb();
        try
        {
            await server.InstallAsync(installer);
            await server.RunAsync(databases);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    private string[] Common => ["--no-defaults", $"--datadir={Path.Combine(_folder, "data")}", "--innodb-log-file-size=8M", .. Environment.IsPrivilegedProcess ? ["--user=root"] : Array.Empty<string>()];

    private async Task InstallAsync(string installer)
    {
        using var install = Process.Start(new ProcessStartInfo(installer, [.. Common, "--auth-root-authentication-method=normal", "--skip-test-db"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = install.StandardOutput.ReadToEndAsync();
        var error = install.StandardError.ReadToEndAsync();
        await install.WaitForExitAsync();
        if (install.ExitCode != 0)
            throw new InvalidOperationException($"mariadb-install-db: {await output}{await error}");
    }

    private async Task RunAsync(string[] databases)
    {
        var init = Path.Combine(_folder, "init.sql");
        await File.WriteAllLinesAsync(init, databases.Select(name => $"CREATE DATABASE {name};"));
        // It need not survive a power failure.
        _process = Process.Start(_program,
            [.. Common, $"--socket={SocketPath}", $"--pid-file={Path.Combine(_folder, "db.pid")}", $"--log-error={Log}", $"--init-file={init}", "--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]);
        for (var limit = Stopwatch.StartNew(); ;)
        {
            try
            {
                using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath));
                return;
            }
            catch (SocketException) when (!_process.HasExited && limit.Elapsed < TimeSpan.FromSeconds(30))
            {
                await Task.Delay(50); // it says nowhere that it listens
            }
            catch (SocketException e)
            {
                throw new InvalidOperationException($"mariadbd does not start: {(File.Exists(Log) ? File.ReadAllText(Log) : "")}", e);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            if (!_process.HasExited)
                _process.Kill();
            await _process.WaitForExitAsync();
            _process.Dispose();
        }
        Directory.Delete(_folder, recursive: true);
    }
}
