using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>Putting parts together (RFC 9111 §3.4).</summary>
public class CachedPartsTests
{
    [Theory]
    [InlineData(0, 5, 5, 5, 0, "old 0+5, new 0+5")]
    [InlineData(5, 5, 0, 5, 0, "new 0+5, old 0+5")]
    [InlineData(0, 8, 5, 5, 0, "old 0+5, new 0+5")]
    [InlineData(5, 5, 0, 8, 0, "new 0+8, old 3+2")]
    [InlineData(0, 10, 3, 2, 0, "old 0+3, new 0+2, old 5+5")]
    [InlineData(2, 4, 6, 4, 2, "old 0+4, new 0+4")]
    [InlineData(0, 5, 0, 3, 0, "new 0+3, old 3+2")]
    public void What_touches_or_overlaps_becomes_one(long start, long length, long newerStart, long newerLength, long combined, string pieces)
    {
        var result = CachedParts.Combine(Part(start, length, 100), length, Part(newerStart, newerLength, 100), newerLength)!;

        Assert.Equal((206, combined, 100L), (result.Head.StatusCode, result.Head.RangeStart, result.Head.CompleteLength));
        Assert.Equal(pieces, string.Join(", ", result.Pieces.Select(p => $"{(p.IsNewer ? "new" : "old")} {p.Offset}+{p.Count}")));
        Assert.Equal(result.Length, result.Pieces.Sum(p => p.Count));
    }

    [Theory]
    [InlineData(0, 5, 6, 4)]
    [InlineData(6, 4, 0, 5)]
    [InlineData(2, 2, 1, 9)]
    [InlineData(2, 2, 2, 2)]
    public void What_has_a_gap_or_is_all_in_the_newer_one_does_not(long start, long length, long newerStart, long newerLength) =>
        Assert.Null(CachedParts.Combine(Part(start, length, 100), length, Part(newerStart, newerLength, 100), newerLength));

    [Fact]
    public void What_is_whole_then_is_a_response_of_its_own_with_the_newer_fields()
    {
        var stored = Part(0, 6, 10, ("X-A", "old"), ("X-B", "old"));
        var newer = Part(5, 5, 10, ("X-A", "new"), ("Cache-Control", "max-age=99"));

        var result = CachedParts.Combine(stored, 6, newer, 5)!;

        Assert.Equal((200, null, null, 10L, ""), (result.Head.StatusCode, result.Head.RangeStart, result.Head.CompleteLength, result.Length, result.Head.VariantKey));
        Assert.Equal(("new", "old", "\"1\"", null), (Field(result.Head, "X-A"), Field(result.Head, "X-B"), Field(result.Head, "ETag"), Field(result.Head, "Content-Range")));
        Assert.Equal(TimeSpan.FromSeconds(99), result.Head.Freshness.Lifetime);
    }

    [Fact]
    public void Parts_of_different_representations_stay_apart()
    {
        Assert.Null(CachedParts.Combine(Part(0, 5, 10), 5, Part(5, 5, 10, ("ETag", "\"2\"")), 5));
        Assert.Null(CachedParts.Combine(Part(0, 5, 10), 5, Part(5, 5, 11), 5));
        Assert.Null(CachedParts.Combine(new Exchange(("Cache-Control", "max-age=60"), ("ETag", "\"1\"")).Head(), 10, Part(5, 5, 10), 5));
    }

    [Fact]
    public void A_date_long_enough_ago_is_the_same_representation_too()
    {
        CachedResponseHead Dated(long start, int modified) =>
            new Exchange(("Cache-Control", "max-age=60"), ("Date", Date(0)), ("Last-Modified", Date(modified)), ("Content-Range", $"bytes {start}-{start + 4}/10")).WithStatus(206).Head();

        Assert.NotNull(CachedParts.Combine(Dated(0, -100), 5, Dated(5, -100), 5));
        Assert.Null(CachedParts.Combine(Dated(0, -100), 5, Dated(5, -99), 5));
    }

    private static CachedResponseHead Part(long start, long length, long complete, params (string, Microsoft.Extensions.Primitives.StringValues)[] fields) =>
        new Exchange([("Cache-Control", "max-age=60"), ("ETag", "\"1\""), ("Content-Range", $"bytes {start}-{start + length - 1}/{complete}"), .. fields]).WithStatus(206).Head();
}
