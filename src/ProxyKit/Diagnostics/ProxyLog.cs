using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using ProxyKit.Forwarding;

namespace ProxyKit.Diagnostics;

/// <summary>The log messages of the request path. Event ids are stable; docs/observability.md lists them.</summary>
internal sealed partial class ProxyLog(ILoggerFactory loggers, ClientDataRate dataRate, TimeProvider time)
{
    public const string Category = "ProxyKit";

    private readonly ILogger _logger = loggers.CreateLogger(Category);
    private readonly ConcurrentDictionary<(string RouteId, ProxyError Error), Throttle> _unavailable = new();

    public void Rejected(Rejection rejection, ProxyContext proxy, HttpContext context)
    {
        if (_logger.IsEnabled(LogLevel.Information))
            RequestRejected(proxy.Route.RouteId, context.Request.Method, rejection.Status, rejection.Reason);
    }

    /// <summary>One line: a client that left (Debug) or sent rubbish (Information) is no operator's business, all else is (Warning).</summary>
    public void Failed(ProxyContext proxy, HttpContext context, Exception? exception)
    {
        if (proxy.Error == ProxyError.ClientAborted)
        {
            if (dataRate.NotMet(context, proxy.LastWait) is { } rate)
                ClientTooSlow(proxy.Route.RouteId, proxy.Destination?.Name, rate);
            else
                ClientAborted(proxy.Route.RouteId, proxy.Destination?.Name);
            return;
        }
        if (exception is BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } && exception.GetType() != typeof(BadHttpRequestException) // the server's, not ours
            && context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize is { } limit)
        {
            RequestBodyTooLarge(proxy.Route.RouteId, limit, context.Request.ContentLength);
            return;
        }
        if (proxy.Error is ProxyError.RequestBodyClient or ProxyError.RequestRejected)
        {
            RequestFailedByClient(proxy.Route.RouteId, proxy.Error, Innermost(exception));
            return;
        }
        if (proxy.Error is ProxyError.QueueFull or ProxyError.QueueTimeout)
            return; // the queue has said so, once for many
        if (!_logger.IsEnabled(LogLevel.Warning))
            return;
        var count = 1;
        // While a cluster is down or full, each request fails alike.
        if (proxy.Error is ProxyError.NoAvailableDestinations or ProxyError.Overloaded or ProxyError.BufferFull
            && !_unavailable.GetOrAdd((proxy.Route.RouteId, proxy.Error), static _ => new()).TryPass(time, out count))
            return;
        // The network's failures say all in one line, and there can be thousands; a stack trace helps where the user's own code has failed.
        var trace = proxy.Error is ProxyError.RequestCreation or ProxyError.ResponseCreation || _logger.IsEnabled(LogLevel.Debug) ? exception : null;
        if (proxy.FailureClass == FailureClass.ResponseStarted)
            ResponseAborted(proxy.Route.RouteId, proxy.Destination?.Name, proxy.Error, Cause(proxy, exception), trace);
        else
            RequestFailed(proxy.Route.RouteId, proxy.Cluster.ClusterId, proxy.Destination?.Name ?? "none", proxy.Error, count == 1 ? Cause(proxy, exception) : $"{Cause(proxy, exception)} ({count} requests since the last such line)", trace);
    }

    public void Upgraded(string protocol, ProxyContext proxy) => ConnectionUpgraded(proxy.Route.RouteId, proxy.Destination?.Name, protocol);

    private static string? Cause(ProxyContext proxy, Exception? exception) => proxy.Error switch
    {
        ProxyError.FirstByteTimeout => $"no response within {(proxy.Resilience?.AttemptLimits ?? proxy.Cluster.Timeouts).FirstByte}",
        ProxyError.IdleTimeout => $"nothing moved for {proxy.Cluster.Timeouts.Idle}",
        ProxyError.TotalTimeout => "not done within the time for the whole request",
        ProxyError.NoAvailableDestinations => "none can be used at the moment",
        _ => Innermost(exception),
    };

    private static string? Innermost(Exception? exception) => exception is null ? null : UpstreamException.Cause(exception);

    [LoggerMessage(1, LogLevel.Information, "Route {RouteId}: {Method} request refused with {StatusCode}: {Reason}", EventName = "RequestRejected")]
    private partial void RequestRejected(string routeId, string method, int statusCode, string reason);

    [LoggerMessage(2, LogLevel.Warning, "Route {RouteId}: no answer from cluster {ClusterId}, destination {Destination}: {Error}: {Cause}", EventName = "RequestFailed")]
    private partial void RequestFailed(string routeId, string clusterId, string destination, ProxyError error, string? cause, Exception? exception);

    [LoggerMessage(3, LogLevel.Warning, "Route {RouteId}: the response of {Destination} broke off, the client's connection was aborted: {Error}: {Cause}", EventName = "ResponseAborted")]
    private partial void ResponseAborted(string routeId, string? destination, ProxyError error, string? cause, Exception? exception);

    [LoggerMessage(4, LogLevel.Debug, "Route {RouteId}: the client left before {Destination} had answered in full", EventName = "ClientAborted")]
    private partial void ClientAborted(string routeId, string? destination);

    [LoggerMessage(5, LogLevel.Debug, "Route {RouteId}: connection to {Destination} upgraded to {Protocol}", EventName = "ConnectionUpgraded")]
    private partial void ConnectionUpgraded(string routeId, string? destination, string protocol);

    [LoggerMessage(6, LogLevel.Warning, "Route {RouteId}: a response transform failed on an answer of the proxy's own", EventName = "ErrorTransformFailed")]
    public partial void ErrorTransformFailed(string routeId, Exception exception);

    [LoggerMessage(15, LogLevel.Information, "Route {RouteId}: 413, the request's body ({Length} bytes, if announced) is larger than MaxRequestBodySize, which is {Limit} bytes. To accept it, set MaxRequestBodySize on the route, or KestrelServerOptions.Limits.MaxRequestBodySize.", EventName = "RequestBodyTooLarge")]
    private partial void RequestBodyTooLarge(string routeId, long limit, long? length);

    [LoggerMessage(14, LogLevel.Warning, "Route {RouteId}: OnResponse has set Content-Length or Transfer-Encoding, which follow from the body; the change is ignored. To write another body, set SuppressResponseBody.", EventName = "LengthRefused")]
    public partial void LengthRefused(string? routeId);

    [LoggerMessage(7, LogLevel.Information, "Route {RouteId}: the client's request could not be read to its end: {Error}: {Cause}", EventName = "RequestFailedByClient")]
    private partial void RequestFailedByClient(string routeId, ProxyError error, string? cause);

    [LoggerMessage(9, LogLevel.Information, "Route {RouteId}: the client's connection was closed because the client read the response from {Destination} at less than {Rate} bytes per second (Kestrel's MinResponseDataRate)", EventName = "ClientTooSlow")]
    private partial void ClientTooSlow(string routeId, string? destination, double rate);

    [LoggerMessage(10, LogLevel.Information, "Configuration loaded: {RouteCount} routes, {ClusterCount} clusters", EventName = "ConfigurationLoaded")]
    public partial void ConfigurationLoaded(int routeCount, int clusterCount);

    [LoggerMessage(11, LogLevel.Error, "The new configuration was not taken; the old one stays in force. {Errors}", EventName = "ConfigurationRejected")]
    public partial void ConfigurationRejected(string errors);

    [LoggerMessage(12, LogLevel.Warning, "{RouteCount} routes are configured but not mapped: call app.MapReverseProxy()", EventName = "RoutesNotMapped")]
    public partial void RoutesNotMapped(int routeCount);

    [LoggerMessage(13, LogLevel.Warning, "app.MapReverseProxy() is called, but no source has a route: is it the right section, such as GetSection(\"ReverseProxy\")?", EventName = "NoRoutes")]
    public partial void NoRoutes();

    [LoggerMessage(150, LogLevel.Warning, "Route {RouteId}: 404, because destination {Destination} answered with {Header}: {Value}, and {Reason}", EventName = "InternalFileRefused")]
    public partial void InternalFileRefused(string routeId, string? destination, string header, string value, string reason);

    [LoggerMessage(151, LogLevel.Warning, "Route {RouteId}: destination {Destination} answered with {Header}, which was dropped: the route allows no such files (docs/internal-redirects.md). This is said once", EventName = "InternalFileIgnored")]
    public partial void InternalFileIgnored(string routeId, string? destination, string header);
}
