using System.Diagnostics;
using ProxyKit.Benchmarks.Load;

namespace ProxyKit.Benchmarks.Php;

/// <summary>Caddy before php-fpm: its <c>php_fastcgi</c>. It keeps no connections and buffers nothing by default.</summary>
internal static class CaddyPhp
{
    public static async Task<ServerProcess?> StartAsync(string name, Workspace workspace, PhpFpm php, CancellationToken cancellation)
    {
        if (Tool.Find("caddy") is not { } caddy)
        {
            Console.WriteLine($"{name} is left out because Caddy is not installed: apt-get install caddy");
            return null;
        }
        var port = Ports.Take();
        var folder = Directory.CreateDirectory(workspace.TargetFolder(name)).FullName;
        var configuration = Path.Combine(folder, "Caddyfile");
        await File.WriteAllTextAsync(configuration, Configuration(php, port), cancellation);
        var start = new ProcessStartInfo(caddy, ["run", "--config", configuration, "--adapter", "caddyfile"]);
        foreach (var variable in new[] { "HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "TMPDIR" })
            start.Environment[variable] = folder;
        return await ServerProcess.StartAsync(name, start, port, 0, 0, cancellation);
    }

    private static string Configuration(PhpFpm php, int port) => $$"""
        {
            admin off
            auto_https off
            log {
                output discard
            }
        }
        http://:{{port}} {
            bind 127.0.0.1
            root * {{php.Site.Root}}
            php_fastcgi unix/{{php.Socket}}
            file_server
        }
        """;
}
