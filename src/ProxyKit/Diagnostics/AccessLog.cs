using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ProxyKit.Forwarding;

namespace ProxyKit.Diagnostics;

/// <summary>The access log stage: one structured line for each request, when all is over. nginx: <c>access_log</c>.</summary>
internal sealed partial class AccessLog(RequestDelegate next, ILoggerFactory loggers, TimeProvider time)
{
    public const string Category = "ProxyKit.AccessLog";

    private readonly ILogger _logger = loggers.CreateLogger(Category);

    public Task InvokeAsync(HttpContext context) => _logger.IsEnabled(LogLevel.Information) ? InvokeAndLogAsync(context) : next(context);

    private async Task InvokeAndLogAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        finally
        {
            var proxy = context.GetProxyContext()!;
            var request = context.Request;
            // The path percent-encoded, so that no client writes lines of its own; no query, which may hold secrets.
            Request(
                Transforms.XForwardedTransform.PeerAddress(context.Connection.RemoteIpAddress), request.Method, request.Scheme, request.Host.ToUriComponent(),
                request.PathBase.ToUriComponent() + PathEncoding.Encode(request.Path.Value), request.Protocol,
                context.Response.StatusCode, proxy.RequestBodyBytes, proxy.ResponseBodyBytes, time.GetElapsedTime(proxy.StartTimestamp).TotalSeconds,
                proxy.QueueTime.TotalSeconds, proxy.TimeToFirstByte?.TotalSeconds, proxy.Route.RouteId, proxy.Cluster.ClusterId, proxy.Destination?.Name, proxy.Attempts, proxy.Error,
                proxy.CacheResult, proxy.CacheRefusal);
        }
    }

    [LoggerMessage(20, LogLevel.Information,
        "{Client} {Method} {Scheme}://{Host}{Path} {Protocol} {StatusCode} in={RequestBytes} out={ResponseBytes} time={Seconds:0.000} queue={QueueSeconds:0.000} first={FirstByteSeconds:0.000} route={RouteId} cluster={ClusterId} destination={Destination} attempts={Attempts} outcome={Outcome} cache={CacheResult} not-stored={CacheRefusal}",
        EventName = "AccessLog")]
    private partial void Request(
        string? client, string method, string scheme, string host, string path, string protocol, int statusCode, long requestBytes, long responseBytes,
        double seconds, double queueSeconds, double? firstByteSeconds, string routeId, string clusterId, string? destination, int attempts, ProxyError outcome, CacheResult cacheResult, CacheRefusal cacheRefusal);
}
