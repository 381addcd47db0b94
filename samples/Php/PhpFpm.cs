using System.Diagnostics;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Php;

/// <summary>A php-fpm that this program runs, with a configuration of its own in a temporary folder. On a server the system runs it, and the app only knows its address.</summary>
internal sealed partial class PhpFpm : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _folder;

    private PhpFpm(Process process, string folder) => (_process, _folder) = (process, folder);

    public string Address => $"fastcgi://unix:{Socket(_folder)}";

    /// <summary>The given one, or the newest that is installed.</summary>
    public static string? Find(string? path)
    {
        if (path is not null)
            return File.Exists(path) ? path : null;
        // Debian calls it php-fpm8.2, and keeps it where a user's PATH does not look.
        var folders = $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin".Split(':', StringSplitOptions.RemoveEmptyEntries);
        return folders.Where(Directory.Exists).SelectMany(folder => Directory.EnumerateFiles(folder, "php-fpm*"))
            .Select(file => (File: file, Name: Name().Match(Path.GetFileName(file)))).Where(found => found.Name.Success)
            .OrderByDescending(found => Version.TryParse(found.Name.Groups[1].Value, out var version) ? version : new(0, 0))
            .Select(found => found.File).FirstOrDefault();
    }

    public static string Missing(string? path) => $"""
        {(path is null ? "php-fpm is not installed." : $"There is no '{path}'.")} This sample runs a PHP site, and needs it:

          Debian, Ubuntu    apt-get install php-fpm
          Fedora            dnf install php-fpm
          Alpine            apk add php84-fpm
          macOS             brew install php
          Windows           php-fpm does not exist for it: use WSL

        or say where it is: dotnet run --project samples/Php -- --php-fpm /path/to/php-fpm
        """;

    public static async Task<PhpFpm> StartAsync(string program)
    {
        var folder = Directory.CreateTempSubdirectory("proxykit-php-").FullName;
        Directory.CreateDirectory(Path.Combine(folder, "tmp"));
        var configuration = Path.Combine(folder, "php-fpm.conf");
        await File.WriteAllTextAsync(configuration, Configuration(folder));
        // -R: where everything runs as root, a container for instance, it does so too.
        var php = new PhpFpm(Process.Start(program, ["--nodaemonize", "--fpm-config", configuration, "-R"]), folder);
        try
        {
            while (!await php.IsListeningAsync())
                await Task.Delay(50);
            return php;
        }
        catch
        {
            await php.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Socket(string folder) => Path.Combine(folder, "php.sock");

    private static string Configuration(string folder) => $"""
        [global]
        error_log = {folder}/php-fpm.log
        [site]
        {(Environment.IsPrivilegedProcess ? "user = root\ngroup = root" : "")}
        listen = {Socket(folder)}
        pm = static
        pm.max_children = 4
        php_admin_value[session.save_path] = {folder}/tmp
        php_admin_value[upload_tmp_dir] = {folder}/tmp
        php_admin_value[upload_max_filesize] = 25M
        php_admin_value[post_max_size] = 26M
        """;

    private async Task<bool> IsListeningAsync()
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Socket(_folder)));
            return true;
        }
        catch (SocketException) when (!_process.HasExited)
        {
            return false;
        }
        catch (SocketException e)
        {
            var log = Path.Combine(_folder, "php-fpm.log");
            throw new InvalidOperationException($"php-fpm has ended: {(File.Exists(log) ? File.ReadAllText(log) : "")}", e);
        }
    }

    [GeneratedRegex(@"^php-fpm-?(\d+\.\d+)?$")]
    private static partial Regex Name();
}
