using ProxyKit.Forwarding;

namespace ProxyKit.Resilience;

/// <summary>What Polly sees of an attempt: an outcome that it may compare and throw away.</summary>
internal sealed class AttemptResult(Attempt attempt, AttemptSeries series) : IAsyncDisposable
{
    public Attempt Attempt { get; } = attempt;

    public AttemptSeries Series { get; } = series;

    /// <summary>Whether another attempt may follow: by what has happened, the method, and whether the body can be sent again.</summary>
    public bool IsRetryable { get; } = series.IsRetryable(attempt);

    public ValueTask DisposeAsync() => Attempt.EndAsync();
}
