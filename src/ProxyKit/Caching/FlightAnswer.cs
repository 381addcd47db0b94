namespace ProxyKit.Caching;

/// <summary>What became of a <see cref="CacheFlight"/>.</summary>
internal enum FlightResult
{
    /// <summary>The answer is being stored: whoever it matches may read it.</summary>
    Stored,

    /// <summary>It is for the one who asked first.</summary>
    Passed,

    /// <summary>What is stored is valid.</summary>
    Validated,

    /// <summary>What was stored is another response than the one that the upstream knows; it is stored no more.</summary>
    Replaced,

    /// <summary>There is no answer, or an error in the place of which a stale response may be served.</summary>
    Failed,
}

/// <summary>The answer of a <see cref="CacheFlight"/>.</summary>
internal sealed record FlightAnswer(FlightResult Result, CacheResponseFeature Response)
{
    public CachedResponseHead? Head { get; init; }

    public CacheRefusal Refusal { get; init; }

    public CacheFill? Fill { get; init; }

    /// <summary>For the one who asked first.</summary>
    public CacheFill.Reader? First { get; init; }

    public CachedResponse? Updated { get; init; }

    public Exception? Exception { get; init; }

    /// <summary>Whether the response broke off after it had begun, though nothing of it has come yet.</summary>
    public bool IsAborted { get; init; }
}

/// <summary>A stored response under a new head.</summary>
internal sealed class ValidatedResponse(CachedResponseHead head, CachedResponse stored) : CachedResponse(head)
{
    public override long Length => stored.Length;

    public override ValueTask<CachedBody?> OpenAsync(CancellationToken cancellationToken) => stored.OpenAsync(cancellationToken);
}
