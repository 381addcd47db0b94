using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyKit.Forwarding;

/// <summary>
/// Flushes the last write of a response, whichever stage wrote it. At the end of a request, Kestrel flushes a response that has not started, that is chunked, or that uses HTTP/2 or HTTP/3; a response
/// with Content-Length that has started keeps its last bytes in the pipe. A stream that a middleware has set as the response's body is not flushed at all.
/// </summary>
internal static class ResponseEnd
{
    /// <summary>Waits until <paramref name="request"/> has written the response, then flushes it.</summary>
    public static Task FlushAfter(Task request, HttpContext context, ProxyContext proxy) =>
        !request.IsCompletedSuccessfully ? FlushLaterAsync(request, context, proxy)
        : MustFlush(context, proxy) ? FlushAsync(context)
        : Task.CompletedTask;

    private static async Task FlushLaterAsync(Task request, HttpContext context, ProxyContext proxy)
    {
        await request;
        if (MustFlush(context, proxy))
            await FlushAsync(context);
    }

    private static bool MustFlush(HttpContext context, ProxyContext proxy)
    {
        var response = context.Response;
        if (proxy.FailureClass == FailureClass.ResponseStarted)
            return false; // aborted
        if (!(response.HasStarted && response.ContentLength > 0) && context.Features.Get<IHttpResponseBodyFeature>() is not StreamResponseBodyFeature)
            return false;
        var writer = response.BodyWriter;
        return !writer.CanGetUnflushedBytes || writer.UnflushedBytes > 0;
    }

    private static async Task FlushAsync(HttpContext context) => await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
}
