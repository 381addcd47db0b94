using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace ProxyKit.Caching;

/// <summary>What a request's <c>Range</c> and <c>If-Range</c> ask of a representation (RFC 9110 §14).</summary>
internal readonly record struct RangeRequest(RangeKind Kind, IReadOnlyList<(long Offset, long Count)> Ranges)
{
    /// <summary>More ranges than that are not heeded.</summary>
    public const int MaxRanges = 16;

    // RFC 9110 §14.2: more of them are either broken or an attack.
    private const int MaxOverlaps = 2;

    private static readonly RangeRequest s_whole = new(RangeKind.Whole, []);

    /// <summary>
    /// Looks at a GET. More than 16 ranges, or ranges that overlap more than RFC 9110 §14.2 thinks reasonable, are not heeded: the answer is the whole. Adjacent and overlapping
    /// ones become one.
    /// </summary>
    public static RangeRequest Of(HttpRequest request, CachedResponseHead stored, long length)
    {
        if (request.Headers.Range.Count == 0 || stored.StatusCode != StatusCodes.Status200OK || length == 0 || !IsWanted(request, stored))
            return s_whole;
        if (Parse(request.Headers.Range, length) is not { } ranges)
            return s_whole;
        return ranges.Count switch
        {
            0 => new(RangeKind.NotSatisfiable, []),
            1 => new(RangeKind.Single, ranges),
            _ => Coalesce(ranges) is { } coalesced ? new(coalesced.Count == 1 ? RangeKind.Single : RangeKind.Multiple, coalesced) : s_whole,
        };
    }

    /// <summary>
    /// The range that a GET asks for, from the stored part's beginning on; null if it is not wholly in there, asks for more than one, or for another representation. <paramref name="length"/>: the
    /// stored part's.
    /// </summary>
    public static (long Offset, long Count)? OfPart(HttpRequest request, CachedResponseHead stored, long length)
    {
        if (stored.RangeStart is not { } start || stored.CompleteLength is not { } complete || !IsWanted(request, stored))
            return null;
        if (Parse(request.Headers.Range, complete) is not [var (offset, count)] || offset < start || offset + count > start + length)
            return null;
        return (offset - start, count);
    }

    /// <summary>Whether <c>If-Range</c>, if it is there, is about this representation: by a strong tag, or the date of the last change, if that is a strong one (RFC 9110 §13.1.5).</summary>
    private static bool IsWanted(HttpRequest request, CachedResponseHead stored)
    {
        if (!HttpMethods.IsGet(request.Method))
            return false;
        var condition = request.Headers.IfRange;
        if (condition.Count == 0)
            return true;
        var text = EntityTags.Of(condition);
        if (condition.Count > 1)
            return false;
        if (text.Contains('"'))
            return EntityTags.EqualStrongly(text, EntityTags.Of(StoredHeaders.Get(stored, HeaderNames.ETag)));
        return HttpDates.TryParse(text, stored.ResponseTime, out var date) && Validators.StrongDate(stored.Headers) == date;
    }

    /// <summary>The ranges that can be satisfied, in the request's order; null if the field is not one of byte ranges, or has too many.</summary>
    private static List<(long Offset, long Count)>? Parse(StringValues field, long length)
    {
        if (field is not [{ } line] || !line.StartsWith("bytes=", StringComparison.OrdinalIgnoreCase))
            return null;
        var ranges = new List<(long, long)>();
        var count = 0;
        foreach (var member in new FieldList(line[6..]))
        {
            var dash = member.IndexOf('-');
            if (dash < 0 || ++count > MaxRanges)
                return null;
            var first = member[..dash];
            var last = member[(dash + 1)..];
            if (first.IsEmpty)
            {
                if (!TryNumber(last, out var suffix))
                    return null;
                if (suffix > 0)
                    ranges.Add((Math.Max(0, length - suffix), Math.Min(suffix, length)));
                continue;
            }
            if (!TryNumber(first, out var start))
                return null;
            var end = long.MaxValue;
            if (!last.IsEmpty && (!TryNumber(last, out end) || end < start))
                return null;
            if (start < length)
                ranges.Add((start, Math.Min(end, length - 1) - start + 1));
        }
        return count == 0 ? null : ranges;
    }

    /// <summary>The ranges in their order, if none touches another; else sorted and put together. Null if too many overlap.</summary>
    private static List<(long Offset, long Count)>? Coalesce(List<(long Offset, long Count)> ranges)
    {
        var sorted = new List<(long Offset, long Count)>(ranges);
        sorted.Sort();
        var result = new List<(long Offset, long Count)> { sorted[0] };
        var overlaps = 0;
        for (var i = 1; i < sorted.Count; i++)
        {
            var (offset, count) = sorted[i];
            var last = result[^1];
            var end = last.Offset + last.Count;
            if (offset > end)
            {
                result.Add(sorted[i]);
                continue;
            }
            if (offset < end && ++overlaps > MaxOverlaps)
                return null;
            result[^1] = (last.Offset, Math.Max(end, offset + count) - last.Offset);
        }
        return result.Count == ranges.Count ? ranges : result;
    }

    // What does not fit is beyond the end of anything.
    private static bool TryNumber(ReadOnlySpan<char> text, out long number)
    {
        number = 0;
        foreach (var c in text)
        {
            if (!char.IsAsciiDigit(c))
                return false;
            number = number > long.MaxValue / 100 ? number : (number * 10) + (c - '0');
        }
        return !text.IsEmpty;
    }
}

internal enum RangeKind
{
    /// <summary>The whole representation.</summary>
    Whole,

    /// <summary>One range.</summary>
    Single,

    /// <summary>Several: <c>multipart/byteranges</c>.</summary>
    Multiple,

    /// <summary>416.</summary>
    NotSatisfiable,
}
