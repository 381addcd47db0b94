using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>
/// The directives of a <c>Cache-Control</c> field (RFC 9111 §5.2), of a request or a response. What does not parse counts as the careful reading of it: see the tests.
/// </summary>
internal sealed record CacheDirectives
{
    public static CacheDirectives None { get; } = new();

    public bool NoStore { get; init; }

    /// <summary>Without a list of fields.</summary>
    public bool NoCache { get; init; }

    /// <summary>Without a list of fields.</summary>
    public bool Private { get; init; }

    public bool Public { get; init; }

    public bool MustRevalidate { get; init; }

    public bool ProxyRevalidate { get; init; }

    public bool MustUnderstand { get; init; }

    public bool NoTransform { get; init; }

    public bool OnlyIfCached { get; init; }

    public TimeSpan? MaxAge { get; init; }

    public TimeSpan? SharedMaxAge { get; init; }

    public TimeSpan? MinFresh { get; init; }

    /// <summary><see cref="TimeSpan.MaxValue"/> where no limit is given.</summary>
    public TimeSpan? MaxStale { get; init; }

    public TimeSpan? StaleWhileRevalidate { get; init; }

    public TimeSpan? StaleIfError { get; init; }

    /// <summary>The fields of <c>no-cache="…"</c> and <c>private="…"</c>: they are not stored.</summary>
    public IReadOnlyList<string> Fields { get; init; } = [];

    /// <summary>Parses a field's lines; <see cref="None"/> when there are none.</summary>
    public static CacheDirectives Parse(StringValues lines) => throw new NotImplementedException();

    /// <summary>Parses a targeted field (RFC 9213 §2.1): a structured dictionary. Null when there is none, it is empty, or it does not parse as a whole.</summary>
    public static CacheDirectives? ParseTargeted(StringValues lines) => throw new NotImplementedException();
}
