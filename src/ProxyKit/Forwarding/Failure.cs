using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using ProxyKit.Buffering;
using ProxyKit.LoadBalancing;

namespace ProxyKit.Forwarding;

/// <summary>What an exception means: the error, how far the attempt had come, the status for the client.</summary>
internal readonly record struct Failure(ProxyError Error, FailureClass Class, int Status)
{
    /// <summary>Whether one destination failed to take the request, so that another one may take it: not a lack of destinations, and not the app's own code.</summary>
    public bool IsOfDestination => Error is not (ProxyError.NoAvailableDestinations or ProxyError.QueueFull or ProxyError.QueueTimeout or ProxyError.RequestCreation);

    public const int ClientClosedRequest = 499; // nginx's number; no client ever sees it

    public static Failure Of(Exception exception, Phase phase, RequestBodyContent? body, ProxyError clockReason, HttpContext context)
    {
        if (IsRequestTimeout(context))
            return new(ProxyError.TotalTimeout, phase >= Phase.Headers ? FailureClass.Answered : FailureClass.Unanswered, 504);
        // A limit comes first: Kestrel aborts the client's connection itself when a write to it is cancelled.
        // A write to a closed connection may fail before the server says that the client has gone.
        if (clockReason == ProxyError.ClientAborted
            || (clockReason == ProxyError.None && (context.RequestAborted.IsCancellationRequested || exception is ResponseBodyException { Error: ProxyError.ClientAborted })))
            return new(ProxyError.ClientAborted, FailureClass.Client, ClientClosedRequest);
        if (clockReason != ProxyError.None)
            return new(clockReason, phase >= Phase.Headers ? FailureClass.Answered : FailureClass.Unanswered, 504);
        if (body?.ClientError is { } clientError)
            return OfClientError(clientError, context);
        if (exception is NoDestinationException none)
            return new(none.Error, FailureClass.NothingSent, 503);
        if (exception is Polly.ExecutionRejectedException rejected) // by a strategy of the user's own pipeline
            return rejected is Polly.Timeout.TimeoutRejectedException
                ? new(ProxyError.FirstByteTimeout, FailureClass.Unanswered, 504)
                : new(ProxyError.NoAvailableDestinations, FailureClass.NothingSent, 503);
        if ((exception as UpstreamException ?? exception.InnerException as UpstreamException) is { } upstream)
            return new(upstream.Error, upstream.FailureClass, upstream.Status ?? upstream.Error switch
            {
                ProxyError.ConnectTimeout => 504,
                ProxyError.QueueFull or ProxyError.QueueTimeout or ProxyError.Overloaded => 503,
                _ => 502,
            });

        return phase switch
        {
            Phase.Prepare => exception is BadHttpRequestException bad ? OfRequestBody(bad) : new(ProxyError.RequestCreation, FailureClass.NothingSent, 502),
            Phase.Send => OfSend(exception, body),
            Phase.Headers => new(ProxyError.InvalidResponse, FailureClass.Answered, 502),
            Phase.ResponseTransforms => new(ProxyError.ResponseCreation, FailureClass.Answered, 502),
            Phase.Tunnel => new(ProxyError.Tunnel, FailureClass.ResponseStarted, 502),
            _ => new(exception is ResponseBodyException { Error: var side } ? side : ProxyError.ResponseBodyDestination, FailureClass.Answered, 502),
        };
    }

    /// <summary>Whether a policy of ASP.NET Core's request timeouts has cancelled the request; the client is still there.</summary>
    public static bool IsRequestTimeout(HttpContext context) =>
        context.Features.Get<IHttpRequestTimeoutFeature>() is { RequestTimeoutToken.IsCancellationRequested: true };

    /// <summary>A failure to take the body off the client before anything else is done.</summary>
    public static Failure OfUpload(Exception exception, ProxyError clockReason, HttpContext context)
    {
        if (IsRequestTimeout(context))
            return new(ProxyError.TotalTimeout, FailureClass.NothingSent, 504);
        if (clockReason == ProxyError.ClientAborted || (clockReason == ProxyError.None && context.RequestAborted.IsCancellationRequested))
            return new(ProxyError.ClientAborted, FailureClass.Client, ClientClosedRequest);
        return exception is BufferException ? new(ProxyError.BufferFull, FailureClass.NothingSent, 503) : OfClientError(exception, context);
    }

    // Kestrel's plain IOException is a stream that was reset; it may come before the server says that the client has gone.
    private static Failure OfClientError(Exception exception, HttpContext context) =>
        exception.GetType() == typeof(IOException) && !RequestGuard.IsHttp1(context.Request)
            ? new(ProxyError.ClientAborted, FailureClass.Client, ClientClosedRequest)
            : OfRequestBody(exception);

    private static Failure OfRequestBody(Exception exception) => exception switch
    {
        BadHttpRequestException bad => new(ProxyError.RequestBodyClient, FailureClass.Client, bad.StatusCode),
        BufferException => new(ProxyError.BufferFull, FailureClass.Client, 503), // it was kept, and cannot be read: no destination's fault
        ConnectionAbortedException or ConnectionResetException => new(ProxyError.ClientAborted, FailureClass.Client, ClientClosedRequest),
        _ => new(ProxyError.RequestBodyClient, FailureClass.Client, 400),
    };

    /// <summary>A failure before the response's headers were there.</summary>
    internal static Failure OfSend(Exception exception, RequestBodyContent? body)
    {
        if (exception is BadHttpRequestException handshake)
            return new(ProxyError.RequestRejected, FailureClass.Client, handshake.StatusCode);

        // SocketsHttpHandler reports its ConnectTimeout as a cancellation that a TimeoutException caused.
        if (exception is OperationCanceledException)
            return exception.InnerException is TimeoutException
                ? new(ProxyError.ConnectTimeout, FailureClass.NothingSent, 504)
                : new(ProxyError.Request, FailureClass.Unanswered, 502);

        var error = (exception as HttpRequestException)?.HttpRequestError;
        return error switch
        {
            HttpRequestError.NameResolutionError => new(ProxyError.NameResolution, FailureClass.NothingSent, 502),
            HttpRequestError.ConnectionError => new(ProxyError.Connect, FailureClass.NothingSent, 502),
            HttpRequestError.SecureConnectionError => new(ProxyError.Tls, FailureClass.NothingSent, 502),
            HttpRequestError.ProxyTunnelError => new(ProxyError.Connect, FailureClass.NothingSent, 502),
            HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded => new(ProxyError.InvalidResponse, FailureClass.Answered, 502),
            _ when body?.DestinationError is not null => new(ProxyError.RequestBodyDestination, FailureClass.Unanswered, 502),
            _ => new(ProxyError.Request, FailureClass.Unanswered, 502),
        };
    }
}
