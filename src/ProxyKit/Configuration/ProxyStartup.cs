using Microsoft.Extensions.Hosting;

namespace ProxyKit.Configuration;

/// <summary>Validates and builds everything before the server takes its first connection.</summary>
internal sealed class ProxyStartup(ProxyConfigManager manager) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        manager.Start();
        return manager.ResolveAsync().WaitAsync(cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
