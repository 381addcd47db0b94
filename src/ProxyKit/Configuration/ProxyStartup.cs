using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Primitives;
using ProxyKit.Diagnostics;

namespace ProxyKit.Configuration;

/// <summary>
/// Validates and builds everything before the server takes its first connection. Destinations are probed from when it takes requests (one may be this app) until
/// the last one is answered.
/// </summary>
internal sealed class ProxyStartup(ProxyConfigManager manager, StartupAdvice advice) : IHostedLifecycleService, IDisposable
{
    private IDisposable? _reloads;

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
        advice.Give();
        _reloads = ChangeToken.OnChange(manager.GetChangeToken, advice.Give);
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        manager.StopHealthChecks();
        return Task.CompletedTask;
    }

    public void Dispose() => _reloads?.Dispose();
}
