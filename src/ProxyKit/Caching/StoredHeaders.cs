using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace ProxyKit.Caching;

/// <summary>The header sections of stored responses (RFC 9111 §3.1, §3.2).</summary>
internal static class StoredHeaders
{
    private static readonly FrozenSet<string> s_notStored = FrozenSet.ToFrozenSet(
        ["Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "TE", "Trailer",
         "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
         // The first is part of the freshness, the second is the stored body's.
         "Age", "Content-Length"],
        StringComparer.OrdinalIgnoreCase);

    // They say how the stored body is to be read, and the body stays (RFC 9111 §3.2).
    private static readonly FrozenSet<string> s_notUpdated = FrozenSet.ToFrozenSet(
        ["Content-Encoding", "Content-Range", "Content-MD5", "Content-Digest", "Repr-Digest", "Digest", "ETag"], StringComparer.OrdinalIgnoreCase);

    /// <summary>What is stored of a response's fields. A date that is missing, or none, becomes <paramref name="responseTime"/> (RFC 9110 §6.6.1).</summary>
    /// <param name="headers">The response's fields.</param>
    /// <param name="excluded">Fields that the response does not want to have stored.</param>
    /// <param name="isPart">Whether it is a part, whose <c>Content-Range</c> is made anew for each answer.</param>
    /// <param name="responseTime">When the header section was there.</param>
    public static ValueList<KeyValuePair<string, StringValues>> Of(IHeaderDictionary headers, IReadOnlyList<string> excluded, bool isPart, DateTimeOffset responseTime)
    {
        var connection = headers.Connection;
        var stored = new List<KeyValuePair<string, StringValues>>(headers.Count + 1);
        var hasDate = false;
        foreach (var (name, values) in headers)
        {
            if (values.Count == 0 || s_notStored.Contains(name) || IsExcluded(name, connection, excluded) || (isPart && Is(name, HeaderNames.ContentRange)))
                continue;
            if (Is(name, HeaderNames.Date))
            {
                if (!HttpDates.TryParse(values, responseTime, out _))
                    continue;
                hasDate = true;
            }
            stored.Add(new(FieldNames.Of(name), values));
        }
        if (!hasDate)
            stored.Add(new(HeaderNames.Date, HttpDates.Format(responseTime)));
        return stored.ToValueList();
    }

    /// <summary>The stored fields, with those of a newer response in the place of their like.</summary>
    public static ValueList<KeyValuePair<string, StringValues>> Merge(
        ValueList<KeyValuePair<string, StringValues>> stored, ValueList<KeyValuePair<string, StringValues>> newer)
    {
        var merged = new List<KeyValuePair<string, StringValues>>(stored.Count + newer.Count);
        foreach (var field in stored.AsSpan())
        {
            if (s_notUpdated.Contains(field.Key) || !Contains(newer, field.Key))
                merged.Add(field);
        }
        foreach (var field in newer.AsSpan())
        {
            // What says how to read the body is not taken from a response without one.
            if (!s_notUpdated.Contains(field.Key) || (Is(field.Key, HeaderNames.ETag) && !Contains(stored, field.Key)))
                merged.Add(field);
        }
        return merged.ToValueList();
    }

    /// <summary>A stored field's lines.</summary>
    public static StringValues Get(CachedResponseHead head, string name) => Get(head.Headers, name);

    /// <summary>A stored field's lines.</summary>
    public static StringValues Get(ValueList<KeyValuePair<string, StringValues>> headers, string name)
    {
        foreach (var field in headers.AsSpan())
        {
            if (Is(field.Key, name))
                return field.Value;
        }
        return default;
    }

    private static bool Contains(ValueList<KeyValuePair<string, StringValues>> headers, string name) => Get(headers, name).Count > 0;

    private static bool IsExcluded(string name, StringValues connection, IReadOnlyList<string> excluded)
    {
        for (var i = 0; i < excluded.Count; i++)
        {
            if (Is(excluded[i], name))
                return true;
        }
        return connection.Count > 0 && FieldList.Contains(connection, name);
    }

    private static bool Is(string name, string other) => name.Equals(other, StringComparison.OrdinalIgnoreCase);
}
