using Polly;

namespace ProxyKit;

/// <summary>What is done when a destination does not answer as it should. Without any of it a request has one attempt, and the cluster pays nothing.</summary>
public sealed record ResilienceConfig
{
    /// <summary>Further attempts after a failed one. Default: none.</summary>
    public RetryConfig? Retries { get; init; }

    /// <summary>A second request when the first takes long. Default: none.</summary>
    public HedgingConfig? Hedging { get; init; }

    /// <summary>
    /// A Polly pipeline of your own, in place of <see cref="Retries"/> and <see cref="Hedging"/>; from code only. Each execution is one attempt at the next destination.
    /// Default: none.
    /// </summary>
    public Action<ResiliencePipelineBuilder<HttpResponseMessage>>? Pipeline { get; init; }
}
