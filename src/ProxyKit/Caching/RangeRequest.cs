using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Caching;

/// <summary>What a request's <c>Range</c> and <c>If-Range</c> ask of a representation (RFC 9110 §14).</summary>
internal readonly record struct RangeRequest(RangeKind Kind, IReadOnlyList<(long Offset, long Count)> Ranges)
{
    /// <summary>
    /// Looks at a GET. More than 16 ranges, or ranges that overlap more than RFC 9110 §14.2 thinks reasonable, are not heeded: the answer is the whole. Adjacent and overlapping
    /// ones become one.
    /// </summary>
    public static RangeRequest Of(HttpRequest request, CachedResponseHead stored, long length) => throw new NotImplementedException();

    public static (long Offset, long Count)? OfPart(HttpRequest request, CachedResponseHead stored, long length) => throw new NotImplementedException();
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

/// <summary>A response of several ranges (RFC 9110 §14.6).</summary>
internal sealed class MultipartRanges
{
    public MultipartRanges(IReadOnlyList<(long Offset, long Count)> ranges, long length, string? contentType) => throw new NotImplementedException();

    /// <summary>The response's <c>Content-Type</c>, with the boundary.</summary>
    public string ContentType => throw new NotImplementedException();

    /// <summary>The response's <c>Content-Length</c>.</summary>
    public long Length => throw new NotImplementedException();

    /// <summary>Writes all parts; <paramref name="copy"/> writes a range of the stored body.</summary>
    public ValueTask WriteAsync(PipeWriter target, Func<PipeWriter, long, long, CancellationToken, ValueTask> copy, CancellationToken cancellationToken) => throw new NotImplementedException();
}
