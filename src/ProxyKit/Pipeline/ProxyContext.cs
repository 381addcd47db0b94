using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using ProxyKit.Buffering;
using ProxyKit.Forwarding;
using ProxyKit.LoadBalancing;
using ProxyKit.Pipeline;
using ProxyKit.Resilience;

namespace ProxyKit;

/// <summary>
/// What the proxy knows about the request at hand. It is an <see cref="HttpContext"/> feature: <c>context.GetProxyContext()</c>. Middlewares, logs
/// and tests read it; after the response it tells the outcome.
/// </summary>
public sealed class ProxyContext
{
    // Replaced, never changed: who hands on a free slot looks into it while another attempt of the same request may begin.
    private Destination[] _attempted = [];

    internal ProxyContext(RouteConfig route, Cluster cluster, long startTimestamp)
    {
        Route = route;
        Owner = cluster;
        Balancer = cluster.Balancer;
        Resilience = Model.Resilience;
        StartTimestamp = startTimestamp;
    }

    /// <summary>The route that took the request.</summary>
    public RouteConfig Route { get; }

    /// <summary>The cluster that answers, as configured when the request came in, or when it was given a destination if it had to wait for one.</summary>
    public ClusterConfig Cluster => Model.Config;

    /// <summary>The destinations that can be chosen.</summary>
    public IReadOnlyList<Destination> AvailableDestinations => Balancer.Available;

    /// <summary>Whether health was not looked at because too few destinations are healthy; see <see cref="HealthCheckConfig.PanicThreshold"/>.</summary>
    public bool IsPanic => Balancer.IsPanic;

    /// <summary>The destination of the last attempt; null before one is chosen.</summary>
    public Destination? Destination { get; internal set; }

    /// <summary>What is known of the request's session.</summary>
    public AffinityStatus AffinityStatus { get; internal set; }

    /// <summary>The destination that the request's session belongs to, whether it can be used or not; null when none is known.</summary>
    public Destination? AffineDestination { get; internal set; }

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

    /// <summary>Bytes of the response's body received from the destination so far, or those of the file that the proxy has answered with.</summary>
    public long ResponseBodyBytes { get; internal set; }

    /// <summary>From the request's start until the response's headers were there; null before.</summary>
    public TimeSpan? TimeToFirstByte { get; internal set; }

    /// <summary>How long the request has waited for a destination, because all were at their limits of concurrent requests.</summary>
    public TimeSpan QueueTime { get; internal set; }

    /// <summary>How the cache came by the answer.</summary>
    public CacheResult CacheResult { get; internal set; }

    /// <summary>Why the answer was not stored.</summary>
    public CacheRefusal CacheRefusal { get; internal set; }

    /// <summary>The answer's <c>X-Accel-Expires</c>.</summary>
    internal string? AccelExpires { get; set; }

    /// <summary>Whether the cache wants to know what the upstream is sent.</summary>
    internal bool RecordsSentFields { get; set; }

    /// <summary>What the upstream was sent that has answered, where that is wanted; null while none has, and where the response is the proxy's own.</summary>
    internal SentFields? SentFields { get; set; }

    /// <summary>The request's body, where it was taken off the client before; null otherwise.</summary>
    internal BufferedRequestBody? BufferedBody { get; set; }

    /// <summary>The interim responses to the client; null before there is any.</summary>
    internal InterimResponses? Interim;

    internal Cluster Owner { get; }

    internal Balancer Balancer { get; set; }

    /// <summary>That of the model with which the request began, also when it waits until there is another.</summary>
    internal ClusterResilience? Resilience { get; }

    /// <summary>What the last pick passed over because it was full.</summary>
    internal FullDestinations Full;

    /// <summary>Whether a pick passed over a destination that is on trial after an ejection.</summary>
    internal bool HasPassedOverTrial;

    internal Destination[] Destinations => Model.Destinations;

    internal ClusterModel Model => Balancer.Model;

    internal HttpTransport Transport => Model.Transport;

    internal long StartTimestamp { get; }

    /// <summary>What the upstream's response says about being buffered; null when it says nothing.</summary>
    internal bool? AllowsResponseBuffering { get; set; }

    /// <summary>How fast the client is sent the response's body, in bytes per second; 0 when that is up to the client.</summary>
    internal long ResponseRate { get; set; }

    /// <summary>How long the last flush took that had to wait for the client.</summary>
    internal TimeSpan LastWait { get; private set; }

    /// <summary>Whether it is known which attempt's outcome counts. A hedge may begin this very moment.</summary>
    internal volatile bool IsDecided;

    /// <summary>Waits for a flush that the client holds up, and measures it.</summary>
    internal async ValueTask<FlushResult> WaitAsync(ValueTask<FlushResult> flush)
    {
        var started = Environment.TickCount64;
        try
        {
            return await flush;
        }
        finally
        {
            LastWait = TimeSpan.FromMilliseconds(Environment.TickCount64 - started);
        }
    }

    /// <summary>For a request of the proxy's own, made on this one's occasion.</summary>
    internal ProxyContext ForBackground(long startTimestamp) => new(Route, Owner, startTimestamp);

    /// <summary>Lets no interim response through any more: the final one begins, and an attempt that lost to another may still hear of some.</summary>
    internal void EndInterim(HttpContext context) => Interlocked.Exchange(ref Interim, InterimResponses.None)?.Close(context);

    /// <summary>The next destination in this request's order of preference; null when there is none.</summary>
    internal Destination? Pick(HttpContext context) => Model.Affinity is { } affinity ? affinity.Pick(context, this) : Balancer.Pick(context, this);

    /// <summary>Takes note of a destination that was tried, so that another attempt goes elsewhere.</summary>
    internal void AddAttempted(Destination destination) => _attempted = [.. _attempted, destination];

    /// <summary>Begins the order of preference anew, with <paramref name="last"/> at its end.</summary>
    internal void ForgetAttempted(Destination? last) => _attempted = last is null ? [] : [last];

    /// <summary>Takes what is known of the destinations' health by now; of another configuration, nothing.</summary>
    internal void RefreshBalancer()
    {
        if (Owner.Balancer is { } now && now.Model == Model)
            Balancer = now;
    }

    /// <summary>Whether there is a destination that the request may use and has not been sent to.</summary>
    internal bool HasUntried
    {
        get
        {
            if (Model.Affinity is { } affinity && affinity.MustStay(this))
                return false;
            foreach (var destination in Balancer.Available)
            {
                if (!HasAttempted(destination))
                    return true;
            }
            return false;
        }
    }

    internal bool HasAttempted(Destination destination) => Array.IndexOf(_attempted, destination) >= 0;
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
