using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Transforms;

namespace ProxyKit.Forwarding;

/// <summary>The proxy's own answers. They say what happened, never where or why in words of the upstream.</summary>
internal sealed class ErrorResponder(RouteConfig route, RouteTransforms transforms, ForwarderServices services)
{
    // In seconds. Uploads come and go; nobody knows when the room for them is there again.
    private const string BufferRetryAfter = "10";

    private readonly ErrorPages _pages = new(route.ErrorPages, services.Files);

    public Task RejectAsync(HttpContext context, ProxyContext proxy, Rejection rejection)
    {
        if (rejection.Status == StatusCodes.Status200OK)
        {
            context.Response.Headers.Allow = RequestGuard.Allow;
            context.Response.ContentLength = 0;
            return Task.CompletedTask;
        }
        if (rejection.Close && RequestGuard.IsHttp1(context.Request))
            context.Response.Headers.Connection = "close";
        if (rejection.Status == StatusCodes.Status405MethodNotAllowed)
            context.Response.Headers.Allow = RequestGuard.Allow; // RFC 9110 §15.5.6
        return WriteAsync(context, proxy, rejection.Status);
    }

    public Task RespondAsync(HttpContext context, ProxyContext proxy, int status)
    {
        context.Response.Clear();
        if (proxy.Error == ProxyError.ClientAborted)
        {
            context.Response.StatusCode = status; // for the access log
            Forwarder.Abort(context, proxy.Error); // the status is no client's to see
            return Task.CompletedTask;
        }
        if (proxy.Error is ProxyError.RequestBodyClient or ProxyError.BufferFull && RequestGuard.IsHttp1(context.Request))
            context.Response.Headers.Connection = "close"; // what follows of the body cannot be told from a request
        return WriteAsync(context, proxy, status);
    }

    /// <summary>Answers in the upstream's place: with the status's page, or without a body.</summary>
    public Task ReplaceAsync(HttpContext context, int status, int receivedStatus)
    {
        context.Response.StatusCode = status;
        if (route.ProxyStatus)
            AddReceivedStatus(context, receivedStatus);
        return FinishAsync(context, status, isOwnFailure: false);
    }

    public void AddReceivedStatus(HttpContext context, int status) =>
        Append(context, string.Create(CultureInfo.InvariantCulture, $"{services.Options.Pseudonym}; received-status={status}"));

    private Task WriteAsync(HttpContext context, ProxyContext proxy, int status)
    {
        context.Response.StatusCode = status;
        if (proxy.Error is ProxyError.QueueFull or ProxyError.QueueTimeout && LoadBalancing.ConcurrencyLimiter.RetryAfter(proxy.Cluster) is { } retryAfter)
            context.Response.Headers.RetryAfter = retryAfter;
        if (proxy.Error == ProxyError.BufferFull)
            context.Response.Headers.RetryAfter = BufferRetryAfter;
        if (route.ProxyStatus)
            Append(context, $"{services.Options.Pseudonym}; error={ErrorType(proxy.Error)}");
        return FinishAsync(context, status, isOwnFailure: proxy.Error == ProxyError.ResponseCreation);
    }

    // isOwnFailure: a delegate has caused the error, and been logged.
    private async Task FinishAsync(HttpContext context, int status, bool isOwnFailure)
    {
        var encoding = HeaderText.For(context.GetProxyContext()?.Cluster.HttpClient.ResponseHeaderEncoding);
        foreach (var transform in transforms.Response)
            transform.Apply(context.Response.Headers, status, encoding);
        foreach (var run in transforms.ResponseDelegates)
        {
            try
            {
                await run(new(context, null, context.RequestAborted));
            }
            catch (Exception e)
            {
                // The client still gets the error that there was.
                if (e is not OperationCanceledException && !isOwnFailure)
                    services.Log.ErrorTransformFailed(route.RouteId, e);
            }
        }
        if (!context.Response.HasStarted)
            await _pages.WriteAsync(context);
    }

    private static void Append(HttpContext context, string value) =>
        context.Response.Headers["Proxy-Status"] = StringValues.Concat(context.Response.Headers["Proxy-Status"], value);

    // RFC 9209 §2.3
    private static string ErrorType(ProxyError error) => error switch
    {
        ProxyError.LoopDetected => "proxy_loop_detected",
        ProxyError.NoAvailableDestinations => "destination_unavailable",
        ProxyError.QueueFull or ProxyError.QueueTimeout or ProxyError.Overloaded => "connection_limit_reached",
        ProxyError.NameResolution => "dns_error",
        ProxyError.Connect => "connection_refused",
        ProxyError.ConnectTimeout => "connection_timeout",
        ProxyError.Tls => "tls_protocol_error",
        ProxyError.Request or ProxyError.RequestBodyDestination => "connection_terminated",
        ProxyError.FirstByteTimeout or ProxyError.IdleTimeout or ProxyError.TotalTimeout => "http_response_timeout",
        ProxyError.RequestRejected or ProxyError.RequestBodyClient => "http_request_error",
        ProxyError.InvalidResponse => "http_protocol_error",
        ProxyError.ResponseBodyDestination => "http_response_incomplete",
        _ => "proxy_internal_error",
    };
}
