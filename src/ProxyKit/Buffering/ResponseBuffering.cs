using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Forwarding;

namespace ProxyKit.Buffering;

/// <summary>
/// The stage that takes the response off the upstream at its speed, and hands it to the client at the client's. What is inside it has ended, with the upstream's
/// connection and the destination's place given back, when the upstream's last byte is here.
/// </summary>
internal sealed class ResponseBuffering(RequestDelegate next, ResponseBufferingConfig config, ForwarderServices services)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var proxy = context.Features.Get<ProxyContext>()!;
        var body = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        using var buffer = new ResponseBuffer(context, proxy, body, config, services.Buffering);
        context.Features.Set<IHttpResponseBodyFeature>(buffer);
        try
        {
            await next(context);
            // An abort: the client is not to be given what was there before.
            if (proxy.FailureClass == FailureClass.ResponseStarted)
                await buffer.DropAsync();
            else if (!await buffer.FinishAsync())
                Fail(context, proxy, buffer.Error);
        }
        catch
        {
            await buffer.DropAsync();
            if (context.Response.HasStarted)
                Forwarder.Abort(context, proxy.Error);
            throw;
        }
        finally
        {
            context.Features.Set(body);
        }
    }

    private void Fail(HttpContext context, ProxyContext proxy, Exception? error)
    {
        if (proxy.Error == ProxyError.None)
        {
            proxy.Error =
                Failure.IsRequestTimeout(context) ? ProxyError.TotalTimeout
                : error is ResponseBodyException { Error: var side } ? side
                : error is null || context.RequestAborted.IsCancellationRequested ? ProxyError.ClientAborted
                : ProxyError.ResponseBodyClient;
            proxy.Exception = error;
        }
        proxy.FailureClass = FailureClass.ResponseStarted;
        services.Log.Failed(proxy, context, error);
        Forwarder.Abort(context, proxy.Error);
    }
}
