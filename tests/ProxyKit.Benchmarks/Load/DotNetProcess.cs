using System.Collections;
using System.Diagnostics;
using ProxyKit.Benchmarks.Targets;

namespace ProxyKit.Benchmarks.Load;

/// <summary>Starts a .NET target: this program again, as <c>target NAME</c>.</summary>
internal static class DotNetProcess
{
    /// <summary><paramref name="root"/>: of the site behind a FastCGI backend.</summary>
    public static async Task<ServerProcess?> StartAsync(string name, Workspace workspace, string backend, string? root, CancellationToken cancellation)
    {
        int port = Ports.Take(), tlsPort = Ports.Take(), statsPort = Ports.Take();
        var kind = LoadOptions.WithoutSuffix(name);
        var start = new ProcessStartInfo("dotnet", [typeof(DotNetProcess).Assembly.Location, "target", kind]) { WorkingDirectory = workspace.Folder };
        foreach (var variable in Tuning(start.Environment.Keys))
            start.Environment.Remove(variable);
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Production";
        start.Environment[TargetEnvironment.Port] = $"{port}";
        start.Environment[TargetEnvironment.TlsPort] = $"{tlsPort}";
        start.Environment[TargetEnvironment.StatsPort] = $"{statsPort}";
        start.Environment[TargetEnvironment.Backend] = backend;
        start.Environment[TargetEnvironment.Root] = root;
        // Where it keeps bodies that are too long for memory is seen from here.
        start.Environment["TMPDIR"] = Directory.CreateDirectory(workspace.TargetFolder(name)).FullName;
        start.Environment[TargetEnvironment.Certificate] = workspace.CertificatePfx;
        if (SpinLimit(kind, name) is { } limit)
            start.Environment["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = limit;
        if (name.EndsWith(LoadOptions.InlineSuffix, StringComparison.Ordinal))
        {
            start.Environment[TargetEnvironment.InlineScheduling] = "1";
            start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        }
        return await ServerProcess.StartAsync(name, start, port, tlsPort, statsPort, cancellation);
    }

    // This program's runtimeconfig.json has what ProxyKit's package puts there. The other targets have .NET's own default: 70, which the runtime reads as hexadecimal.
    private static string? SpinLimit(string kind, string name) =>
        name.EndsWith(LoadOptions.NoSpinSuffix, StringComparison.Ordinal) ? "0"
        : name.EndsWith(LoadOptions.SpinSuffix, StringComparison.Ordinal) || !kind.StartsWith("proxykit", StringComparison.Ordinal) ? "0x46"
        : null;

    // What someone exported for another program would count for some targets and not for others.
    private static string[] Tuning(IEnumerable variables) =>
    [
        .. variables.Cast<string>().Where(name =>
            name is "ASPNETCORE_URLS" or "ASPNETCORE_HTTP_PORTS" or "ASPNETCORE_HTTPS_PORTS"
            || name.StartsWith("DOTNET_GC", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("DOTNET_T", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("DOTNET_SYSTEM_", StringComparison.OrdinalIgnoreCase)),
    ];
}
