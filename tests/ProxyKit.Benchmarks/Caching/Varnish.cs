using System.Diagnostics;
using ProxyKit.Benchmarks.Load;

namespace ProxyKit.Benchmarks.Caching;

/// <summary>Varnish with its memory store. It stores compressed what is asked for compressed (<c>do_gzip</c>), once.</summary>
internal static class Varnish
{
    public const string Name = "varnish";

    public static async Task<ServerProcess?> StartAsync(Workspace workspace, int backendPort, CancellationToken cancellation)
    {
        if (Tool.Find("varnishd") is not { } varnish)
        {
            Console.WriteLine($"{Name} is left out because it is not installed: apt-get install varnish");
            return null;
        }
        var port = Ports.Take();
        var folder = Directory.CreateDirectory(workspace.TargetFolder(Name)).FullName;
        var configuration = Path.Combine(folder, "cache.vcl");
        await File.WriteAllTextAsync(configuration, Configuration(backendPort), cancellation);
        string[] arguments =
        [
            "-F", "-n", Path.Combine(folder, "instance"), "-j", "none", "-T", "none",
            "-a", $"127.0.0.1:{port}", "-f", configuration, "-s", "malloc,256m", "-p", "timeout_idle=600",
        ];
        return await ServerProcess.StartAsync(Name, new ProcessStartInfo(varnish, arguments), port, 0, 0, cancellation);
    }

    // It undoes the compression at each hit for who cannot read it, so what is asked for plainly is stored plainly.
    private static string Configuration(int backendPort) => $$"""
        vcl 4.1;
        backend default { .host = "127.0.0.1"; .port = "{{backendPort}}"; }
        sub vcl_backend_response {
            set beresp.do_gzip = bereq.url ~ "^{{CachedText.CompressedPath}}";
        }
        """;
}
