using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>A route's site at run time: finds the script of a request, and what it is told.</summary>
internal sealed class CgiSite
{
    private static readonly FastCgiConfig s_oneScript = new();

    private readonly FastCgiConfig _site;
    private readonly ScriptResolver _scripts;
    private readonly CgiParameters _parameters;

    public CgiSite(RouteConfig route, ForwarderServices services)
    {
        _site = route.FastCgi ?? s_oneScript;
        _scripts = new(_site, services.Clocks.Time);
        _parameters = new(_site, services.TrustedPeers);
    }

    /// <summary>Puts the parameters on the request, or says why there is no script for it.</summary>
    public Rejection? Prepare(HttpContext context, PreparedRequest prepared)
    {
        if (HttpMethods.IsConnect(prepared.Method))
            return new(501, "a WebSocket for a FastCGI application, which can have none"); // RFC 9220 §3
        prepared.Upgrade = null; // an invitation that may be ignored, RFC 9110 §7.8

        if (context.Features.Get<Script>() is not { } script)
        {
            if (CgiPath.Decode(prepared.Path, out var path) is { } problem)
                return problem;
            if (_scripts.Find(path) is not { } found)
                // As it would be sent: what is decoded may turn the text of a log around.
                return new(404, $"the path {prepared.Path}, which names no script {(_site.CheckScript ? "that is" : "to look for")} below {_site.Root}");
            script = found;
        }
        _parameters.Add(context, prepared, script);
        return null;
    }
}
