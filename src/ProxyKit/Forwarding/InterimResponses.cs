using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace ProxyKit.Forwarding;

/// <summary>
/// The interim responses (1xx, RFC 9110 §15.2) to one client's request. ASP.NET Core has no way to send any, so they are written to the client's connection, past the server: which holds as long as
/// the final response has not begun, and nobody but the server writes before. Where that is not so (HTTP/2, other servers, tests without one) there are none.
/// </summary>
internal sealed class InterimResponses(HttpContext client, IDuplexPipe connection)
{
    // Of all of them, as they came: what a browser acts on is far less.
    private const int MaxBytes = 16 * 1024;

    // What may be in front of the final response when the client takes in nothing: at least what the server keeps for it.
    private const int MaxOutstanding = 128 * 1024;

    private readonly Lock _lock = new();
    private Task _writing = Task.CompletedTask;
    private int _bytes;
    private bool _isClosed;

    /// <summary>Takes no more.</summary>
    public static InterimResponses None { get; } = new(null!, null!) { _isClosed = true };

    /// <summary>Those to this request, or <see cref="None"/>.</summary>
    public static InterimResponses For(HttpContext client) =>
        // Kestrel may write a 100 at any moment where the client expects one; and HTTP/1.0 knows no interim responses.
        client.Request is { Protocol: "HTTP/1.1", Headers.Expect.Count: 0 } && client.Features is var features
            // The server's own response, on a connection that has no others beside it: a stand-in for it says nothing of what has been written to the connection.
            && features.Get<IHttpMinResponseDataRateFeature>() is { } own && own == features.Get<IHttpResponseFeature>() && features.Get<IHttpResetFeature>() is null
            && features.Get<IConnectionTransportFeature>() is { } connection
            ? new(client, connection.Transport)
            : None;

    /// <summary>Whether one of this length may be written, and takes it off what all of them may have. Those that come while another waits for the client are left out.</summary>
    public bool TryBegin(int length)
    {
        lock (_lock)
            return IsOpen && (_bytes += length) <= MaxBytes;
    }

    /// <summary>Writes one, if it is not too late. Never waits.</summary>
    public void Write(string head)
    {
        lock (_lock)
        {
            if (!IsOpen)
                return;
            try
            {
                _writing = connection.Output.WriteAsync(Encoding.Latin1.GetBytes(head)).AsTask();
            }
            catch (Exception) // the connection has ended, in whatever way: the client's affair
            {
                _isClosed = true;
            }
        }
    }

    /// <summary>Lets none through any more. To be called before the final response begins, in the client's own request at the latest: that response waits for what is being written.</summary>
    public void Close(HttpContext context)
    {
        lock (_lock)
            _isClosed = true;
        if (context != client || _writing.IsCompleted || client.Response.HasStarted)
            return;
        client.Response.OnStarting(static interim => ((InterimResponses)interim).WaitAsync(), this);
        client.Response.OnCompleted(static interim => ((InterimResponses)interim).WaitAsync(), this); // there may be no response
    }

    // Until it is closed the client's request goes on; but somebody else may have begun to answer it.
    private bool IsOpen => !_isClosed && _writing.IsCompleted && !client.Response.HasStarted;

    // As long as Kestrel would wait for a client that takes in as little.
    private async Task WaitAsync()
    {
        var limit = client.Features.Get<IHttpMinResponseDataRateFeature>()?.MinDataRate is { } rate ? rate.GracePeriod + TimeSpan.FromSeconds(MaxOutstanding / rate.BytesPerSecond) : Timeout.InfiniteTimeSpan;
        await _writing.WaitAsync(limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_writing.IsCompleted)
            client.Abort();
    }
}

/// <summary>Where the interim responses to a request go.</summary>
internal readonly struct InterimRelay(HttpContext context, ProxyContext proxy, ResponseHeaders headers)
{
    /// <summary>Passes one on. <paramref name="length"/>: of its header section, in bytes.</summary>
    public void Relay(int status, string? reason, HeaderList fields, int length)
    {
        if (!headers.RelaysInterim)
            return;
        var interim = Volatile.Read(ref proxy.Interim);
        if (interim is null)
        {
            var made = InterimResponses.For(context);
            interim = Interlocked.CompareExchange(ref proxy.Interim, made, null) ?? made;
        }
        if (interim.TryBegin(length))
            interim.Write(headers.Interim(status, reason, fields));
    }
}
