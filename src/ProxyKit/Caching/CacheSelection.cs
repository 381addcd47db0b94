using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>Which stored response a request selects, and how its fields are compared (RFC 9111 §4.1).</summary>
internal static class CacheSelection
{
    /// <summary>The best of the stored responses: one whose <c>Vary</c> matches, a whole one before a part. Null if none does. Allocates nothing for what has no <c>Vary</c>.</summary>
    public static CachedResponse? Select(IReadOnlyList<CachedResponse> stored, HttpRequest request) => throw new NotImplementedException();

    /// <summary>The request's values for the fields that <paramref name="vary"/> names, normalised, in lower case and sorted.</summary>
    public static ValueList<KeyValuePair<string, string?>> Vary(StringValues vary, HttpRequest request) => throw new NotImplementedException();

    /// <summary>Whether a request has the same values.</summary>
    public static bool Matches(ValueList<KeyValuePair<string, string?>> vary, HttpRequest request) => throw new NotImplementedException();

    /// <summary>
    /// A request's <c>Accept-Encoding</c>, as one text for all that mean the same: the codings that a cache knows (<c>br</c>, <c>gzip</c>, <c>zstd</c>), those that are accepted,
    /// sorted; <c>identity</c> when none of them is.
    /// </summary>
    public static string NormalizeAcceptEncoding(StringValues lines) => throw new NotImplementedException();
}
