using System.Diagnostics;
using Polly;
using Polly.CircuitBreaker;
using ProxyKit.Health;

namespace ProxyKit.Resilience;

/// <summary>One destination's circuit breaker. It belongs to the destination, so it outlives reloads as long as its configuration is the same.</summary>
/// <remarks>
/// Polly's breaker counts, over its sliding window, and says when that is too much. It cannot be put around the request: a breaker there refuses after a destination has
/// been chosen, when the refusal should have led to another one; an attempt's success is known at its response's headers, long before its end; and it lets exactly one
/// request through when half open, whichever finishes first. So outcomes are handed to it afterwards, as executions that are over at once, and what half open means
/// (how many, which ones count, what if they never come back) is decided here, where destinations are picked. Its callbacks are not used, because they run on another
/// thread and would make those executions asynchronous.
/// </remarks>
internal sealed class CircuitBreaker : IDisposable
{
    private readonly Destination _destination;
    private readonly TimeProvider _time;
    private readonly DestinationEvents _events;
    private readonly ResiliencePipeline<bool> _pipeline;
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly CircuitBreakerManualControl _control = new();
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private (double Rate, int Failures) _trip;
    private long _halfOpenSince, _lastProbe;
    private int _probes;

    public CircuitBreaker(Destination destination, CircuitBreakerConfig config, TimeProvider time, DestinationEvents events)
    {
        (_destination, Config, _time, _events) = (destination, config, time, events);
        using (ExecutionContext.SuppressFlow())
            _timer = time.CreateTimer(static state => ((CircuitBreaker)state!).HalfOpen(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _pipeline = new ResiliencePipelineBuilder<bool> { TimeProvider = time }.AddCircuitBreaker(new()
        {
            FailureRatio = config.FailureRatio,
            MinimumThroughput = config.MinimumThroughput,
            SamplingDuration = config.SamplingDuration,
            // The only way to its figures.
            BreakDurationGenerator = args =>
            {
                _trip = (args.FailureRate, args.FailureCount);
                return new(config.BreakDuration);
            },
            ShouldHandle = static args => new(args.Outcome.Result),
            StateProvider = _state,
            ManualControl = _control,
        }).Build();
    }

    public CircuitBreakerConfig Config { get; }

    /// <summary>Whether a request may be sent there now.</summary>
    public bool Admits => _destination.CircuitState switch
    {
        CircuitState.Closed => true,
        CircuitState.Open => false,
        _ => Volatile.Read(ref _probes) < Config.ProbeRequests || IsOverdue(Volatile.Read(ref _lastProbe)),
    };

    /// <summary>Lets a request through that has been told that it may; false if others were faster. Without a lock: it is called under those of who picks.</summary>
    public bool TryEnter()
    {
        while (_destination.CircuitState == CircuitState.HalfOpen)
        {
            var lastProbe = Volatile.Read(ref _lastProbe);
            var probes = Volatile.Read(ref _probes);
            if (probes < Config.ProbeRequests)
            {
                // First the time: whoever finds all taken by then must not find an old one.
                Volatile.Write(ref _lastProbe, _time.GetTimestamp());
                if (Interlocked.CompareExchange(ref _probes, probes + 1, probes) == probes)
                    return true;
                continue;
            }
            // Probes that hang must not keep the destination out for ever.
            if (!IsOverdue(lastProbe))
                return false;
            if (Interlocked.CompareExchange(ref _lastProbe, _time.GetTimestamp(), lastProbe) == lastProbe)
            {
                Volatile.Write(ref _probes, 1);
                return true;
            }
        }
        return _destination.CircuitState == CircuitState.Closed;
    }

    public void Record(AttemptVerdict verdict, TimeSpan duration)
    {
        switch (_destination.CircuitState)
        {
            case CircuitState.Closed when verdict != AttemptVerdict.None:
                Count(verdict == AttemptVerdict.Failure);
                break;
            case CircuitState.HalfOpen:
                Probed(verdict, duration);
                break;
        }
    }

    /// <summary>Closes it and forgets what was counted.</summary>
    public void Reset(string description)
    {
        lock (_lock)
        {
            _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            Close(description);
        }
    }

    /// <summary>It moves no more by itself.</summary>
    public void Dispose() => _timer.Dispose();

    private void Count(bool failed)
    {
        var context = ResilienceContextPool.Shared.Get();
        var counting = _pipeline.ExecuteOutcomeAsync(static (_, failed) => new ValueTask<Outcome<bool>>(Outcome.FromResult(failed)), context, failed);
        Debug.Assert(counting.IsCompleted, "There is nothing to wait for.");
        ResilienceContextPool.Shared.Return(context);
        if (!failed || _state.CircuitState != Polly.CircuitBreaker.CircuitState.Open)
            return;
        lock (_lock)
        {
            if (_destination.CircuitState == CircuitState.Closed && _state.CircuitState == Polly.CircuitBreaker.CircuitState.Open)
                Open(FormattableString.Invariant($"{_trip.Failures} requests, {_trip.Rate:P0} of those in {Config.SamplingDuration}, failed"));
        }
    }

    private void Probed(AttemptVerdict verdict, TimeSpan duration)
    {
        lock (_lock)
        {
            // One that began before says nothing about now.
            if (_destination.CircuitState != CircuitState.HalfOpen || _time.GetElapsedTime(_halfOpenSince) < duration)
                return;
            switch (verdict)
            {
                case AttemptVerdict.None:
                    Volatile.Write(ref _probes, Math.Max(0, _probes - 1));
                    break;
                case AttemptVerdict.Success:
                    Close("it answers again");
                    break;
                default:
                    Open("it still fails");
                    break;
            }
        }
    }

    private void Open(string description)
    {
        _destination.CircuitState = CircuitState.Open;
        _timer.Change(Config.BreakDuration, Timeout.InfiniteTimeSpan);
        _events.CircuitOpened(_destination, Config.BreakDuration, description);
    }

    private void HalfOpen()
    {
        lock (_lock)
        {
            if (_destination.CircuitState != CircuitState.Open)
                return;
            _halfOpenSince = _lastProbe = _time.GetTimestamp();
            _probes = 0;
            _destination.CircuitState = CircuitState.HalfOpen;
            _events.CircuitHalfOpened(_destination, Config.ProbeRequests);
        }
    }

    private void Close(string description)
    {
        // Complete when it returns, since there are no callbacks to wait for.
        _control.CloseAsync().GetAwaiter().GetResult();
        if (_destination.CircuitState == CircuitState.Closed)
            return;
        _destination.CircuitState = CircuitState.Closed;
        _events.CircuitClosed(_destination, description);
    }

    private bool IsOverdue(long lastProbe) => _time.GetElapsedTime(lastProbe) >= Config.BreakDuration;
}
