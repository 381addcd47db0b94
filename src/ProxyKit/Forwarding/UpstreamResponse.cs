namespace ProxyKit.Forwarding;

/// <summary>A response's header section, and its body still to be read: what every transport hands to the delivering part.</summary>
internal abstract class UpstreamResponse : IDisposable
{
    public abstract int StatusCode { get; }

    /// <summary>Null when it is the usual one.</summary>
    public abstract string? ReasonPhrase { get; }

    public abstract Version Version { get; }

    /// <summary>All fields as received.</summary>
    public abstract HeaderList Headers { get; }

    /// <summary>The body's length; null when it ends with its framing.</summary>
    public abstract long? ContentLength { get; }

    /// <summary>The trailer section, once the body has been read.</summary>
    public abstract HeaderList Trailers { get; }

    /// <summary>Reads on to the trailers of a body that was read just to its known length.</summary>
    public virtual ValueTask ReadTrailersAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>HttpClient's view of it, for users' delegates and upgrades; null from other transports.</summary>
    public virtual HttpResponseMessage? Message => null;

    /// <summary>Whether the upstream has no use for what is still to come of the request's body.</summary>
    public virtual bool EndsRequest => false;

    /// <summary>What has been received of the body already; <see cref="Consume"/> it, or let <see cref="ReadAsync"/> copy it.</summary>
    public virtual ReadOnlyMemory<byte> Buffered => default;

    public virtual void Consume(int count)
    {
    }

    /// <summary>Reads of the body; 0 at its end. A body that breaks off is an exception.</summary>
    public abstract ValueTask<int> ReadAsync(Memory<byte> memory, CancellationToken cancellationToken);

    /// <summary>Ends the exchange, wherever it is.</summary>
    public abstract void Dispose();
}

/// <summary>A failed exchange, classed by the transport that knows.</summary>
internal sealed class UpstreamException(ProxyError error, FailureClass failureClass, string message, Exception? inner = null) : IOException(message, inner)
{
    public ProxyError Error { get; } = error;

    public FailureClass FailureClass { get; } = failureClass;

    /// <summary>What the client gets, where that does not follow from the error.</summary>
    public int? Status { get; init; }

    /// <summary>What a log says of an exception: the message at its bottom, unless one of ours on the way says more. Without controls, as it may quote what a peer sent.</summary>
    public static string Cause(Exception exception)
    {
        while (exception is not UpstreamException && exception.InnerException is { } inner)
            exception = inner;
        return RequestGuard.WithoutControls(exception.Message);
    }
}
