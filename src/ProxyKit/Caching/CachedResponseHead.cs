using Microsoft.Extensions.Primitives;

namespace ProxyKit;

/// <summary>All of a stored response but its body, with what was found out about it when it was stored.</summary>
public sealed record CachedResponseHead
{
    /// <summary>The status code: 200, or what else has been stored; 206 for a part (see <see cref="RangeStart"/>).</summary>
    public required int StatusCode { get; init; }

    /// <summary>The header section, names as they came, in order; without the fields of one hop (RFC 9111 §3.1), and without <c>Age</c>.</summary>
    public required ValueList<KeyValuePair<string, StringValues>> Headers { get; init; }

    /// <summary>The request fields that <c>Vary</c> names, in lower case and sorted, with the values of the request, normalised; null for an absent field (RFC 9111 §4.1).</summary>
    public ValueList<KeyValuePair<string, string?>> Vary { get; init; } = [];

    /// <summary>When the request was made that this answers, or that has last validated it.</summary>
    public required DateTimeOffset RequestTime { get; init; }

    /// <summary>When the answer's header section was there.</summary>
    public required DateTimeOffset ResponseTime { get; init; }

    /// <summary>How long the response is fresh, and what may be done with it then.</summary>
    public required CacheFreshness Freshness { get; init; }

    /// <summary>What it can be purged by: tags and cache groups (RFC 9875).</summary>
    public ValueList<string> Tags { get; init; } = [];

    /// <summary>The first byte's offset in the whole representation where only a part of it is stored; null where all is.</summary>
    public long? RangeStart { get; init; }

    /// <summary>The whole representation's length where only a part is stored.</summary>
    public long? CompleteLength { get; init; }

    /// <summary>Marked as invalid: it has to be validated before it is used again.</summary>
    public bool IsInvalid { get; init; }

    /// <summary>Tells variants under one key apart: a text made of <see cref="Vary"/>, and of whether it is a part.</summary>
    public string VariantKey => field ??= RangeStart is null && Vary.Count == 0 ? "" : MakeVariantKey();

    private string MakeVariantKey() =>
        string.Join('\n', Vary.Select(v => v.Value is null ? v.Key : $"{v.Key}:{v.Value}")) + (RangeStart is null ? "" : FormattableString.Invariant($"\n206 {RangeStart}"));
}

/// <summary>How long a stored response is fresh, and what may be done with it when it is not (RFC 9111 §4.2, RFC 5861).</summary>
public readonly record struct CacheFreshness
{
    /// <summary>How long it is fresh, from its generation on; zero when it is not at all.</summary>
    public TimeSpan Lifetime { get; init; }

    /// <summary>How old it was when it came: <c>corrected_initial_age</c> (RFC 9111 §4.2.3).</summary>
    public TimeSpan InitialAge { get; init; }

    /// <summary>Whether it must never be served stale: <c>must-revalidate</c>, <c>proxy-revalidate</c>, <c>s-maxage</c>.</summary>
    public bool MustRevalidate { get; init; }

    /// <summary>Whether each use has to be validated: <c>no-cache</c>.</summary>
    public bool NoCache { get; init; }

    /// <summary>For how long after its freshness it may be served while it is validated in the background (RFC 5861 §3).</summary>
    public TimeSpan StaleWhileRevalidate { get; init; }

    /// <summary>For how long after its freshness it may be served when the upstream fails (RFC 5861 §4).</summary>
    public TimeSpan StaleIfError { get; init; }
}
