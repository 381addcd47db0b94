using System.Globalization;
using Microsoft.AspNetCore.Http;
using ProxyKit.Pipeline;

namespace ProxyKit.LoadBalancing;

/// <summary>
/// Holds a cluster and its destinations to their limits of concurrent requests. A destination is picked and its slot is taken under one lock, so that no limit is
/// ever exceeded; what finds all slots taken waits, first come, first served. There only while the cluster or one of its destinations has a limit.
/// </summary>
/// <remarks>
/// After everything that may set something free (an end, a verdict on health, a reload), whoever waits and can use it has it. So nobody in the queue can use
/// anything that a new request finds free, and the new one overtakes nobody.
/// </remarks>
internal sealed class ConcurrencyLimiter(Cluster cluster, ClusterModel model)
{
    private readonly Lock _lock = new();
    private readonly RequestQueue _queue = new();
    private readonly ConcurrencyLog _log = new(cluster);
    private readonly List<Destination> _retired = [];
    private ClusterModel _model = model;
    private ConcurrencyLimitsConfig _limits = model.Config.Limits ?? new();
    private bool _picking, _stale;

    /// <summary>Requests that the cluster is answering, those of destinations that it no longer has among them.</summary>
    public int ActiveRequests
    {
        get
        {
            lock (_lock)
                return Count();
        }
    }

    /// <summary>Requests that wait for one.</summary>
    public int QueueLength
    {
        get
        {
            lock (_lock)
                return _queue.Count;
        }
    }

    public static bool IsNeeded(ClusterModel model) =>
        model.Config.Limits is { MaxConcurrentRequests: not null } or { MaxConcurrentRequestsPerDestination: not null }
        || model.Resolved.Any(d => d.MaxConcurrentRequests is not null);

    /// <summary>RFC 9110 §10.2.3; null for no such header.</summary>
    public static string? RetryAfter(ClusterConfig cluster)
    {
        var seconds = Math.Ceiling((cluster.Limits ?? new()).RetryAfter.TotalSeconds);
        return seconds > 0 ? seconds.ToString(CultureInfo.InvariantCulture) : null;
    }

    /// <summary>Takes a slot at the destination that the cluster picks, waiting for one if need be.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled while the request waited.</exception>
    public ValueTask<Admission> AcquireAsync(HttpContext context, ProxyContext proxy, CancellationToken cancellationToken)
    {
        QueuedRequest? request = null;
        TimeSpan timeout;
        lock (_lock)
        {
            var admission = Admit(context, proxy);
            if (!admission.MustWait)
                return new(admission);
            timeout = _limits.QueueTimeout;
            if (_queue.Count < _limits.QueueLimit)
                _queue.Add(request = new(this, context, proxy), proxy.Full.Only);
        }
        return request is null ? new(Reject(proxy, ProxyError.QueueFull)) : WaitAsync(request, timeout, cancellationToken);
    }

    /// <summary>Takes a slot if there is one now.</summary>
    public Admission TryAdmit(HttpContext context, ProxyContext proxy)
    {
        lock (_lock)
            return Admit(context, proxy);
    }

    /// <summary>Frees a slot, and gives it to the first who can use it.</summary>
    public void Release(Destination destination)
    {
        lock (_lock)
        {
            var wasFull = IsFull();
            destination.FreeSlot();
            HandOn(destination, wasFull);
        }
    }

    /// <summary>Looks at everybody who waits: limits, destinations or their health have changed.</summary>
    public void Refresh()
    {
        lock (_lock)
        {
            TakeModel(cluster.Balancer.Model);
            _stale = true;
            if (!_picking)
                ExamineAll();
        }
    }

    /// <summary>Takes a request out of the queue, unless it has been given a slot this very moment.</summary>
    internal void TimedOut(QueuedRequest request)
    {
        if (Remove(request))
            request.SetResult(Reject(request.Proxy, ProxyError.QueueTimeout));
    }

    /// <inheritdoc cref="TimedOut"/>
    internal void Left(QueuedRequest request, CancellationToken cancellationToken)
    {
        if (Remove(request))
            request.SetCanceled(cancellationToken);
    }

    private bool Remove(QueuedRequest request)
    {
        lock (_lock)
            return _queue.Remove(request);
    }

    private async ValueTask<Admission> WaitAsync(QueuedRequest request, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var (time, metrics) = (cluster.Services.Time, cluster.Services.Concurrency);
        var start = time.GetTimestamp();
        var outcome = ProxyError.ClientAborted;
        try
        {
            // The timer holds for the request that has it: two with different limits, before and after a reload, may wait at once.
            using var timer = timeout == Timeout.InfiniteTimeSpan ? null
                : time.CreateTimer(static state => ((QueuedRequest)state!).Limiter.TimedOut((QueuedRequest)state), request, timeout, Timeout.InfiniteTimeSpan);
            using var left = cancellationToken.UnsafeRegister(static (state, token) => ((QueuedRequest)state!).Limiter.Left((QueuedRequest)state, token), request);
            metrics.Queued(cluster.ClusterId);
            var admission = await request.Task;
            outcome = admission.Error;
            return admission;
        }
        finally
        {
            var waited = time.GetElapsedTime(start);
            request.Proxy.QueueTime += waited;
            metrics.Dequeued(cluster.ClusterId, waited, outcome);
        }
    }

    private void TakeModel(ClusterModel model)
    {
        if (_model == model)
            return;
        _retired.RemoveAll(static d => d.ActiveRequests == 0);
        _retired.AddRange(_model.Destinations.Except(model.Destinations));
        (_model, _limits) = (model, model.Config.Limits ?? new());
    }

    // The sum, not a count of its own: requests that came before there was a limit are in it too.
    private int Count()
    {
        var count = 0;
        foreach (var destination in _model.Destinations)
            count += destination.ActiveRequests;
        foreach (var destination in _retired)
            count += destination.ActiveRequests;
        return count;
    }

    private bool IsFull() => _limits.MaxConcurrentRequests is { } limit && Count() >= limit;

    private Admission Admit(HttpContext context, ProxyContext proxy)
    {
        // What has waited, or was held up before, sees what is in force now.
        var balancer = cluster.Balancer;
        if (proxy.Balancer != balancer)
        {
            proxy.Balancer = balancer;
            balancer.Model.Affinity?.Reconsider(proxy);
        }
        proxy.Full = default;
        var isFull = IsFull();
        if (isFull && balancer.Available.Length > 0)
            return default;

        var picked = proxy.Pick(context);
        if (picked is null)
            return proxy.Full.IsAny ? default : new(null, ProxyError.NoAvailableDestinations);
        if (isFull || picked.IsFull)
        {
            proxy.Full.Add(picked);
            return default;
        }
        picked.BeginRequest();
        return new(picked, ProxyError.None);
    }

    // One slot is free, so at most one request gets one.
    private void HandOn(Destination destination, bool wasFull)
    {
        if (_queue.Count == 0 || (wasFull && IsFull()) || (!wasFull && (destination.IsFull || !_queue.MayUse(destination))))
            return;
        var isAvailable = wasFull || Array.IndexOf(cluster.Balancer.Available, destination) >= 0;
        for (var request = _queue.First; request is not null; request = request.Next)
        {
            // Most of those who cannot use it are told by a glance.
            var mayUse = request.WaitsFor is { } only ? !only.IsFull : wasFull
                || ((isAvailable || request.Proxy.AffineDestination == destination) && !request.Proxy.HasAttempted(destination));
            if (mayUse && Examine(request))
                break;
        }
        if (_stale)
            ExamineAll();
    }

    private void ExamineAll()
    {
        // Once more if somebody's policy changed something while it picked.
        while (_stale)
        {
            _stale = false;
            for (var request = _queue.First; request is not null; request = request.Next)
                Examine(request);
        }
    }

    /// <summary>Whether the request got a slot.</summary>
    private bool Examine(QueuedRequest request)
    {
        Admission admission;
        _picking = true;
        try
        {
            admission = Admit(request.Context, request.Proxy);
        }
        catch (Exception e)
        {
            // A policy of the user's own; it is that request's error, not that of the one whose end called it.
            _queue.Remove(request);
            request.SetException(e);
            return false;
        }
        finally
        {
            _picking = false;
        }
        if (admission.MustWait)
        {
            _queue.Rebind(request, request.Proxy.Full.Only);
            return false;
        }
        _queue.Remove(request);
        request.SetResult(admission);
        return admission.Destination is not null;
    }

    // Not under the lock: a logger may take its time.
    private Admission Reject(ProxyContext proxy, ProxyError error)
    {
        cluster.Services.Concurrency.Rejected(cluster.ClusterId, error);
        _log.Rejected(proxy, error, _limits, ActiveRequests);
        return new(null, error);
    }
}
