using System.Diagnostics;
using ProxyKit.Diagnostics;

namespace ProxyKit.Forwarding;

/// <summary>One try at getting an answer, from one destination. It ends once, whatever became of it.</summary>
internal sealed class Attempt(ProxyContext proxy, PreparedRequest request, ExchangeClock clock)
{
    private int _ended;

    public PreparedRequest Request { get; } = request;

    /// <summary>Whose token cancels this attempt: the request's own clock, or one of its own where there may be several.</summary>
    public ExchangeClock Clock { get; } = clock;

    /// <summary>Null until one is chosen.</summary>
    public Destination? Destination { get; private set; }

    public RequestBodyContent? Body { get; set; }

    /// <summary>HttpClient's view of the request; null over other transports.</summary>
    public HttpRequestMessage? Message { get; set; }

    /// <summary>Whether a delegate has made a request for another URL, host or method of the client's.</summary>
    public bool IsRetargeted { get; set; }

    /// <summary>The answer; null before.</summary>
    public UpstreamResponse? Response { get; set; }

    /// <summary>The answer's status; 0 before.</summary>
    public int StatusCode { get; set; }

    public Phase Phase { get; set; }

    /// <summary>Whether the cluster's observers have been told how it went.</summary>
    public bool IsObserved { get; set; }

    /// <summary>What went wrong.</summary>
    public Exception? Exception { get; set; }

    /// <summary>What <see cref="Exception"/> means.</summary>
    public Failure Failure { get; set; }

    /// <summary>Whether its failure says nothing about the destination: another one was faster, or time was up while the client was still sending.</summary>
    public bool IsExcused => Exception is not null
        && (Clock is { Reason: ProxyError.None, Token.IsCancellationRequested: true }
            || (Failure.Error is ProxyError.FirstByteTimeout or ProxyError.IdleTimeout or ProxyError.TotalTimeout && Body is { AwaitsClient: true }));

    public Activity? Activity { get; set; }

    public long StartTimestamp { get; private set; }

    /// <summary>Takes over a destination where the request has been counted already.</summary>
    public void Begin(Destination destination, long timestamp)
    {
        Destination = destination;
        StartTimestamp = timestamp;
        if (!proxy.IsDecided) // by another of several
            proxy.Destination = destination;
        proxy.Attempts++;
        proxy.RequestBodyBytes = 0;
    }

    /// <summary>Frees what the attempt holds. The request's pipe is not read any more once this is done.</summary>
    public ValueTask EndAsync()
    {
        // A hedge's loser is ended by whoever comes first, Polly or the request's own end; who comes second waits as well, or what the body is read from may be gone too early.
        if (Interlocked.Exchange(ref _ended, 1) == 0)
        {
            Response?.Dispose();
            Destination?.EndRequest();
            ProxyTracing.Stop(this);
            if (Body is { Completion.IsCompleted: false })
                Clock.CancelExchange();
            Body?.Release();
        }
        return Body is { Completion: { IsCompleted: false } sending } ? new(IgnoreAsync(sending)) : ValueTask.CompletedTask;
    }

    private static async Task IgnoreAsync(Task task) => await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}

/// <summary>Where an attempt was when it failed.</summary>
internal enum Phase
{
    Prepare,
    Send,
    Headers,
    ResponseTransforms,
    Body,
    Tunnel,
}

/// <summary>Carries the phase out of a nested method.</summary>
internal sealed class PhaseException(Phase phase, Exception inner) : Exception(inner.Message, inner)
{
    public Phase Phase { get; } = phase;
}
