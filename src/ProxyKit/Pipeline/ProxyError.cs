namespace ProxyKit;

/// <summary>Why a request was not forwarded, or not to its end. The status in brackets is what the client gets while the response has not started.</summary>
public enum ProxyError
{
    /// <summary>Nothing went wrong.</summary>
    None,

    /// <summary>The request is malformed or ambiguous, or asks for something this proxy does not do (400, 405, 413, 431, 501).</summary>
    RequestRejected,

    /// <summary>The request has been through this proxy before (508).</summary>
    LoopDetected,

    /// <summary>The cluster has no destination that can be used (503).</summary>
    NoAvailableDestinations,

    /// <summary>All destinations are at their limits of concurrent requests, and so many requests wait already that this one may not (503). See <see cref="ConcurrencyLimitsConfig.QueueLimit"/>.</summary>
    QueueFull,

    /// <summary>The request has waited for a destination below its limit for longer than <see cref="ConcurrencyLimitsConfig.QueueTimeout"/> (503).</summary>
    QueueTimeout,

    /// <summary>A transform failed (502).</summary>
    RequestCreation,

    /// <summary>The destination's name was not resolved (502).</summary>
    NameResolution,

    /// <summary>No connection came about (502).</summary>
    Connect,

    /// <summary>No connection came about within <see cref="TimeoutConfig.Connect"/> (504).</summary>
    ConnectTimeout,

    /// <summary>The TLS handshake failed (502).</summary>
    Tls,

    /// <summary>The connection failed before the response's headers were there (502).</summary>
    Request,

    /// <summary>No response within <see cref="TimeoutConfig.FirstByte"/> (504).</summary>
    FirstByteTimeout,

    /// <summary>Nothing moved for <see cref="TimeoutConfig.Idle"/> (504).</summary>
    IdleTimeout,

    /// <summary>The request took longer than <see cref="TimeoutConfig.Total"/> (504).</summary>
    TotalTimeout,

    /// <summary>The request's body could not be read: it broke off, is malformed, too slow or too large (400, 408, 413).</summary>
    RequestBodyClient,

    /// <summary>The upstream stopped taking the request's body (502).</summary>
    RequestBodyDestination,

    /// <summary>The response is not valid HTTP, or not an answer to what was asked (502).</summary>
    InvalidResponse,

    /// <summary>The destination says that it can take no more (503): FastCGI's <c>FCGI_OVERLOADED</c>.</summary>
    Overloaded,

    /// <summary>A response transform failed (502).</summary>
    ResponseCreation,

    /// <summary>The response's body broke off (502).</summary>
    ResponseBodyDestination,

    /// <summary>The response's body could not be written to the client.</summary>
    ResponseBodyClient,

    /// <summary>The client went away (499, seen only in logs and metrics).</summary>
    ClientAborted,

    /// <summary>An upgraded connection ended with an error.</summary>
    Tunnel,

    /// <summary>
    /// The request's body was to be buffered, and there was no room: what all bodies may take together (<see cref="BufferingLimits"/>) is taken, or the disk is full or
    /// cannot be written (503).
    /// </summary>
    BufferFull,
}

/// <summary>How far a failed attempt had come: whether another one is safe.</summary>
public enum FailureClass
{
    /// <summary>It has not failed.</summary>
    None,

    /// <summary>Nothing was sent: always safe to retry.</summary>
    NothingSent,

    /// <summary>Sent, at least in part, but not answered: safe to retry when the method is idempotent (RFC 9110 §9.2.2).</summary>
    Unanswered,

    /// <summary>Answered with a complete header section.</summary>
    Answered,

    /// <summary>The client has been sent the start of the response: never retried.</summary>
    ResponseStarted,

    /// <summary>The client is to blame.</summary>
    Client,
}
