using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>Ranges that are cut from stored responses (RFC 9110 §14).</summary>
public class RangeRequestTests
{
    private const string Body = "0123456789A";

    [Theory]
    [InlineData("bytes=0-1", "01")]
    [InlineData("Bytes=0-1", "01")]
    [InlineData("bytes=1-", "123456789A")]
    [InlineData("bytes=-1", "A")]
    [InlineData("bytes=-100", Body)]
    [InlineData("bytes=0-", Body)]
    [InlineData("bytes=5-100", "56789A")]
    [InlineData("bytes=5-99999999999999999999999", "56789A")]
    [InlineData("bytes=10-10", "A")]
    [InlineData("bytes= 0-1 ", "01")]
    [InlineData("bytes=0-1,", "01")]
    [InlineData("bytes=0-1, 50-60", "01")]
    [InlineData("bytes=0-1, 2-3", "0123")]
    [InlineData("bytes=2-3, 0-1", "0123")]
    [InlineData("bytes=0-4, 2-6", "0123456")]
    [InlineData("bytes=0-6, 2-3", "0123456")]
    public void One_range_is_cut_out(string range, string expected)
    {
        var result = Of(range);

        Assert.Equal(RangeKind.Single, result.Kind);
        var (offset, count) = Assert.Single(result.Ranges);
        Assert.Equal(expected, Body.Substring((int)offset, (int)count));
    }

    [Theory]
    [InlineData("bytes=0-1, 4-5", "01 45")]
    [InlineData("bytes=4-5, 0-1", "45 01")]
    [InlineData("bytes=-1, 0-0", "A 0")]
    [InlineData("bytes=0-0, 2-2, 4-4, 100-", "0 2 4")]
    [InlineData("bytes=0-1, 1-2, 8-9", "012 89")]
    [InlineData("bytes=8-9, 0-1, 2-3", "0123 89")]
    public void Several_ranges_are_cut_out_and_what_touches_is_one(string range, string expected)
    {
        var result = Of(range);

        Assert.Equal(RangeKind.Multiple, result.Kind);
        Assert.Equal(expected, string.Join(' ', result.Ranges.Select(r => Body.Substring((int)r.Offset, (int)r.Count))));
    }

    [Theory]
    [InlineData("bytes=11-")]
    [InlineData("bytes=11-20")]
    [InlineData("bytes=-0")]
    [InlineData("bytes=20-30, 40-, -0")]
    [InlineData("bytes=99999999999999999999999-")]
    public void What_lies_beyond_the_end_cannot_be_satisfied(string range) => Assert.Equal(RangeKind.NotSatisfiable, Of(range).Kind);

    [Theory]
    [InlineData("bytes=")]
    [InlineData("bytes=,")]
    [InlineData("bytes=-")]
    [InlineData("bytes=a-b")]
    [InlineData("bytes=5-1")]
    [InlineData("bytes=1")]
    [InlineData("bytes=--1")]
    [InlineData("bytes=+1-2")]
    [InlineData("bytes=1 - 2")]
    [InlineData("bytes=0-1, x")]
    [InlineData("bytes 0-1")]
    [InlineData("items=0-1")]
    [InlineData("")]
    [InlineData("bytes=0-1|bytes=2-3")]
    [InlineData("bytes=0-5, 1-6, 2-7, 3-8")]
    public void What_is_no_range_or_is_unreasonable_is_the_whole(string range) => Assert.Equal(RangeKind.Whole, Of(range).Kind);

    [Fact]
    public void Too_many_ranges_are_the_whole()
    {
        Assert.Equal(RangeKind.Multiple, RangeRequest.Of(Asking($"bytes={string.Join(',', Enumerable.Range(0, 16).Select(i => $"{i * 10}-{i * 10}"))}"), Whole(), 1000).Kind);
        Assert.Equal(RangeKind.Whole, RangeRequest.Of(Asking($"bytes={string.Join(',', Enumerable.Range(0, 17).Select(i => $"{i * 10}-{i * 10}"))}"), Whole(), 1000).Kind);
        Assert.Equal(RangeKind.Whole, RangeRequest.Of(Asking($"bytes={string.Concat(Enumerable.Repeat("0-,", 1000))}"), Whole(), 1000).Kind);
    }

    [Fact]
    public void Only_a_GET_of_a_success_has_ranges()
    {
        var head = Asking("bytes=0-1");
        head.Method = "HEAD";

        Assert.Equal(RangeKind.Whole, RangeRequest.Of(head, Whole(), 11).Kind);
        Assert.Equal(RangeKind.Whole, RangeRequest.Of(new Exchange().Request, Whole(), 11).Kind);
        Assert.Equal(RangeKind.Whole, RangeRequest.Of(Asking("bytes=0-1"), new Exchange(("Cache-Control", "max-age=60")).WithStatus(404).Head(), 11).Kind);
        Assert.Equal(RangeKind.Whole, RangeRequest.Of(Asking("bytes=0-1"), Whole(), 0).Kind);
    }

    [Theory]
    [InlineData("\"1\"", nameof(RangeKind.Single))]
    [InlineData("\"2\"", nameof(RangeKind.Whole))]
    [InlineData("W/\"1\"", nameof(RangeKind.Whole))]
    [InlineData("1", nameof(RangeKind.Whole))]
    [InlineData("", nameof(RangeKind.Whole))]
    [InlineData("\"1\"|\"1\"", nameof(RangeKind.Whole))]
    [InlineData("Mon, 01 Jun 2026 11:00:00 GMT", nameof(RangeKind.Single))]
    [InlineData("Mon, 01 Jun 2026 11:00:01 GMT", nameof(RangeKind.Whole))]
    [InlineData("Mon, 01 Jun 2026 10:59:59 GMT", nameof(RangeKind.Whole))]
    public void A_range_of_another_representation_is_the_whole_of_this_one(string ifRange, string kind) =>
        Assert.Equal(kind, RangeRequest.Of(Asking("bytes=0-1", ifRange), Whole(("ETag", "\"1\""), ("Last-Modified", Date(-3600))), 11).Kind.ToString());

    [Theory]
    [InlineData("ETag", "W/\"1\"", "W/\"1\"")]
    [InlineData("Last-Modified", "Mon, 01 Jun 2026 12:00:00 GMT", "Mon, 01 Jun 2026 12:00:00 GMT")]
    public void A_range_cannot_be_tied_to_a_weak_validator(string name, string validator, string ifRange) =>
        Assert.Equal(RangeKind.Whole, RangeRequest.Of(Asking("bytes=0-1", ifRange), Whole((name, validator)), 11).Kind);

    [Theory]
    [InlineData("bytes=5-9", 0L, 5L)]
    [InlineData("bytes=6-8", 1L, 3L)]
    [InlineData("bytes=9-9", 4L, 1L)]
    [InlineData("bytes=4-8", null, null)]
    [InlineData("bytes=6-10", null, null)]
    [InlineData("bytes=6-", null, null)]
    [InlineData("bytes=-1", null, null)]
    [InlineData("bytes=6-7, 8-8", null, null)]
    [InlineData("bytes=100-", null, null)]
    [InlineData("nonsense", null, null)]
    [InlineData(null, null, null)]
    public void A_part_answers_only_what_lies_wholly_in_it(string? range, long? offset, long? count) =>
        Assert.Equal(offset is null ? null : (offset.Value, count!.Value), RangeRequest.OfPart(range is null ? new Exchange().Request : Asking(range), Part("bytes 5-9/20"), 5));

    [Theory]
    [InlineData("bytes=-5", 0L, 5L)]
    [InlineData("bytes=-1", 4L, 1L)]
    [InlineData("bytes=16-", 1L, 4L)]
    [InlineData("bytes=16-100", 1L, 4L)]
    [InlineData("bytes=-6", null, null)]
    public void A_part_that_is_the_end_answers_for_the_end(string range, long? offset, long? count) =>
        Assert.Equal(offset is null ? null : (offset.Value, count!.Value), RangeRequest.OfPart(Asking(range), Part("bytes 15-19/20"), 5));

    [Fact]
    public void A_part_does_not_answer_for_another_representation()
    {
        Assert.Equal((0L, 5L), RangeRequest.OfPart(Asking("bytes=5-9", "\"1\""), Part("bytes 5-9/20"), 5));
        Assert.Null(RangeRequest.OfPart(Asking("bytes=5-9", "\"2\""), Part("bytes 5-9/20"), 5));
        Assert.Null(RangeRequest.OfPart(Asking("bytes=5-9"), Whole(), 20));
    }

    [Fact]
    public async Task Several_ranges_are_written_with_their_heads_and_the_announced_length()
    {
        var parts = new MultipartRanges([(0, 2), (10, 1)], 11, "text/plain");
        var stream = new MemoryStream();
        var target = PipeWriter.Create(stream);

        await parts.WriteAsync(target, async (to, offset, count, token) => await to.WriteAsync(Encoding.ASCII.GetBytes(Body.Substring((int)offset, (int)count)), token), default);

        var boundary = parts.ContentType["multipart/byteranges; boundary=".Length..];
        Assert.Equal(
            $"--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/11\r\n\r\n01\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 10-10/11\r\n\r\nA\r\n--{boundary}--\r\n",
            Encoding.ASCII.GetString(stream.ToArray()));
        Assert.Equal(stream.Length, parts.Length);
    }

    [Fact]
    public void No_two_boundaries_are_the_same() =>
        Assert.NotEqual(new MultipartRanges([(0, 1), (2, 1)], 9, null).ContentType, new MultipartRanges([(0, 1), (2, 1)], 9, null).ContentType);

    private static RangeRequest Of(string range) => RangeRequest.Of(Asking(range), Whole(), Body.Length);

    private static HttpRequest Asking(string range, string? ifRange = null)
    {
        var exchange = new Exchange().Asked(("Range", Split(range)));
        if (ifRange is not null)
            exchange.Asked(("If-Range", Split(ifRange)));
        return exchange.Request;
    }

    private static CachedResponseHead Whole(params (string, Microsoft.Extensions.Primitives.StringValues)[] fields) =>
        new Exchange([("Cache-Control", "max-age=60"), ("Date", Date(0)), .. fields]).Head();

    private static CachedResponseHead Part(string range) =>
        new Exchange(("Cache-Control", "max-age=60"), ("ETag", "\"1\""), ("Content-Range", range)).WithStatus(206).Head();
}
