using Microsoft.Extensions.Primitives;
using ProxyKit.Compression;

namespace ProxyKit.Tests.Compression;

public class AcceptEncodingTests
{
    private static readonly IContentCoding[] s_codings = [new BrotliCoding(), new GzipCoding()];

    [Theory]
    [InlineData(null, null)]
    [InlineData("", null)]
    [InlineData("br", "br")]
    [InlineData("gzip", "gzip")]
    [InlineData("GZIP", "gzip")]
    [InlineData("x-gzip", "gzip")]
    [InlineData("deflate", null)]
    [InlineData("gzip, br", "br")]
    [InlineData("gzip,br", "br")]
    [InlineData("gzip;q=1, br;q=0.9", "gzip")]
    [InlineData("gzip ; q=0.5 , br ; q=0.50", "br")]
    [InlineData("gzip;Q=0.501, br;q=0.5", "gzip")]
    [InlineData("br;q=0, gzip", "gzip")]
    [InlineData("br;q=0, gzip;q=0.000", null)]
    [InlineData("*", "br")]
    [InlineData("*, br;q=0", "gzip")]
    [InlineData("gzip, *;q=0", "gzip")]
    [InlineData("*;q=0", null)]
    [InlineData("identity", null)]
    [InlineData("identity, gzip", "gzip")]
    [InlineData("identity;q=1, gzip;q=0.5", null)]
    [InlineData("identity;q=0.5, gzip;q=0.5", "gzip")]
    [InlineData("identity;q=0", null)]
    [InlineData("identity;q=0, gzip;q=0.1", "gzip")]
    [InlineData("gzip;q=2, br;q=0.1", "br")]
    [InlineData("gzip;q=x", null)]
    [InlineData("gzip;q=-1", null)]
    [InlineData("gzip;level=9;q=0.3, br;q=0.2", "gzip")]
    [InlineData(", ,gzip,", "gzip")]
    [InlineData("gzipped, brotli", null)]
    public void The_client_chooses_by_weight_and_the_server_among_equals(string? field, string? chosen) =>
        Assert.Equal(chosen, AcceptEncoding.Choose(field is null ? default : new StringValues(field), s_codings)?.Name);

    [Fact]
    public void Lines_are_one_list() => Assert.Equal("gzip", AcceptEncoding.Choose(new StringValues(["br;q=0.5", "gzip"]), s_codings)?.Name);

    [Fact]
    public void The_servers_order_is_that_of_its_list() => Assert.Equal("gzip", AcceptEncoding.Choose("br, gzip", [.. s_codings.Reverse()])?.Name);
}
