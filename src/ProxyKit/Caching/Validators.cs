using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace ProxyKit.Caching;

/// <summary>What a stored response can be recognised by (RFC 9110 §8.8).</summary>
internal static class Validators
{
    // What decides the century of a year of two digits; the same for all that are compared.
    private static readonly DateTimeOffset s_century = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Whether there is one with which the upstream can be asked.</summary>
    public static bool HasAny(ValueList<KeyValuePair<string, StringValues>> headers) =>
        EntityTags.Of(StoredHeaders.Get(headers, HeaderNames.ETag)).Length > 0 || StoredHeaders.Get(headers, HeaderNames.LastModified) is [{ Length: > 0 }];

    /// <summary>Whether there is one that no other representation has.</summary>
    public static bool HasStrong(ValueList<KeyValuePair<string, StringValues>> headers) =>
        StoredHeaders.Get(headers, HeaderNames.ETag) is { Count: > 0 } tag ? EntityTags.IsStrong(EntityTags.Of(tag)) : StrongDate(headers) is not null;

    /// <summary>Whether both have the same strong validator, so that they are of the same representation (RFC 9111 §3.4).</summary>
    public static bool AreOfTheSame(ValueList<KeyValuePair<string, StringValues>> headers, ValueList<KeyValuePair<string, StringValues>> other)
    {
        var (tag, otherTag) = (StoredHeaders.Get(headers, HeaderNames.ETag), StoredHeaders.Get(other, HeaderNames.ETag));
        if (tag.Count > 0 || otherTag.Count > 0)
            return EntityTags.EqualStrongly(EntityTags.Of(tag), EntityTags.Of(otherTag));
        return StrongDate(headers) is { } date && StrongDate(other) == date;
    }

    /// <summary>The date of the last change, where it was a second ago or more when the response was made: what changes twice in a second has the same date twice (RFC 9110 §8.8.2.2).</summary>
    public static DateTimeOffset? StrongDate(ValueList<KeyValuePair<string, StringValues>> headers) =>
        HttpDates.TryParse(StoredHeaders.Get(headers, HeaderNames.LastModified), s_century, out var modified) &&
        HttpDates.TryParse(StoredHeaders.Get(headers, HeaderNames.Date), s_century, out var date) &&
        date - modified >= TimeSpan.FromSeconds(1)
            ? modified
            : null;
}
