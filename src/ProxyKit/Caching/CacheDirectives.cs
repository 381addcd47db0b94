using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>
/// The directives of a <c>Cache-Control</c> field (RFC 9111 §5.2), of a request or a response. What does not parse counts as the careful reading of it: a number that is none is 0, of two the
/// smaller counts, and what forbids wins.
/// </summary>
internal sealed record CacheDirectives
{
    /// <summary>How many fields <c>no-cache="…"</c> and <c>private="…"</c> may name; more is as if they named all.</summary>
    public const int MaxFields = 64;

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

    /// <summary>How long the response is fresh, if it says so; <c>s-maxage</c> goes before <c>max-age</c> (RFC 9111 §4.2.1).</summary>
    public TimeSpan? Lifetime => SharedMaxAge ?? MaxAge;

    /// <summary>Whether a stale response must not be served: <c>s-maxage</c> says so to shared caches, as <c>proxy-revalidate</c> does (RFC 9111 §5.2.2.10).</summary>
    public bool ForbidsStale => MustRevalidate || ProxyRevalidate || SharedMaxAge is not null;

    /// <summary>Parses a field's lines; <see cref="None"/> when there are none.</summary>
    public static CacheDirectives Parse(StringValues lines) => lines.Count == 0 ? None : CacheControlParser.Parse(lines);

    /// <summary>Parses a targeted field (RFC 9213 §2.1): a structured dictionary. Null when there is none, it is empty, or it does not parse as a whole.</summary>
    public static CacheDirectives? ParseTargeted(StringValues lines) => lines.Count == 0 ? null : TargetedDirectives.Parse(lines);
}
