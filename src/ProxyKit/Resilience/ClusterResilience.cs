using Polly;
using Polly.Hedging;
using Polly.Retry;
using ProxyKit.Pipeline;

namespace ProxyKit.Resilience;

/// <summary>A cluster's <see cref="ResilienceConfig"/>, compiled into Polly pipelines. One execution of a pipeline's callback is one attempt at one destination.</summary>
internal sealed class ClusterResilience
{
    /// <summary>The most that <see cref="RetryConfig.MaxRetryAttempts"/> may be.</summary>
    private const int MaxRetryAttempts = 16;

    private readonly ClusterConfig _cluster;
    private readonly ResiliencePipeline<AttemptResult> _plain;
    private readonly ResiliencePipeline<AttemptResult> _hedged;
    private readonly LatencyQuantile? _latency;
    private readonly ResilienceTelemetry _telemetry;

    public ClusterResilience(ClusterConfig cluster, ClusterServices services)
    {
        _cluster = cluster;
        _telemetry = services.Resilience;
        var config = cluster.Resilience!;
        Retries = config.Retries ?? new();
        Budget = new(Retries, services.Time);
        // Each attempt has a clock of its own; what holds for all of them together is the total.
        RequestLimits = cluster.Timeouts with { FirstByte = Timeout.InfiniteTimeSpan, Idle = Timeout.InfiniteTimeSpan };
        AttemptLimits = cluster.Timeouts with { FirstByte = Retries.PerTryTimeout ?? cluster.Timeouts.FirstByte };
        if (config.Hedging?.Percentile is { } quantile)
            _latency = new(quantile);
        if (config.Pipeline is { } configure)
        {
            var builder = new ResiliencePipelineBuilder<HttpResponseMessage> { Name = cluster.ClusterId, TimeProvider = services.Time };
            configure(builder);
            Pipeline = builder.Build();
        }
        _plain = Build(services.Time, hedging: null);
        _hedged = config.Hedging is { } hedging ? Build(services.Time, hedging) : _plain;
    }

    public RetryConfig Retries { get; }

    public RetryBudget Budget { get; }

    /// <summary>The user's own.</summary>
    public ResiliencePipeline<HttpResponseMessage>? Pipeline { get; }

    /// <summary>Whether attempts have to yield HttpClient's messages, because a user's pipeline looks at them.</summary>
    public bool NeedsMessages => Pipeline is not null;

    public TimeoutConfig RequestLimits { get; }

    public TimeoutConfig AttemptLimits { get; }

    /// <summary>Measures what hedging needs to know; null if nothing.</summary>
    public IAttemptObserver? Observer => _latency;

    public ResiliencePipeline<AttemptResult> For(bool canBeHedged) => canBeHedged ? _hedged : _plain;

    public bool Hedges => _hedged != _plain;

    private ResiliencePipeline<AttemptResult> Build(TimeProvider time, HedgingConfig? hedging)
    {
        var builder = new ResiliencePipelineBuilder<AttemptResult> { Name = _cluster.ClusterId, TimeProvider = time };
        if (_cluster.Resilience!.Retries is not null)
        {
            builder.AddRetry(new RetryStrategyOptions<AttemptResult>
            {
                MaxRetryAttempts = MaxRetryAttempts,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = Retries.Delay,
                MaxDelay = Retries.MaxDelay,
                ShouldHandle = args => new(MayTryAgain(args.AttemptNumber, args.Outcome.Result)),
                DelayGenerator = args => new(args.Outcome.Result!.Series.DelayBeforeNext(args.Outcome.Result)),
                OnRetry = args => args.Outcome.Result!.DisposeAsync(),
            });
        }
        if (hedging is not null)
        {
            builder.AddHedging(new HedgingStrategyOptions<AttemptResult>
            {
                MaxHedgedAttempts = hedging.MaxHedgedAttempts,
                ShouldHandle = args => new(args.Outcome.Result is { IsRetryable: true }),
                DelayGenerator = _ => new(_latency?.Value ?? hedging.Delay),
                ActionGenerator = args =>
                {
                    var series = args.PrimaryContext.Properties.GetValue(AttemptSeries.Key, null!);
                    if (series.IsWaiting || !series.HasUntried || !TryWithdraw("hedge"))
                        return null;
                    _telemetry.Hedged(series.Proxy);
                    return () => args.Callback(args.ActionContext);
                },
            });
        }
        return builder.Build();
    }

    private bool MayTryAgain(int retries, AttemptResult? result)
    {
        if (result is not { IsRetryable: true } || retries >= MaxRetries(result.Series.Proxy))
            return false;
        // The budget keeps retries from multiplying an outage. It does not keep a request from a destination that works.
        if (!result.Series.HasUntriedHealthy && !TryWithdraw("retry"))
            return false;
        _telemetry.Retrying(result.Attempt, result.Series.Proxy);
        return true;
    }

    private int MaxRetries(ProxyContext proxy) => Retries.MaxRetryAttempts ?? Math.Clamp(proxy.Destinations.Length - 1, 2, MaxRetryAttempts);

    private bool TryWithdraw(string kind)
    {
        if (Budget.TryWithdraw())
            return true;
        _telemetry.BudgetExhausted(_cluster.ClusterId, kind);
        return false;
    }
}
