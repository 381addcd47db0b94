using ProxyKit.Forwarding;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>One way of asking a destination whether it is well, over the cluster's own connections.</summary>
internal abstract class Probe
{
    /// <summary>Asks once. What it throws is a failure too.</summary>
    /// <param name="cluster">Whose connections are used.</param>
    /// <param name="destination">Who is asked.</param>
    /// <param name="target">Where: the destination's address, or its own for health.</param>
    /// <param name="cancellationToken">Ends the probe when its time is over.</param>
    public abstract Task<ProbeResult> RunAsync(Cluster cluster, Destination destination, DestinationAddress target, CancellationToken cancellationToken);

    public static Probe Create(ActiveHealthCheckConfig config) => config.Probe switch
    {
        HealthProbe.Tcp => new TcpProbe(),
        HealthProbe.Grpc => new GrpcProbe(config),
        _ => new HttpProbe(config),
    };

    /// <summary>Headers that both kinds of requests have: the user's, and who asks.</summary>
    protected static void AddHeaders(HttpRequestMessage request, ActiveHealthCheckConfig config, Destination destination, DestinationAddress target)
    {
        if ((HeaderText.Host(config.Host ?? destination.Config.Host) ?? (target.UnixSocketPath is null ? null : target.Host)) is { } host)
            request.Headers.Host = host;
        foreach (var (name, value) in config.Headers)
            Forwarding.HttpTransport.AddHeader(request, name, value);
        if (!config.Headers.ContainsKey("User-Agent"))
            request.Headers.TryAddWithoutValidation("User-Agent", "ProxyKit-HealthCheck");
    }
}

/// <summary>How a probe went.</summary>
/// <param name="Failure">Why it failed, for logs; null if it did not.</param>
/// <param name="ErrorType">The same for metrics, one of few.</param>
internal readonly record struct ProbeResult(string? Failure, string? ErrorType)
{
    public static ProbeResult Success { get; }

    public bool IsSuccess => Failure is null;
}
