using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;
using ProxyKit.LoadBalancing;
using ProxyKit.Pipeline;

namespace ProxyKit;

/// <summary>
/// What the proxy knows about the request at hand. It is an <see cref="HttpContext"/> feature: <c>context.GetProxyContext()</c>. Middlewares, logs
/// and tests read it; after the response it tells the outcome.
/// </summary>
public sealed class ProxyContext
{
    private readonly Cluster _cluster;
    private List<Destination>? _attempted;

    internal ProxyContext(RouteConfig route, Cluster cluster, long startTimestamp)
    {
        Route = route;
        _cluster = cluster;
        Balancer = cluster.Balancer;
        StartTimestamp = startTimestamp;
    }

    /// <summary>The route that took the request.</summary>
    public RouteConfig Route { get; }

    /// <summary>The cluster that answers, as configured when the request came in.</summary>
    public ClusterConfig Cluster => Model.Config;

    /// <summary>The destinations that can be chosen.</summary>
    public IReadOnlyList<Destination> AvailableDestinations => Balancer.Available;

    /// <summary>Whether health was not looked at because too few destinations are healthy; see <see cref="HealthCheckConfig.PanicThreshold"/>.</summary>
    public bool IsPanic => Balancer.IsPanic;

    /// <summary>The destination of the last attempt; null before one is chosen.</summary>
    public Destination? Destination { get; internal set; }

    /// <summary>How many attempts have been made at getting an answer.</summary>
    public int Attempts { get; internal set; }

    /// <summary>What went wrong.</summary>
    public ProxyError Error { get; internal set; }

    /// <summary>How far the failed attempt had come.</summary>
    public FailureClass FailureClass { get; internal set; }

    /// <summary>The exception behind <see cref="Error"/>, if there is one. Its text is for logs, never for clients.</summary>
    public Exception? Exception { get; internal set; }

    /// <summary>Bytes of the request's body sent to the destination so far.</summary>
    public long RequestBodyBytes { get; internal set; }

    /// <summary>Bytes of the response's body received from the destination so far.</summary>
    public long ResponseBodyBytes { get; internal set; }

    /// <summary>From the request's start until the response's headers were there; null before.</summary>
    public TimeSpan? TimeToFirstByte { get; internal set; }

    internal Balancer Balancer { get; private set; }

    internal Destination[] Destinations => Model.Destinations;

    internal ClusterModel Model => Balancer.Model;

    internal HttpTransport Transport => Model.Transport;

    internal long StartTimestamp { get; }

    /// <summary>Takes note of a destination that was tried, so that another attempt goes elsewhere.</summary>
    internal void AddAttempted(Destination destination) => (_attempted ??= []).Add(destination);

    /// <summary>Begins the order of preference anew, with <paramref name="last"/> at its end.</summary>
    internal void ForgetAttempted(Destination? last)
    {
        _attempted?.Clear();
        if (last is not null)
            AddAttempted(last);
    }

    /// <summary>Takes what is known of the destinations' health by now; of another configuration, nothing.</summary>
    internal void RefreshBalancer()
    {
        if (_cluster.Balancer is { } now && now.Model == Model)
            Balancer = now;
    }

    internal bool HasAttempted(Destination destination) => _attempted?.Contains(destination) ?? false;
}

/// <summary>Access to the <see cref="ProxyContext"/>.</summary>
public static class ProxyContextExtensions
{
    /// <summary>What the proxy knows about this request; null when no proxy route has taken it.</summary>
    public static ProxyContext? GetProxyContext(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Features.Get<ProxyContext>();
    }
}
