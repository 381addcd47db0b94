using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyKit.Forwarding;

/// <summary>
/// The interim responses (1xx, RFC 9110 §15.2) to one client's request. ASP.NET Core has no way to send any, so they are written to the client's connection, past the server: which holds as long as
/// the final response has not begun, and nobody but the server writes before. Where that is not so (HTTP/2, other servers, tests without one) there are none.
/// </summary>
internal sealed class InterimResponses(HttpContext client, IDuplexPipe connection)
{
    // Below what a server keeps for a client that does not read, so that nothing waits for one.
    private const int MaxBytes = 16 * 1024;

    // What a client has to begin to take them in, where the server keeps less: Kestrel gives the final response as long.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Task? _writing;
    private int _bytes;
    private bool _isClosed;

    /// <summary>Takes no more.</summary>
    public static InterimResponses None { get; } = new(null!, null!) { _isClosed = true };

    /// <summary>Those to this request, or <see cref="None"/>.</summary>
    public static InterimResponses For(HttpContext client) =>
        // Kestrel may write a 100 at any moment where the client expects one; and HTTP/1.0 knows no interim responses.
        client.Request is { Protocol: "HTTP/1.1", Headers.Expect.Count: 0 } && !client.Response.HasStarted
            && client.Features.Get<IHttpResetFeature>() is null && client.Features.Get<IConnectionTransportFeature>() is { } connection
            ? new(client, connection.Transport)
            : None;

    /// <summary>Writes one, if it is not too late. Never waits.</summary>
    public void Write(string head)
    {
        lock (_lock)
        {
            if (_isClosed || _writing is { IsCompleted: false } || (_bytes += head.Length) > MaxBytes)
                return;
            try
            {
                _writing = connection.Output.WriteAsync(Encoding.Latin1.GetBytes(head)).AsTask();
            }
            catch (InvalidOperationException)
            {
                _isClosed = true; // the connection has ended
            }
        }
    }

    /// <summary>Lets none through any more. To be awaited before the final response begins; only the client's own request waits for what has been written.</summary>
    public async ValueTask CloseAsync(HttpContext context)
    {
        lock (_lock)
            _isClosed = true;
        if (context != client || _writing is not { IsCompletedSuccessfully: false } writing)
            return;
        await writing.WaitAsync(s_patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!writing.IsCompleted)
            client.Abort();
    }
}

/// <summary>Where the interim responses to a request go.</summary>
internal readonly struct InterimRelay(HttpContext context, ProxyContext proxy, ResponseHeaders headers)
{
    public void Relay(int status, string? reason, HeaderList fields)
    {
        if (!headers.RelaysInterim)
            return;
        var interim = Volatile.Read(ref proxy.Interim);
        if (interim is null)
        {
            var made = InterimResponses.For(context);
            interim = Interlocked.CompareExchange(ref proxy.Interim, made, null) ?? made;
        }
        if (interim != InterimResponses.None)
            interim.Write(headers.Interim(status, reason, fields));
    }
}
