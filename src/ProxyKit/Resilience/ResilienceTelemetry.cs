using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;
using ProxyKit.Forwarding;

namespace ProxyKit.Resilience;

/// <summary>Log messages and instruments of retries and hedging.</summary>
internal sealed partial class ResilienceTelemetry
{
    private readonly ILogger _logger;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _hedges;
    private readonly Counter<long> _exhausted;

    public ResilienceTelemetry(IMeterFactory meters, ILoggerFactory loggers)
    {
        _logger = loggers.CreateLogger(ProxyLog.Category);
        var meter = meters.Create(ProxyMetrics.MeterName);
        _retries = meter.CreateCounter<long>("proxykit.retries", "{retry}", "Attempts that failed and were followed by another, by reason.");
        _hedges = meter.CreateCounter<long>("proxykit.hedges", "{request}", "Attempts added because another took long.");
        _exhausted = meter.CreateCounter<long>("proxykit.retry_budget.exhausted", "{retry}", "Retries and hedges that the budget did not allow.");
    }

    public void Retrying(Attempt attempt, ProxyContext proxy)
    {
        var reason = attempt.Exception is null ? $"status {attempt.StatusCode}" : attempt.Failure.Error.ToString();
        if (_retries.Enabled)
            _retries.Add(1, new("proxykit.cluster", proxy.Cluster.ClusterId), new("proxykit.destination", attempt.Destination?.Name), new("reason", reason));
        if (_logger.IsEnabled(LogLevel.Information))
            Retrying(proxy.Route.RouteId, proxy.Cluster.ClusterId, attempt.Destination?.Name, reason, attempt switch
            {
                { Exception: null } => "such an answer counts as a failure",
                { Failure.Error: ProxyError.FirstByteTimeout } => "no response in time",
                { Exception: { } e } => RequestGuard.WithoutControls(e.Message),
            });
    }

    public void Hedged(ProxyContext proxy)
    {
        if (_hedges.Enabled)
            _hedges.Add(1, new KeyValuePair<string, object?>("proxykit.cluster", proxy.Cluster.ClusterId));
        Hedging(proxy.Route.RouteId, proxy.Destination?.Name);
    }

    public void BudgetExhausted(string clusterId, string kind)
    {
        if (_exhausted.Enabled)
            _exhausted.Add(1, new("proxykit.cluster", clusterId), new("kind", kind));
        OutOfBudget(clusterId, kind);
    }

    [LoggerMessage(80, LogLevel.Information, "Route {RouteId}: destination {Destination} of cluster {ClusterId} failed ({Reason}); trying again: {Cause}", EventName = "Retrying")]
    private partial void Retrying(string routeId, string clusterId, string? destination, string reason, string? cause);

    [LoggerMessage(81, LogLevel.Debug, "Route {RouteId}: {Destination} takes long; another destination is asked too", EventName = "Hedging")]
    private partial void Hedging(string routeId, string? destination);

    [LoggerMessage(82, LogLevel.Debug, "Cluster {ClusterId}: the retry budget does not allow another {Kind}", EventName = "RetryBudgetExhausted")]
    private partial void OutOfBudget(string clusterId, string kind);
}
