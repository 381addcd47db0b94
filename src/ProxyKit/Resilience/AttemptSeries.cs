using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Polly;
using ProxyKit.Forwarding;
using ProxyKit.LoadBalancing;

namespace ProxyKit.Resilience;

/// <summary>The attempts that one request has, one after the other or, when it is hedged, side by side.</summary>
internal sealed partial class AttemptSeries(
    Forwarder forwarder, ClusterResilience resilience, HttpContext context, ProxyContext proxy, PreparedRequest prepared, ExchangeClock clock, ForwarderServices services)
{
    /// <summary>A wait that a destination asks for and the request has no limit for; more is left to the client.</summary>
    private static readonly TimeSpan s_maxRetryAfter = TimeSpan.FromSeconds(10);

    private const string TooLong = "The request's body is too long to be kept; it cannot be sent again.";

    public static readonly ResiliencePropertyKey<AttemptSeries> Key = new("ProxyKit.AttemptSeries");

    private readonly List<(Attempt Attempt, ExchangeClock Clock)> _attempts = [];
    private readonly ReplayBuffer _replay = new(resilience.Retries.MaxBodySize);
    private List<Task>? _running;
    private Attempt? _first; // made already, for the pipeline to go on from
    private readonly bool _isRepeatable = resilience.Retries.NonIdempotent || prepared.IsIdempotent;

    public ProxyContext Proxy => proxy;

    /// <summary>Whether attempts may be made side by side.</summary>
    public bool IsHedged => _running is not null;

    /// <summary>Whether there is a destination that has not been tried.</summary>
    public bool HasUntried => proxy.HasUntried;

    /// <summary>Whether one of them is known to be healthy now.</summary>
    public bool HasUntriedHealthy
    {
        get
        {
            proxy.RefreshBalancer();
            return HasUntried && Array.Exists(proxy.Balancer.Available, d => d.Health == DestinationHealth.Healthy && !proxy.HasAttempted(d));
        }
    }

    /// <summary>Whether it waits for a destination that is below its limits.</summary>
    public bool IsWaiting { get; private set; }

    /// <summary>The attempt whose outcome counts: answered, or failed with all others.</summary>
    public ValueTask<Attempt> RunAsync()
    {
        resilience.Budget.Deposit();
        // A hedge would be answered by a destination that does not know the session.
        var canBeHedged = resilience.Hedges && proxy.AffineDestination is null && prepared.IsIdempotent && prepared.Upgrade is null
            && (proxy.BufferedBody is not null || !Forwarder.MayHaveBody(context));
        if (canBeHedged)
            _running = [];
        return canBeHedged || resilience.Pipeline is not null ? new(RunPipelineAsync(canBeHedged)) : RunFirstAsync();
    }

    // Most requests have one attempt. Only what Polly may have a say in goes through its pipeline.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Attempt> RunFirstAsync()
    {
        var attempt = Create();
        await RunAsync(attempt, clock.Token);
        if (!IsRetryable(attempt))
            return attempt;
        _first = attempt;
        return await RunPipelineAsync(canBeHedged: false);
    }

    private async Task<Attempt> RunPipelineAsync(bool canBeHedged)
    {
        var resilienceContext = ResilienceContextPool.Shared.Get(clock.Token);
        resilienceContext.Properties.Set(Key, this);
        resilienceContext.Properties.Set(ProxyResilience.HttpContextKey, context);
        try
        {
            if (resilience.Pipeline is { } pipeline)
                return await RunAsync(pipeline, resilienceContext);
            var outcome = await resilience.For(canBeHedged).ExecuteOutcomeAsync(
                static (resilienceContext, series) => series.TryAsync(resilienceContext), resilienceContext, this);
            // Cancelled while it waited for the next attempt.
            return outcome.Result?.Attempt ?? Failed(outcome.Exception!);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(resilienceContext);
        }
    }

    public bool IsRetryable(Attempt attempt)
    {
        // A client that sends too slowly would be as slow elsewhere, and use up the budget.
        if (!CanSendAgain || attempt.IsExcused)
            return false;
        if (attempt.Exception is null)
            return _isRepeatable && attempt.Response is not null && resilience.Retries.Statuses.AsSpan().Contains(attempt.StatusCode) && (HasUntried || IsInTime(RetryAfter(attempt)));
        return attempt.Failure.Class switch
        {
            // A hedge that finds no destination leaves it to the others.
            FailureClass.NothingSent when attempt.Failure.Error is ProxyError.NoAvailableDestinations or ProxyError.QueueFull => _running is not null && proxy.Attempts > 0,
            FailureClass.NothingSent => attempt.Failure.IsOfDestination,
            FailureClass.Unanswered => _isRepeatable && attempt.Failure.Error != ProxyError.TotalTimeout,
            FailureClass.Answered => _isRepeatable && attempt.Failure.Error == ProxyError.InvalidResponse,
            _ => false,
        };
    }

    /// <summary>At once while there is a destination that has not been tried; else what the last one asks for, or null for the usual backoff.</summary>
    public TimeSpan? DelayBeforeNext(AttemptResult last) => HasUntried ? TimeSpan.Zero : RetryAfter(last.Attempt);

    /// <summary>Ends what is left. After this nothing touches the request any more.</summary>
    public async ValueTask EndAsync()
    {
        if (_running is not null)
        {
            foreach (var (_, attemptClock) in _attempts)
                attemptClock.CancelExchange();
            await Task.WhenAll(_running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await EndPipelineAsync();
        foreach (var (attempt, attemptClock) in _attempts)
        {
            await attempt.EndAsync();
            services.Clocks.Release(attemptClock);
        }
        _replay.Release();
    }

    private bool CanSendAgain => _replay.IsIntact || !_attempts.Any(a => a.Attempt.Body is { Started: true, IsBuffered: false });

    private ValueTask<Outcome<AttemptResult>> TryAsync(ResilienceContext resilienceContext)
    {
        if (_running is null)
            return TryOnceAsync(resilienceContext.CancellationToken);
        var attempt = TryOnceAsync(resilienceContext.CancellationToken).AsTask();
        lock (_running)
            _running.Add(attempt);
        return new(attempt);
    }

    private async ValueTask<Outcome<AttemptResult>> TryOnceAsync(CancellationToken cancellationToken)
    {
        if (_first is { } first)
        {
            _first = null;
            return Outcome.FromResult(new AttemptResult(first, this));
        }
        // Between the decision to try again and the end of the last attempt, the body may have become too long to be kept.
        if (!CanSendAgain)
            return Outcome.FromResult(new AttemptResult(Failed(new IOException(TooLong)), this));
        var attempt = Create();
        await RunAsync(attempt, cancellationToken);
        return Outcome.FromResult(new AttemptResult(attempt, this));
    }

    private Attempt Create()
    {
        var attemptClock = services.Clocks.Rent();
        attemptClock.StartAttempt(resilience.AttemptLimits, services.Clocks.Time.GetTimestamp(), clock);
        var request = prepared;
        if (_running is not null)
            (request = new()).CopyFrom(prepared); // several are sent at once, each with a trace context of its own
        var attempt = new Attempt(proxy, request, attemptClock);
        lock (_attempts)
            _attempts.Add((attempt, attemptClock));
        return attempt;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask RunAsync(Attempt attempt, CancellationToken cancellationToken)
    {
        var losing = cancellationToken == clock.Token
            ? default
            : cancellationToken.UnsafeRegister(static state => ((ExchangeClock)state!).CancelExchange(), attempt.Clock);
        try
        {
            // Nobody waits for it any more: a pipeline of the user's may not have noticed.
            attempt.Clock.Token.ThrowIfCancellationRequested();
            forwarder.Begin(attempt, await ChooseAsync(attempt), context, proxy, _replay);
            attempt.Response = await forwarder.SendAsync(attempt, context, proxy);
            if (attempt.Response is not null)
                forwarder.Received(attempt, proxy);
        }
        catch (Exception e)
        {
            forwarder.Fail(attempt, e, context, proxy);
        }
        finally
        {
            await losing.DisposeAsync();
        }
    }

    private async ValueTask<Destination> ChooseAsync(Attempt attempt)
    {
        if (proxy.Attempts > 0)
        {
            var next = ChooseNext();
            if (next.Destination is { } untried)
                return untried;
            if (!next.MustWait)
                throw new NoDestinationException(next.Error);
            if (_running is not null)
                throw new NoDestinationException(ProxyError.QueueFull); // a hedge is not worth waiting for
        }
        IsWaiting = true;
        var destination = await ConcurrencySlots.AcquireAsync(context, proxy, attempt.Clock);
        IsWaiting = false;
        lock (_attempts)
            proxy.AddAttempted(destination);
        return destination;
    }

    private Admission ChooseNext()
    {
        lock (_attempts)
        {
            proxy.RefreshBalancer();
            var next = ConcurrencySlots.TryAdmit(context, proxy);
            if (next.IsNone)
            {
                // All have been tried: from the beginning, but if possible not the last one.
                proxy.ForgetAttempted(proxy.Destination);
                next = ConcurrencySlots.TryAdmit(context, proxy);
            }
            if (next.IsNone)
            {
                proxy.ForgetAttempted(null);
                next = ConcurrencySlots.TryAdmit(context, proxy);
            }
            if (next.Destination is { } destination)
                proxy.AddAttempted(destination);
            return next;
        }
    }

    private Attempt Failed(Exception exception)
    {
        var attempt = new Attempt(proxy, prepared, clock) { Phase = Phase.Send };
        forwarder.Fail(attempt, exception, context, proxy);
        return attempt;
    }

    private bool IsInTime(TimeSpan? wait) => wait is null || wait <= (clock.Remaining ?? s_maxRetryAfter);

    // RFC 9110 §10.2.3
    private TimeSpan? RetryAfter(Attempt attempt)
    {
        if (attempt.Exception is not null || attempt.Response?.Headers.Get("Retry-After") is not { Count: > 0 } value)
            return null;
        if (!System.Net.Http.Headers.RetryConditionHeaderValue.TryParse(value.ToString(), out var parsed))
            return null;
        var wait = parsed.Delta ?? parsed.Date - services.Clocks.Time.GetUtcNow();
        return wait > TimeSpan.Zero ? wait : null;
    }
}
