using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace ProxyKit.Caching;

/// <summary>Conditional requests: ours to the upstream, and the client's to us (RFC 9110 §13, RFC 9111 §4.3).</summary>
internal static class CacheValidation
{
    /// <summary>Puts the stored response's validators in the place of what conditions the request has. False if it has none.</summary>
    public static bool AddConditions(IHeaderDictionary request, CachedResponseHead stored)
    {
        RemoveConditions(request);
        var hasAny = false;
        // Both as they came: the upstream knows best how it writes them.
        if (StoredHeaders.Get(stored, HeaderNames.ETag) is [{ Length: > 0 } tag, ..])
        {
            request.IfNoneMatch = tag;
            hasAny = true;
        }
        if (StoredHeaders.Get(stored, HeaderNames.LastModified) is [{ Length: > 0 } modified])
        {
            request.IfModifiedSince = modified;
            hasAny = true;
        }
        return hasAny;
    }

    /// <summary>Removes the request's conditions (<c>If-None-Match</c>, <c>If-Modified-Since</c>, <c>If-Match</c>, <c>If-Unmodified-Since</c>, <c>If-Range</c>).</summary>
    public static void RemoveConditions(IHeaderDictionary request)
    {
        request.Remove(HeaderNames.IfNoneMatch);
        request.Remove(HeaderNames.IfModifiedSince);
        request.Remove(HeaderNames.IfMatch);
        request.Remove(HeaderNames.IfUnmodifiedSince);
        request.Remove(HeaderNames.IfRange);
    }

    /// <summary>
    /// The stored response, updated with a 304's fields (RFC 9111 §3.2), its freshness computed anew as for a response with the merged fields. Null if the 304 does not belong to it: its
    /// validator is another one. <paramref name="notModified"/> may be the answer to a HEAD, too (§4.3.5).
    /// </summary>
    public static UpdatedHead? Update(
        CachedResponseHead stored, HttpRequest request, HttpResponse notModified, string? accelExpires, DateTimeOffset requestTime, DateTimeOffset responseTime, ResponsePolicy policy)
    {
        if (!BelongsTo(stored, notModified))
            return null;
        var own = policy.TakeOwnFields(request, notModified.Headers);
        var isPart = stored.RangeStart is not null;
        IHeaderDictionary merged = new HeaderDictionary();
        foreach (var (name, values) in StoredHeaders.Merge(stored.Headers, StoredHeaders.Of(notModified.Headers, [], isPart, responseTime)))
            merged[name] = values;
        merged.Age = notModified.Headers.Age;
        var instructions = CacheInstructions.Of(merged, own.Surrogate, accelExpires, responseTime, policy.Config);
        var headers = StoredHeaders.Of(merged, instructions.Directives.Fields, isPart, responseTime);
        var refusal = policy.FindRefusal(request, stored.StatusCode, merged, instructions.Directives);
        CacheFreshness freshness = default;
        if (refusal == CacheRefusal.None)
            refusal = policy.FindFreshness(stored.StatusCode, merged, Validators.HasAny(headers), instructions, requestTime, responseTime, out freshness);
        var head = stored with
        {
            Headers = headers,
            Vary = merged.Vary == StoredHeaders.Get(stored, HeaderNames.Vary) ? stored.Vary : policy.Vary(merged, request),
            RequestTime = requestTime,
            ResponseTime = responseTime,
            Freshness = freshness,
            Tags = own.Tags.Count > 0 ? own.Tags : stored.Tags,
            IsInvalid = false,
        };
        return new(head, refusal);
    }

    /// <summary>What the client's own conditions make of the stored response: null (send it) or 304. The method is GET or HEAD.</summary>
    public static int? Evaluate(HttpRequest request, CachedResponseHead stored)
    {
        // RFC 9110 §13.2.1: conditions are about successes only.
        if (stored.StatusCode is < 200 or >= 300)
            return null;
        var headers = request.Headers;
        var tag = EntityTags.Of(StoredHeaders.Get(stored, HeaderNames.ETag));
        // If-Match and If-Unmodified-Since are the origin's business (RFC 9111 §4.3.2).
        if (headers.IfNoneMatch is { Count: > 0 } noneMatch)
            return EntityTags.Matches(noneMatch, tag, strongly: false) ? StatusCodes.Status304NotModified : null;
        return headers.IfModifiedSince is { Count: > 0 } modified && IsModifiedSince(stored, modified) == false ? StatusCodes.Status304NotModified : null;
    }

    /// <summary>Whether the stored response is newer than a date; null if that is none. What has no date of its last change has that of its making (RFC 9111 §4.3.2).</summary>
    private static bool? IsModifiedSince(CachedResponseHead stored, StringValues since)
    {
        if (!HttpDates.TryParse(since, stored.ResponseTime, out var date))
            return null;
        if (!HttpDates.TryParse(StoredHeaders.Get(stored, HeaderNames.LastModified), stored.ResponseTime, out var modified) &&
            !HttpDates.TryParse(StoredHeaders.Get(stored, HeaderNames.Date), stored.ResponseTime, out modified))
            modified = stored.ResponseTime;
        return modified > date;
    }

    /// <summary>
    /// RFC 9111 §4.3.4, §4.3.5. A tag that differs in its strength only is what a server says that compresses responses, but has no body to compress in a 304. The date of the last change may be a
    /// new one where a 304 says that nothing else is; in the answer to a HEAD it says that something has changed.
    /// </summary>
    private static bool BelongsTo(CachedResponseHead stored, HttpResponse response)
    {
        var tag = EntityTags.Of(response.Headers.ETag);
        var storedTag = EntityTags.Of(StoredHeaders.Get(stored, HeaderNames.ETag));
        // The 304 to a request for this tag alone says that this one is valid, whatever else it calls itself: the stored tag stays. Only a HEAD's answer may be about another response.
        if (response.StatusCode != StatusCodes.Status304NotModified && !tag.IsEmpty && !storedTag.IsEmpty && !EntityTags.EqualWeakly(tag, storedTag))
            return false;
        return response.StatusCode == StatusCodes.Status304NotModified || response.Headers.LastModified is not { Count: > 0 } modified ||
            StoredHeaders.Get(stored, HeaderNames.LastModified) is not { Count: > 0 } storedModified || modified == storedModified;
    }
}

/// <summary>A stored response with the fields of its validation.</summary>
/// <param name="Head">What answers the request that has validated it.</param>
/// <param name="Refusal">Why it is for nobody else, and must not be stored so; <see cref="CacheRefusal.None"/> where it may.</param>
internal readonly record struct UpdatedHead(CachedResponseHead Head, CacheRefusal Refusal)
{
    /// <summary>Whether what is stored stays as it was: that it may not be stored is up to the request that has validated it, not to the response.</summary>
    public bool LeavesStored => Refusal is CacheRefusal.Authorization or CacheRefusal.RequestNoStore or CacheRefusal.RequestChanged;
}
