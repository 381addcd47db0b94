using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using ProxyKit.Diagnostics;
using ProxyKit.Forwarding;
using ProxyKit.Mirroring;
using ProxyKit.TrafficSplitting;

namespace ProxyKit.Pipeline;

/// <summary>A route at run time: its configuration, compiled into one delegate that holds only the stages that the route asks for.</summary>
internal sealed class ProxyRoute
{
    private readonly RouteConfig _config;
    private readonly Cluster _cluster;
    private readonly Split? _split;
    private readonly TimeProvider _time;
    private readonly ProxyMetrics _metrics;
    private readonly Forwarder _forwarder;
    private readonly RequestDelegate? _stages; // null if there are none but the forwarder
    private readonly bool _needsTimeoutMiddleware;

    public ProxyRoute(RouteConfig config, Func<string, Cluster> clusters, ForwarderServices services, ProxyMetrics metrics)
    {
        _config = config;
        _cluster = clusters(config.ClusterId!);
        _split = Split.Create(config, clusters);
        _time = services.Clocks.Time;
        _metrics = metrics;
        _forwarder = new Forwarder(config, services);
        _needsTimeoutMiddleware = config.TimeoutPolicy is { } policy && !policy.Equals("disable", StringComparison.OrdinalIgnoreCase);

        RequestDelegate forward = context => _forwarder.ForwardAsync(context, context.Features.Get<ProxyContext>()!);
        var pipeline = forward;
        if (config.Mirror is { Percentage: > 0 } mirror)
            pipeline = new Mirror(pipeline, config, mirror, clusters(mirror.ClusterId), services).InvokeAsync;
        if (config.AccessLog)
            pipeline = new AccessLog(pipeline, services.Loggers, _time).InvokeAsync;
        _stages = pipeline == forward ? null : pipeline;
    }

    public RouteConfig Config => _config;

    public Task InvokeAsync(HttpContext context)
    {
        // A policy that silently did nothing would be worse than an error.
        if (_needsTimeoutMiddleware && context.Features.Get<IHttpRequestTimeoutFeature>() is null && !System.Diagnostics.Debugger.IsAttached)
            throw new InvalidOperationException($"Route '{_config.RouteId}' has the TimeoutPolicy '{_config.TimeoutPolicy}', but app.UseRequestTimeouts() is not in the pipeline.");

        var proxy = new ProxyContext(_config, _split is null ? _cluster : _split.Choose(context), _time.GetTimestamp());
        context.Features.Set(proxy);
        return _metrics.Enabled ? InvokeMeasuredAsync(context, proxy) : RunAsync(context, proxy);
    }

    private Task RunAsync(HttpContext context, ProxyContext proxy) => _stages is null ? _forwarder.ForwardAsync(context, proxy) : _stages(context);

    private async Task InvokeMeasuredAsync(HttpContext context, ProxyContext proxy)
    {
        _metrics.Started(proxy);
        try
        {
            await RunAsync(context, proxy);
        }
        finally
        {
            _metrics.Stopped(context, proxy, _time.GetElapsedTime(proxy.StartTimestamp));
        }
    }
}
