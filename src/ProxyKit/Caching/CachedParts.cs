namespace ProxyKit.Caching;

/// <summary>Putting two parts of one representation together (RFC 9111 §3.4).</summary>
internal static class CachedParts
{
    /// <summary>
    /// What becomes of a stored part when another one comes that has the same strong validator, and touches or overlaps it. Null if they do not go together, or the newer one has it all. The
    /// newer one's fields take the place of the stored one's.
    /// </summary>
    public static CombinedPart? Combine(CachedResponseHead stored, long storedLength, CachedResponseHead newer, long newerLength)
    {
        if (stored.RangeStart is not { } start || newer.RangeStart is not { } newerStart || stored.CompleteLength is not { } complete || newer.CompleteLength != complete ||
            !Validators.AreOfTheSame(stored.Headers, newer.Headers))
            return null;
        var (end, newerEnd) = (start + storedLength, newerStart + newerLength);
        if (storedLength <= 0 || newerLength <= 0 || end > complete || newerEnd > complete || start > newerEnd || newerStart > end || (newerStart <= start && newerEnd >= end))
            return null;
        var pieces = new List<PartPiece>(3);
        if (start < newerStart)
            pieces.Add(new(false, 0, newerStart - start));
        pieces.Add(new(true, 0, newerLength));
        if (end > newerEnd)
            pieces.Add(new(false, newerEnd - start, end - newerEnd));
        var combinedStart = Math.Min(start, newerStart);
        var length = Math.Max(end, newerEnd) - combinedStart;
        var isWhole = length == complete;
        var head = newer with
        {
            StatusCode = isWhole ? 200 : 206,
            Headers = StoredHeaders.Merge(stored.Headers, newer.Headers),
            RangeStart = isWhole ? null : combinedStart,
            CompleteLength = isWhole ? null : complete,
        };
        return new(head, length, pieces);
    }
}

/// <summary>Two parts put together.</summary>
/// <param name="Head">The head; of a response with status 200 if nothing is missing any more.</param>
/// <param name="Length">The body's length.</param>
/// <param name="Pieces">What the body is made of, in order.</param>
internal sealed record CombinedPart(CachedResponseHead Head, long Length, IReadOnlyList<PartPiece> Pieces);

/// <summary>A piece of a body.</summary>
/// <param name="IsNewer">Whether it is the newer part's, or the stored one's.</param>
/// <param name="Offset">Where it begins in that part's body.</param>
/// <param name="Count">How many bytes.</param>
internal readonly record struct PartPiece(bool IsNewer, long Offset, long Count);
