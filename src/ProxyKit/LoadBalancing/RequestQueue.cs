using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.LoadBalancing;

/// <summary>
/// Requests that wait for a slot, in the order in which they came. It knows which of them can only use one destination, so that slots at others pass them without a
/// look. Used under the <see cref="ConcurrencyLimiter"/>'s lock.
/// </summary>
internal sealed class RequestQueue
{
    private readonly Dictionary<Destination, int> _bound = [];
    private QueuedRequest? _last;
    private int _unbound;

    public QueuedRequest? First { get; private set; }

    public int Count { get; private set; }

    public void Add(QueuedRequest request, Destination? waitsFor)
    {
        request.Previous = _last;
        if (_last is null)
            First = request;
        else
            _last.Next = request;
        _last = request;
        request.IsQueued = true;
        Count++;
        Bind(request, waitsFor);
    }

    /// <summary>Whether it was there. Its <see cref="QueuedRequest.Next"/> stays, for who is walking along.</summary>
    public bool Remove(QueuedRequest request)
    {
        if (!request.IsQueued)
            return false;
        request.IsQueued = false;
        if (request.Previous is { } previous)
            previous.Next = request.Next;
        else
            First = request.Next;
        if (request.Next is { } next)
            next.Previous = request.Previous;
        else
            _last = request.Previous;
        Count--;
        Unbind(request);
        return true;
    }

    public void Rebind(QueuedRequest request, Destination? waitsFor)
    {
        if (request.WaitsFor == waitsFor)
            return;
        Unbind(request);
        Bind(request, waitsFor);
    }

    /// <summary>Whether somebody waits who may be able to use a slot there.</summary>
    public bool MayUse(Destination destination) => _unbound > 0 || _bound.ContainsKey(destination);

    private void Bind(QueuedRequest request, Destination? waitsFor)
    {
        request.WaitsFor = waitsFor;
        if (waitsFor is null)
            _unbound++;
        else
            CollectionsMarshal.GetValueRefOrAddDefault(_bound, waitsFor, out _)++;
    }

    private void Unbind(QueuedRequest request)
    {
        if (request.WaitsFor is not { } waitsFor)
            _unbound--;
        else if (--CollectionsMarshal.GetValueRefOrNullRef(_bound, waitsFor) == 0)
            _bound.Remove(waitsFor);
    }
}

/// <summary>A request that waits.</summary>
internal sealed class QueuedRequest(ConcurrencyLimiter limiter, HttpContext context, ProxyContext proxy)
    // Not on the thread of the request whose end makes way for this one, and not under the lock.
    : TaskCompletionSource<Admission>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    public ConcurrencyLimiter Limiter => limiter;

    public HttpContext Context => context;

    public ProxyContext Proxy => proxy;

    /// <summary>The only destination that it can use; null when there are several, or it is not known.</summary>
    public Destination? WaitsFor { get; set; }

    public bool IsQueued { get; set; }

    public QueuedRequest? Previous { get; set; }

    public QueuedRequest? Next { get; set; }
}

/// <summary>The destinations that a pick passed over for no other reason than that they were full.</summary>
internal struct FullDestinations
{
    private Destination? _first;
    private bool _isSeveral;

    public readonly bool IsAny => _first is not null;

    /// <summary>The destination, if it is one; null if there are none or several.</summary>
    public readonly Destination? Only => _isSeveral ? null : _first;

    public void Add(Destination destination)
    {
        _isSeveral |= _first is not null && _first != destination;
        _first ??= destination;
    }
}
