namespace ProxyKit.Pipeline;

/// <summary>Is told how each attempt at a destination went: passive health checks, circuit breakers, latency averages. Called by many requests at once.</summary>
internal interface IAttemptObserver
{
    /// <summary>The response's headers are there, or the attempt has failed before.</summary>
    void Answered(Destination destination, in AttemptOutcome outcome);

    /// <summary>A response that had begun broke off, and the destination is to blame.</summary>
    void BrokeOff(Destination destination, ProxyError error);
}

/// <summary>How an attempt went until the response's headers.</summary>
/// <param name="StatusCode">The status; 0 if there was no answer.</param>
/// <param name="Error">Why there was none; <see cref="ProxyError.ClientAborted"/> and other faults of the client are not the destination's.</param>
/// <param name="Class">How far the failed attempt had come.</param>
/// <param name="Duration">From the attempt's start.</param>
internal readonly record struct AttemptOutcome(int StatusCode, ProxyError Error, FailureClass Class, TimeSpan Duration);
