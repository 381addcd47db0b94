using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using ProxyKit.Diagnostics;
using ProxyKit.Transforms;

namespace ProxyKit.Forwarding;

/// <summary>The third part: <see cref="UpstreamResponse"/> to HttpContext.</summary>
internal sealed class ResponseDelivery(RouteTransforms transforms, ResponseHeaders headers, ErrorResponder? proxyStatus, ProxyLog log, TimeProvider time)
{
    public async Task DeliverAsync(HttpContext context, ProxyContext proxy, Attempt attempt)
    {
        var (response, clock) = (attempt.Response!, attempt.Clock);
        var passes = await DeliverHeadersAsync(context, proxy, attempt);
        var hasBody = passes && HasBody(context.Request.Method, response.StatusCode);
        if (hasBody)
        {
            if (!proxy.Cluster.HttpRequest.AllowResponseBuffering)
                context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            try
            {
                if (proxy.ResponseRate == 0)
                    await ResponseBody.CopyAsync(response, context, proxy, clock);
                else
                    await PacedStream.RunAsync(context, proxy.ResponseRate, time, clock, () => ResponseBody.CopyAsync(response, context, proxy, clock).AsTask());
            }
            catch (Exception e)
            {
                throw new PhaseException(Phase.Body, e);
            }
        }
        await DeliverTrailersAsync(context, proxy, response, hasBody, clock);
        if (passes && !response.EndsRequest && attempt.Body is { Completion: { IsCompleted: false } sending })
        {
            // A client that streams on (gRPC) sees the end of the response now, not when it has ended itself.
            await context.Response.CompleteAsync();
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Copies the header section and lets the route's transforms change it. False when one of them has taken the body upon itself.</summary>
    public ValueTask<bool> DeliverHeadersAsync(HttpContext context, ProxyContext proxy, Attempt attempt)
    {
        var response = attempt.Response!;
        var status = response.StatusCode;
        headers.Copy(context, proxy, response, new LocationRewriter(context, proxy, attempt.Destination, transforms, attempt.Request));
        proxy.Model.Affinity?.Deliver(context, proxy, attempt.Destination);
        if (RequestGuard.IsHttp1(context.Request) && response.ReasonPhrase is { Length: > 0 } reason
            && reason != ReasonPhrases.GetReasonPhrase(status)
            && !RequestGuard.HasControls(reason)
            && context.Features.Get<IHttpResponseFeature>() is { } feature)
            feature.ReasonPhrase = reason;
        proxyStatus?.AddReceivedStatus(context, status);

        var encoding = HeaderText.For(proxy.Cluster.HttpClient.ResponseHeaderEncoding);
        foreach (var transform in transforms.Response)
            transform.Apply(context.Response.Headers, status, encoding);
        return transforms.ResponseDelegates.Length == 0 ? new(true) : RunDelegatesAsync(context, response, attempt.Clock);
    }

    private async ValueTask<bool> RunDelegatesAsync(HttpContext context, UpstreamResponse upstream, ExchangeClock clock)
    {
        var passes = true;
        var length = context.Response.ContentLength;
        foreach (var run in transforms.ResponseDelegates)
        {
            var transformContext = new ResponseTransformContext(context, upstream.Message, clock.Token);
            try
            {
                await run(transformContext);
            }
            catch (Exception e) when (clock.Reason == ProxyError.None)
            {
                throw new PhaseException(Phase.ResponseTransforms, e);
            }
            passes &= !transformContext.SuppressResponseBody;
        }
        var response = context.Response;
        // With another length every response would be aborted; with a coding that is not applied no client could read it.
        if (passes && (response.ContentLength is { } announced && announced != length || response.Headers.TransferEncoding.Count > 0))
        {
            log.LengthRefused(context.GetProxyContext()?.Route.RouteId);
            response.ContentLength = length;
            response.Headers.Remove("Transfer-Encoding");
        }
        return passes;
    }

    private async ValueTask DeliverTrailersAsync(HttpContext context, ProxyContext proxy, UpstreamResponse response, bool hasBody, ExchangeClock clock)
    {
        if (hasBody)
        {
            try
            {
                await response.ReadTrailersAsync(clock.Token);
            }
            catch (Exception e)
            {
                throw new PhaseException(Phase.Body, e);
            }
        }
        if (response.Trailers.Count + transforms.Trailers.Length + transforms.TrailerDelegates.Length == 0)
            return;
        if (context.Features.Get<IHttpResponseTrailersFeature>() is not { Trailers: { IsReadOnly: false } trailers })
            return; // Kestrel sends none over HTTP/1.1
        headers.CopyTrailers(response, trailers);
        foreach (var transform in transforms.Trailers)
            transform.Apply(trailers, response.StatusCode, HeaderText.For(proxy.Cluster.HttpClient.ResponseHeaderEncoding));
        foreach (var run in transforms.TrailerDelegates)
            await run(new(context, response.Message, clock.Token));
    }

    // RFC 9110 §6.4.1
    private static bool HasBody(string method, int status) => !HttpMethods.IsHead(method) && status is >= 200 and not 204 and not 205 and not 304;
}
