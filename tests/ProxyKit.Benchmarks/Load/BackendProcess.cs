using System.Diagnostics;

namespace ProxyKit.Benchmarks.Load;

/// <summary>Starts the upstream that all targets forward to.</summary>
internal static class BackendProcess
{
    public static Task<ServerProcess> StartAsync(Workspace workspace, CancellationToken cancellation)
    {
        var port = Ports.Take();
        return ServerProcess.StartAsync("backend", new ProcessStartInfo(workspace.Backend, [$"{port}"]), port, 0, 0, cancellation);
    }
}
