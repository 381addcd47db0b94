using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace ProxyKit.Forwarding;

/// <summary>
/// Applies Kestrel's <see cref="KestrelServerLimits.MinResponseDataRate"/> to the bytes that wait for the client. Over HTTP/1.1, Kestrel allows a flush the grace period alone unless the bytes were handed over by
/// <c>WriteAsync</c>: bytes that were advanced do not count. But a flush ends only when the client has taken what the transport's write buffer holds, so a client that is faster than the minimum rate was cut.
/// </summary>
internal sealed class ClientDataRate(IOptions<KestrelServerOptions> kestrel, IOptions<SocketTransportOptions> sockets)
{
    private const double MaxSeconds = 24 * 60 * 60;

    // What a flush can wait for: the full write buffer, and the piece that it was given on top.
    private readonly double _waiting = (sockets.Value.MaxWriteBufferSize ?? 0) + ResponseBody.LargestPiece;

    private Pair? _last;

    /// <summary>Extends the grace period of the client's connection by the time that a client at the minimum rate needs for what can wait for it.</summary>
    public void Apply(HttpContext context)
    {
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is not { MinDataRate: { BytesPerSecond: > 0 } rate } feature)
            return; // HTTP/2 and HTTP/3 count all bytes
        var last = _last;
        if (rate == last?.Applied)
            return;
        if (rate != last?.Configured)
            _last = last = new(rate, new(rate.BytesPerSecond, rate.GracePeriod + TimeSpan.FromSeconds(Math.Min(_waiting / rate.BytesPerSecond, MaxSeconds))));
        feature.MinDataRate = last.Applied;
    }

    /// <summary>The minimum rate, if a client that held a flush up for so long has not met it; otherwise null.</summary>
    public double? NotMet(HttpContext context, TimeSpan wait)
    {
        var rate = context.Features.Get<IHttpMinResponseDataRateFeature>() is { } feature ? feature.MinDataRate : kestrel.Value.Limits.MinResponseDataRate;
        return wait >= rate?.GracePeriod ? rate.BytesPerSecond : null;
    }

    // Nearly all requests have the server's own rate.
    private sealed record Pair(MinDataRate Configured, MinDataRate Applied);
}
