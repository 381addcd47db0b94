using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ProxyKit.Health;
using ProxyKit.Pipeline;

namespace ProxyKit.Diagnostics;

/// <summary>
/// Looks at what works, but not as well or as safely as its owner may believe, and says so once for each subject: when the app has started, and after a reload of what is new.
/// </summary>
internal sealed class StartupAdvice(ClusterDirectory clusters, ProxyConfigMonitor monitor, IOptions<ReverseProxyOptions> options, ILoggerFactory loggers, IServiceProvider services)
{
    // Those that send a session's requests wherever there is room.
    private static readonly HashSet<string> s_spreading = new(StringComparer.OrdinalIgnoreCase)
    {
        LoadBalancingPolicies.PowerOfTwoChoices, LoadBalancingPolicies.RoundRobin, LoadBalancingPolicies.Random, LoadBalancingPolicies.LeastRequests, LoadBalancingPolicies.LeastTime,
    };

    private readonly AdviceLog _log = new(loggers);
    private readonly Lock _lock = new();
    private readonly HashSet<(ProxyAdvice, string)> _given = [];

    public void Give()
    {
        lock (_lock)
        {
            foreach (var cluster in clusters.All)
                AdviseOn(cluster.Model!);
            foreach (var route in monitor.Routes)
                AdviseOn(route);
            if (ClearTextAddress() is { } address && IsNew(ProxyAdvice.NoTls, ""))
                _log.NoTls(address);
        }
    }

    private void AdviseOn(ClusterModel model)
    {
        var config = model.Config;
        if (model.IsFastCgi)
        {
            foreach (var destination in model.Destinations)
            {
                if (AddressScope.IsPublic(destination.Target) && IsNew(ProxyAdvice.PublicFastCgi, destination.Config.Address))
                    _log.PublicFastCgi(config.ClusterId, destination.Config.Address);
            }
            var machines = model.Destinations.Select(d => AddressScope.Machine(d.Target)).Distinct(StringComparer.OrdinalIgnoreCase).Count();
            if (machines > 1 && config.SessionAffinity is null && s_spreading.Contains(config.LoadBalancingPolicy) && IsNew(ProxyAdvice.SplitSessions, config.ClusterId))
                _log.SplitSessions(config.ClusterId, machines, config.LoadBalancingPolicy);
        }
        if (model.Destinations.Length > 1
            && config is { CircuitBreaker: null, HealthCheck.Active.Enabled: false } && !PassiveHealthCheck.IsEnabled(config, model.Destinations.Length)
            && IsNew(ProxyAdvice.NoHealthChecks, config.ClusterId))
            _log.NoHealthChecks(config.ClusterId, model.Destinations.Length);
    }

    private void AdviseOn(RouteConfig route)
    {
        if (route.ClusterId is not { } id || clusters.Find(id)?.Model is not { IsFastCgi: true } || route.Buffering is not { } buffering)
            return;
        var direction = (buffering.Request.Enabled, buffering.Response.Enabled) switch
        {
            (false, false) => "request and response",
            (false, _) => "request",
            (_, false) => "response",
            _ => null,
        };
        if (direction is not null && IsNew(ProxyAdvice.UnbufferedFastCgi, route.RouteId))
            _log.UnbufferedFastCgi(route.RouteId, direction);
    }

    // IIS and a TestServer take connections by ways of their own.
    private string? ClearTextAddress()
    {
        if (options.Value.TrustedProxies.Count > 0 || services.GetService<IServer>() is not { } server || server.GetType().Assembly != typeof(KestrelServer).Assembly
            || server.Features.Get<IServerAddressesFeature>() is not { } feature)
            return null;
        return feature.Addresses.Any(address => address.StartsWith("https:", StringComparison.OrdinalIgnoreCase)) ? null : feature.Addresses.FirstOrDefault(AddressScope.IsReachable);
    }

    private bool IsNew(ProxyAdvice advice, string subject) => !options.Value.SilencedAdvice.Contains(advice) && _given.Add((advice, subject));
}
