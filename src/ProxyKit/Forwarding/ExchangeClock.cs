using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.ObjectPool;

namespace ProxyKit.Forwarding;

/// <summary>
/// Watches over one request: cancels its token when the client leaves or a limit of <see cref="TimeoutConfig"/> is exceeded, and says which.
/// Its timer is left running between requests and looks, when it fires, what is due then: a request that keeps its limits never touches the timer.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A clock that is not returned to the pool is collected with its timer, which is not re-armed.")]
internal sealed class ExchangeClock
{
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly ITimer _timer;
    private CancellationTokenSource _cancellation = new();
    private CancellationTokenRegistration _aborted;
    private TimeoutConfig _limits = s_none;
    private TimeSpan _total;
    private ExchangeClock? _request;
    private long _start;
    private long _lastActivity;
    private long _due = long.MaxValue; // when the timer will fire
    private State _state;
    private RequestBufferingConfig? _upload;
    private long _uploaded;
    private long _windowStart, _windowBytes; // what had been uploaded when the window began

    private static readonly TimeoutConfig s_none = new();

    private enum State
    {
        Stopped,
        Upload,
        Queued,
        AwaitingHeaders,
        Body,
        Tunnel,
    }

    private ExchangeClock(TimeProvider time)
    {
        _time = time;
        using (ExecutionContext.SuppressFlow())
            _timer = time.CreateTimer(static state => ((ExchangeClock)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public CancellationToken Token => _cancellation.Token;

    /// <summary>Why the token is cancelled; <see cref="ProxyError.None"/> if it is not, or if neither client nor time is the reason.</summary>
    public ProxyError Reason { get; private set; }

    /// <summary>What is left of the time for the whole request; null if that has no limit.</summary>
    public TimeSpan? Remaining => _total == Timeout.InfiniteTimeSpan ? null : _total - _time.GetElapsedTime(_start);

    /// <param name="limits">The limits.</param>
    /// <param name="total">The route's own limit for the whole request, if it has one.</param>
    /// <param name="startTimestamp">When the request began, which <see cref="TimeoutConfig.Total"/> is counted from.</param>
    /// <param name="now">When forwarding begins, which the others are counted from.</param>
    /// <param name="aborted">Cancelled when the client leaves.</param>
    public void Start(TimeoutConfig limits, TimeSpan? total, long startTimestamp, long now, CancellationToken aborted)
    {
        lock (_lock)
        {
            _limits = limits;
            _total = total ?? limits.Total;
            _start = startTimestamp;
            _lastActivity = now;
            _state = State.AwaitingHeaders;
            Arm();
        }
        // Outside the lock: it runs at once if the client is gone already.
        _aborted = aborted.UnsafeRegister(static state => ((ExchangeClock)state!).Cancel(ProxyError.ClientAborted), this);
    }

    /// <summary>Starts a clock for the time in which a body is taken off the client: <see cref="Reason"/> is <see cref="ProxyError.RequestBodyClient"/> when it is too slow.</summary>
    public void StartUpload(RequestBufferingConfig limits, TimeSpan total, long startTimestamp, CancellationToken aborted)
    {
        lock (_lock)
        {
            _upload = limits;
            _uploaded = _windowBytes = 0;
            _windowStart = startTimestamp;
            _total = total;
            _start = _lastActivity = startTimestamp;
            _state = State.Upload;
            Arm();
        }
        _aborted = aborted.UnsafeRegister(static state => ((ExchangeClock)state!).Cancel(ProxyError.ClientAborted), this);
    }

    /// <summary>So much of the body is here by now.</summary>
    public void Uploaded(long bytes)
    {
        Volatile.Write(ref _uploaded, bytes);
        Touch();
    }

    /// <summary>Starts a clock for one of a request's attempts: limits of its own, cancelled together with the request's.</summary>
    public void StartAttempt(TimeoutConfig limits, long startTimestamp, ExchangeClock request)
    {
        lock (_lock)
        {
            _limits = limits;
            _total = Timeout.InfiniteTimeSpan;
            _start = _lastActivity = startTimestamp;
            _state = State.AwaitingHeaders;
            _request = request;
            Arm();
        }
        _aborted = request.Token.UnsafeRegister(static state => ((ExchangeClock)state!).CancelWithRequest(), this);
    }

    /// <summary>Something has moved.</summary>
    public void Touch() => Volatile.Write(ref _lastActivity, _time.GetTimestamp());

    /// <summary>The request waits for a destination: only <see cref="TimeoutConfig.Total"/> counts.</summary>
    public void EnterQueue() => Enter(State.Queued, _time.GetTimestamp());

    /// <summary>It has one: <see cref="TimeoutConfig.FirstByte"/> begins to count.</summary>
    public void LeaveQueue() => Enter(State.AwaitingHeaders, _time.GetTimestamp());

    /// <summary>The headers are there; from now on <see cref="TimeoutConfig.Idle"/> counts.</summary>
    public void HeadersReceived(long timestamp) => Enter(State.Body, timestamp);

    /// <summary>The upstream waits for a slow client: only <see cref="TimeoutConfig.Total"/> counts.</summary>
    public void Suspend() => Enter(State.Queued, _time.GetTimestamp());

    /// <summary>The upstream is read again.</summary>
    public void Resume() => Enter(State.Body, _time.GetTimestamp());

    /// <summary>The connection is upgraded: only <see cref="TimeoutConfig.Idle"/> counts. A client that leaves is the tunnel's business.</summary>
    public void Upgraded()
    {
        _aborted.Dispose();
        Enter(State.Tunnel, _time.GetTimestamp());
    }

    public void Cancel(ProxyError reason)
    {
        lock (_lock)
        {
            if (_state == State.Stopped || Reason != ProxyError.None)
                return;
            Reason = reason;
        }
        _cancellation.Cancel();
    }

    /// <summary>Ends what still runs of the exchange, for no reason that anybody is to be told.</summary>
    public void CancelExchange() => _cancellation.Cancel();

    private void CancelWithRequest()
    {
        if (_request is { Reason: not ProxyError.None and var reason })
            Cancel(reason);
        else
            CancelExchange();
    }

    private void Enter(State state, long timestamp)
    {
        lock (_lock)
        {
            _state = state;
            _lastActivity = timestamp;
            Arm();
        }
    }

    private void OnTimer()
    {
        lock (_lock)
        {
            _due = long.MaxValue;
            if (_state == State.Stopped)
                return;
            var (due, reason) = NextLimit();
            if (_time.GetTimestamp() < due)
            {
                Arm();
                return;
            }
            // Decided under this lock: once it is released, the clock may be another request's.
            if (Reason != ProxyError.None)
                return;
            Reason = reason;
        }
        _cancellation.Cancel();
    }

    private void Arm()
    {
        var (due, _) = NextLimit();
        if (due >= _due)
            return; // the timer fires before that, and will look again
        _due = due;
        var wait = _time.GetElapsedTime(_time.GetTimestamp(), due);
        // One millisecond more, so that a timer rounded down does not fire just before its time; a day at most, then it looks again.
        _timer.Change(TimeSpan.FromMilliseconds(Math.Clamp(Math.Ceiling(wait.TotalMilliseconds) + 1, 0, 86_400_000)), Timeout.InfiniteTimeSpan);
    }

    private (long Due, ProxyError Reason) NextLimit()
    {
        var (idle, reason) = _state switch
        {
            State.Upload => (_upload!.IdleTimeout, ProxyError.RequestBodyClient),
            State.Queued => (Timeout.InfiniteTimeSpan, ProxyError.TotalTimeout),
            State.AwaitingHeaders => (_limits.FirstByte, ProxyError.FirstByteTimeout),
            _ => (_limits.Idle, ProxyError.IdleTimeout),
        };
        var due = After(Volatile.Read(ref _lastActivity), idle);
        if (_state == State.Upload)
            due = Math.Min(due, TooSlow(_upload!));
        var total = _state == State.Tunnel ? long.MaxValue : After(_start, _total);
        return total <= due ? (total, ProxyError.TotalTimeout) : (due, reason);
    }

    // When it will have been slower than it may, if nothing more comes: on average, or within a window of time. The average alone would let a client that was fast hold what it has sent for a long time.
    private long TooSlow(RequestBufferingConfig limits)
    {
        if (limits.MinDataRate <= 0)
            return long.MaxValue;
        var (now, uploaded) = (_time.GetTimestamp(), Volatile.Read(ref _uploaded));
        var window = TimeSpan.FromSeconds(Math.Max(limits.MinDataRateGracePeriod.TotalSeconds, RequestBufferingConfig.RateWindow.TotalSeconds));
        if (now >= After(_windowStart, window) && uploaded - _windowBytes >= limits.MinDataRate * window.TotalSeconds)
            (_windowStart, _windowBytes) = (now, uploaded);
        var seconds = Math.Max(limits.MinDataRateGracePeriod.TotalSeconds, uploaded / limits.MinDataRate);
        return Math.Min(After(_windowStart, window), _start + (long)Math.Min(seconds * _time.TimestampFrequency, long.MaxValue / 2));
    }

    private long After(long timestamp, TimeSpan span) =>
        span == Timeout.InfiniteTimeSpan ? long.MaxValue : timestamp + (long)(span.TotalSeconds * _time.TimestampFrequency);

    private bool TryStop()
    {
        _aborted.Dispose();
        _aborted = default;
        lock (_lock)
        {
            _state = State.Stopped;
            _request = null;
            var clean = Reason == ProxyError.None;
            Reason = ProxyError.None;
            return clean && _cancellation.TryReset();
        }
    }

    /// <summary>Clocks for one <see cref="TimeProvider"/>.</summary>
    public sealed class Pool : PooledObjectPolicy<ExchangeClock>
    {
        private readonly DefaultObjectPool<ExchangeClock> _clocks;

        public Pool(TimeProvider time)
        {
            Time = time;
            _clocks = new(this, maximumRetained: 1024);
        }

        public TimeProvider Time { get; }

        public ExchangeClock Rent() => _clocks.Get();

        public void Release(ExchangeClock clock) => _clocks.Return(clock);

        public override ExchangeClock Create() => new(Time);

        public override bool Return(ExchangeClock obj)
        {
            if (obj.TryStop())
                return true;
            obj._timer.Dispose();
            return false;
        }
    }
}
