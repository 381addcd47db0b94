using Microsoft.Extensions.Logging;

namespace ProxyKit.Diagnostics;

/// <summary>What is advised at start-up, with where to read on and how to be left in peace.</summary>
internal sealed partial class AdviceLog(ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger(ProxyLog.Category);

    [LoggerMessage(152, LogLevel.Warning, "Cluster {ClusterId}: {Address} is a public address, and FastCGI has no authentication: whoever reaches it runs code there. Use a Unix socket, the loopback or a private network (docs/startup-advice.md; to silence it: ReverseProxyOptions.SilencedAdvice.Add(ProxyAdvice.PublicFastCgi))", EventName = "PublicFastCgi")]
    public partial void PublicFastCgi(string clusterId, string address);

    [LoggerMessage(153, LogLevel.Warning, "Route {RouteId}: {Direction} buffering is off, and the cluster speaks FastCGI: a slow client occupies a worker of the application all the time (docs/startup-advice.md; to silence it: ReverseProxyOptions.SilencedAdvice.Add(ProxyAdvice.UnbufferedFastCgi))", EventName = "UnbufferedFastCgi")]
    public partial void UnbufferedFastCgi(string routeId, string direction);

    [LoggerMessage(154, LogLevel.Warning, "Cluster {ClusterId}: its FastCGI destinations are on {Machines} machines, and {Policy} spreads the requests of a session over them: PHP keeps sessions in files. Use WithSessionAffinity, or a session store that they share (docs/startup-advice.md; to silence it: ReverseProxyOptions.SilencedAdvice.Add(ProxyAdvice.SplitSessions))", EventName = "SplitSessions")]
    public partial void SplitSessions(string clusterId, int machines, string policy);

    [LoggerMessage(155, LogLevel.Information, "Cluster {ClusterId}: passive health checks are off and no other health checks are configured, so failures of its {Count} destinations go undetected. Use WithHealthChecks, WithPassiveHealthChecks or both (docs/startup-advice.md; to silence it: ReverseProxyOptions.SilencedAdvice.Add(ProxyAdvice.NoHealthChecks))", EventName = "NoHealthChecks")]
    public partial void NoHealthChecks(string clusterId, int count);

    [LoggerMessage(156, LogLevel.Warning, "The app can be reached at {Address} in clear text, and nowhere with TLS. Bind https, or name the proxy in front that does in TrustedProxies (docs/startup-advice.md; to silence it: ReverseProxyOptions.SilencedAdvice.Add(ProxyAdvice.NoTls))", EventName = "NoTls")]
    public partial void NoTls(string address);
}
