using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using ProxyKit.Buffering;
using ProxyKit.Caching;
using ProxyKit.Compression;
using ProxyKit.Diagnostics;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;
using ProxyKit.Mirroring;
using ProxyKit.StaticSites;
using ProxyKit.TrafficSplitting;

namespace ProxyKit.Pipeline;

/// <summary>A route at run time: its configuration, compiled into one delegate that holds only the stages that the route asks for.</summary>
internal sealed class ProxyRoute
{
    private static readonly BufferingConfig s_buffering = new();

    private readonly RouteConfig _config;
    private readonly Cluster _cluster;
    private readonly Split? _split;
    private readonly TimeProvider _time;
    private readonly ProxyMetrics _metrics;
    private readonly ClientDataRate _dataRate;
    private readonly Forwarder _forwarder;
    // Null if there are none but the forwarder. What the cluster speaks can change with a reload.
    private readonly RequestDelegate? _stages;
    private readonly RequestDelegate? _fastCgiStages;
    private readonly bool _needsTimeoutMiddleware;

    public ProxyRoute(RouteConfig config, Func<string, Cluster> clusters, ForwarderServices services, ProxyMetrics metrics)
    {
        _config = config;
        _cluster = clusters(config.ClusterId!);
        _split = Split.Create(config, clusters);
        _time = services.Clocks.Time;
        _metrics = metrics;
        _dataRate = services.DataRate;
        _forwarder = new Forwarder(config, services);
        _needsTimeoutMiddleware = config.TimeoutPolicy is { } policy && !policy.Equals("disable", StringComparison.OrdinalIgnoreCase);

        _stages = Compile(isFastCgi: false, clusters, services);
        _fastCgiStages = Compile(isFastCgi: true, clusters, services);
    }

    // From the inside out.
    private RequestDelegate? Compile(bool isFastCgi, Func<string, Cluster> clusters, ForwarderServices services)
    {
        RequestDelegate forward = context => _forwarder.ForwardAsync(context, context.Features.Get<ProxyContext>()!);
        var pipeline = forward;
        var buffering = _config.Buffering ?? s_buffering;
        // FastCGI has no chunks: of a body whose length is not known it has to be found out, whatever is configured.
        if (isFastCgi || buffering.Request.Enabled == true)
            pipeline = new RequestBuffering(pipeline, _config, buffering.Request, unknownLengthsOnly: buffering.Request.Enabled == false, services).InvokeAsync;
        if (_config.Mirror is { Percentage: > 0 } mirror)
            pipeline = new Mirror(pipeline, _config, mirror, clusters(mirror.ClusterId), services).InvokeAsync;
        var compression = _config.Compression is { Enabled: true } coded ? new ResponseCompression(coded, services) : null;
        if (_config.Cache is { Enabled: true } cache)
            pipeline = new CacheStages(_config.RouteId, pipeline, cache, compression, services, _forwarder.UpstreamFields).InvokeAsync;
        else if (compression is not null)
            pipeline = new CompressionStage(pipeline, compression).InvokeAsync;
        if (buffering.Response.Enabled ?? isFastCgi)
            pipeline = new ResponseBuffering(pipeline, buffering.Response, services).InvokeAsync;
        if (isFastCgi && _config is { Site: { Enabled: true } site, FastCgi.Root: not null })
            pipeline = new Site(pipeline, _config, site, services, compression).InvokeAsync;
        if (_config.StaticFiles is { } files)
            pipeline = new StaticFiles(pipeline, _config, files, services, compression).InvokeAsync;
        if (_config.AccessLog)
            pipeline = new AccessLog(pipeline, services.Loggers, _time).InvokeAsync;
        return pipeline == forward ? null : pipeline;
    }

    public RouteConfig Config => _config;

    public Task InvokeAsync(HttpContext context)
    {
        // A policy that silently did nothing would be worse than an error.
        if (_needsTimeoutMiddleware && context.Features.Get<IHttpRequestTimeoutFeature>() is null && !System.Diagnostics.Debugger.IsAttached)
            throw new InvalidOperationException($"Route '{_config.RouteId}' has the TimeoutPolicy '{_config.TimeoutPolicy}', but app.UseRequestTimeouts() is not in the pipeline.");

        var proxy = new ProxyContext(_config, _split is null ? _cluster : _split.Choose(context), _time.GetTimestamp());
        context.Features.Set(proxy);
        _dataRate.Apply(context);
        return _metrics.Enabled ? InvokeMeasuredAsync(context, proxy) : RunAsync(context, proxy);
    }

    private Task RunAsync(HttpContext context, ProxyContext proxy)
    {
        var isFastCgi = proxy.Model.IsFastCgi;
        if (isFastCgi)
            context.Features.Set<Script>(null); // another route's, when an app has the request run again as another one
        var stages = isFastCgi ? _fastCgiStages : _stages;
        return ResponseEnd.FlushAfter(stages is null ? _forwarder.ForwardAsync(context, proxy) : stages(context), context, proxy);
    }

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
