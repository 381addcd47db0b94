using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.LoadBalancing;

/// <summary>A request's way to a destination: through a <see cref="ConcurrencyLimiter"/> where there are limits, without a lock where there are none.</summary>
internal static class ConcurrencySlots
{
    /// <summary>Picks a destination and counts the request there, waiting for one if all are full. <see cref="Destination.EndRequest"/> gives it back.</summary>
    /// <param name="context">The request.</param>
    /// <param name="proxy">Its state.</param>
    /// <param name="clock">Its token ends the wait; of its limits only the total counts meanwhile.</param>
    /// <exception cref="NoDestinationException">There is none, the queue is full, or the request has waited too long.</exception>
    /// <exception cref="OperationCanceledException">The client left or the time was up.</exception>
    public static ValueTask<Destination> AcquireAsync(HttpContext context, ProxyContext proxy, ExchangeClock clock)
    {
        while (true)
        {
            if (proxy.Owner.Limiter is { } limiter)
            {
                var acquiring = limiter.AcquireAsync(context, proxy, clock.Token);
                return acquiring.IsCompletedSuccessfully ? new(acquiring.Result.Required) : WaitAsync(acquiring, clock);
            }
            proxy.Full = default;
            if (proxy.Pick(context) is { } destination)
            {
                destination.BeginRequest();
                return new(destination);
            }
            if (!proxy.Full.IsAny)
                throw new NoDestinationException(ProxyError.NoAvailableDestinations);
            // Limits have come or gone this very moment.
            proxy.Balancer = proxy.Owner.Balancer;
        }
    }

    /// <summary>The same for what is not worth waiting for: null when there is no destination now.</summary>
    public static Destination? TryAcquire(HttpContext context, ProxyContext proxy) => TryAdmit(context, proxy).Destination;

    /// <summary>The same, but says whether waiting would help.</summary>
    public static Admission TryAdmit(HttpContext context, ProxyContext proxy)
    {
        if (proxy.Owner.Limiter is { } limiter)
            return limiter.TryAdmit(context, proxy);
        var destination = proxy.Pick(context);
        destination?.BeginRequest();
        return new(destination, destination is null ? ProxyError.NoAvailableDestinations : ProxyError.None);
    }

    private static async ValueTask<Destination> WaitAsync(ValueTask<Admission> acquiring, ExchangeClock clock)
    {
        clock.EnterQueue();
        var admission = await acquiring;
        clock.LeaveQueue();
        return admission.Required;
    }
}

/// <summary>A slot at a destination, or why there is none; neither while a request must wait.</summary>
internal readonly record struct Admission(Destination? Destination, ProxyError Error)
{
    public bool MustWait => Destination is null && Error == ProxyError.None;

    public bool IsNone => Error != ProxyError.None;

    /// <exception cref="NoDestinationException">There is none.</exception>
    public Destination Required => Destination ?? throw new NoDestinationException(Error);
}
