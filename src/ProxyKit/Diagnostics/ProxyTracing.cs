using System.Diagnostics;
using ProxyKit.Forwarding;

namespace ProxyKit.Diagnostics;

/// <summary>The activity source <c>ProxyKit</c>: a client span for each exchange, and its context on the request (W3C Trace Context).</summary>
internal sealed class ProxyTracing : IDisposable
{
    public const string SourceName = "ProxyKit";

    private readonly ActivitySource _source = new(SourceName);

    public void Dispose() => _source.Dispose();

    public Activity? Start(ProxyContext proxy, Destination destination, PreparedRequest prepared)
    {
        Activity? activity = null;
        if (_source.HasListeners())
            activity = _source.StartActivity(ProxyMetrics.KnownMethod(prepared.Method), ActivityKind.Client);
        if (activity is { IsAllDataRequested: true })
        {
            var target = destination.Target;
            var (host, port) = target.HostAndPort;
            activity.SetTag("http.request.method", ProxyMetrics.KnownMethod(prepared.Method));
            activity.SetTag("url.scheme", target.IsHttps ? "https" : "http");
            activity.SetTag("url.path", prepared.Path);
            activity.SetTag("server.address", target.UnixSocketPath ?? host);
            if (target.UnixSocketPath is null)
                activity.SetTag("server.port", port);
            if (proxy.Attempts > 1)
                activity.SetTag("http.request.resend_count", proxy.Attempts - 1);
            activity.SetTag("proxykit.route", proxy.Route.RouteId);
            activity.SetTag("proxykit.cluster", proxy.Cluster.ClusterId);
            activity.SetTag("proxykit.destination", destination.Name);
        }

        Inject(activity ?? Activity.Current, prepared.Headers);
        return activity;
    }

    /// <summary>Puts the activity's context on a request. Without an activity of the app's or our own the client's context passes as it is.</summary>
    public static void Inject(Activity? activity, HeaderList headers)
    {
        if (activity is null)
            return;
        var propagator = DistributedContextPropagator.Current;
        foreach (var field in propagator.Fields)
            headers.Remove(field);
        propagator.Inject(activity, headers, static (headers, name, value) => ((HeaderList)headers!).Set(name, value));
    }

    public static void Stop(Attempt attempt)
    {
        if (attempt.Activity is not { } activity)
            return;
        if (activity.IsAllDataRequested)
        {
            if (attempt.StatusCode > 0)
                activity.SetTag("http.response.status_code", attempt.StatusCode);
            if (attempt.Exception is not null || attempt.StatusCode >= 400)
            {
                activity.SetTag("error.type", attempt.Exception is not null ? attempt.Failure.Error.ToString() : attempt.StatusCode.ToString(System.Globalization.CultureInfo.InvariantCulture));
                activity.SetStatus(ActivityStatusCode.Error);
            }
        }
        activity.Dispose();
    }
}
