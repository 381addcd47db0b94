using Microsoft.Extensions.Hosting;

namespace ProxyKit.Configuration;

/// <summary>
/// Validates and builds everything before the server takes its first connection. Destinations are probed from when it takes requests (one may be this app) until
/// the last one is answered.
/// </summary>
internal sealed class ProxyStartup(ProxyConfigManager manager) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        manager.Start();
        await manager.ResolveAsync().WaitAsync(cancellationToken);
        await manager.WaitForHealthAsync(cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        manager.StartHealthChecks();
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        manager.StopHealthChecks();
        return Task.CompletedTask;
    }
}
