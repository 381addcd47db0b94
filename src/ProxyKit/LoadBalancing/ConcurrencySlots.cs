using Microsoft.AspNetCore.Http;

namespace ProxyKit.LoadBalancing;

/// <summary>A request's way to a destination and back: with a <see cref="ConcurrencyLimiter"/> where there are limits, without a lock where there are none.</summary>
internal static class ConcurrencySlots
{
    /// <summary>Picks a destination and counts the request there; waits for one if all are full.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled while the request waited.</exception>
    public static ValueTask<Admission> AcquireAsync(HttpContext context, ProxyContext proxy, CancellationToken cancellationToken) =>
        proxy.Limiter is { } limiter ? limiter.AcquireAsync(context, proxy, cancellationToken)
        : TryAcquire(context, proxy) is { } destination ? new(new Admission(destination, ProxyError.None))
        : new(new Admission(null, ProxyError.NoAvailableDestinations));

    /// <summary>The same, but never waits: null when there is no destination now.</summary>
    public static Destination? TryAcquire(HttpContext context, ProxyContext proxy)
    {
        if (proxy.Limiter is { } limiter)
            return limiter.TryAcquire(context, proxy);
        var destination = proxy.Balancer.Pick(context, proxy);
        destination?.BeginRequest();
        return destination;
    }

    /// <summary>The request has ended there. Once for each destination that was acquired.</summary>
    public static void Release(ProxyContext proxy, Destination destination)
    {
        if (proxy.Limiter is { } limiter)
            limiter.Release(destination);
        else
            destination.EndRequest();
    }
}
