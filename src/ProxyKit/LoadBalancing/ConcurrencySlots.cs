using Microsoft.AspNetCore.Http;

namespace ProxyKit.LoadBalancing;

/// <summary>A request's way to a destination: through a <see cref="ConcurrencyLimiter"/> where there are limits, without a lock where there are none.</summary>
internal static class ConcurrencySlots
{
    /// <summary>Picks a destination and counts the request there; waits for one if all are full. <see cref="Destination.EndRequest"/> gives it back.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled while the request waited.</exception>
    public static ValueTask<Admission> AcquireAsync(HttpContext context, ProxyContext proxy, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (proxy.Owner.Limiter is { } limiter)
                return limiter.AcquireAsync(context, proxy, cancellationToken);
            proxy.Full = default;
            if (proxy.Balancer.Pick(context, proxy) is { } destination)
            {
                destination.BeginRequest();
                return new(new Admission(destination, ProxyError.None));
            }
            if (!proxy.Full.IsAny)
                return new(new Admission(null, ProxyError.NoAvailableDestinations));
            // Limits have come or gone this very moment.
            proxy.Balancer = proxy.Owner.Balancer;
        }
    }

    /// <summary>The same, but never waits: null when there is no destination now.</summary>
    public static Destination? TryAcquire(HttpContext context, ProxyContext proxy)
    {
        if (proxy.Owner.Limiter is { } limiter)
            return limiter.TryAcquire(context, proxy);
        var destination = proxy.Balancer.Pick(context, proxy);
        destination?.BeginRequest();
        return destination;
    }
}
