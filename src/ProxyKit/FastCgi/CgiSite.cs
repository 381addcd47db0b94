using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>A route's site at run time: finds the script of a request, and what it is told.</summary>
internal sealed class CgiSite(RouteConfig route, ForwarderServices services)
{
    /// <summary>Puts the parameters on the request, or says why there is no script for it.</summary>
    public Rejection? Prepare(HttpContext context, PreparedRequest prepared)
    {
        _ = (route, services, context);
        prepared.Upgrade = null;
        prepared.Cgi = [];
        return null;
    }
}
