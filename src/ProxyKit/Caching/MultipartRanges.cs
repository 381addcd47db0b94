using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;

namespace ProxyKit.Caching;

/// <summary>A response of several ranges (RFC 9110 §14.6).</summary>
internal sealed class MultipartRanges
{
    private readonly IReadOnlyList<(long Offset, long Count)> _ranges;
    private readonly byte[][] _heads;
    private readonly byte[] _end;

    /// <summary><paramref name="length"/>: the whole representation's. <paramref name="contentType"/>: its type.</summary>
    public MultipartRanges(IReadOnlyList<(long Offset, long Count)> ranges, long length, string? contentType)
    {
        // Nobody who makes the content can know what does not appear in it.
        var boundary = RandomNumberGenerator.GetHexString(32, lowercase: true);
        ContentType = $"multipart/byteranges; boundary={boundary}";
        _ranges = ranges;
        _heads = new byte[ranges.Count][];
        _end = Encoding.Latin1.GetBytes($"\r\n--{boundary}--\r\n");
        Length = _end.Length;
        var type = contentType is null ? "" : $"Content-Type: {contentType}\r\n";
        for (var i = 0; i < ranges.Count; i++)
        {
            var range = new ContentRange(ranges[i].Offset, ranges[i].Count, length);
            _heads[i] = Encoding.Latin1.GetBytes($"{(i == 0 ? "" : "\r\n")}--{boundary}\r\n{type}Content-Range: {range}\r\n\r\n");
            Length += _heads[i].Length + range.Count;
        }
    }

    /// <summary>The response's <c>Content-Type</c>, with the boundary.</summary>
    public string ContentType { get; }

    /// <summary>The response's <c>Content-Length</c>.</summary>
    public long Length { get; }

    /// <summary>Writes all parts; <paramref name="copy"/> writes a range of the stored body.</summary>
    public async ValueTask WriteAsync(PipeWriter target, Func<PipeWriter, long, long, CancellationToken, ValueTask> copy, CancellationToken cancellationToken)
    {
        for (var i = 0; i < _heads.Length; i++)
        {
            target.Write(_heads[i]);
            await copy(target, _ranges[i].Offset, _ranges[i].Count, cancellationToken);
        }
        target.Write(_end);
        await target.FlushAsync(cancellationToken);
    }
}
