using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>Whether somebody listens.</summary>
internal sealed class TcpProbe : Probe
{
    public override async Task<ProbeResult> RunAsync(Cluster cluster, Destination destination, DestinationAddress target, CancellationToken cancellationToken)
    {
        await cluster.Handlers.TryConnectAsync(target, cancellationToken);
        return ProbeResult.Success;
    }
}
