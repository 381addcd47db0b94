using Microsoft.Extensions.Primitives;
using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>Which fields are stored (RFC 9111 §3.1).</summary>
public class StoredHeadersTests
{
    [Theory]
    [InlineData("Test-Header", "abc")]
    [InlineData("X-Test-Header", "abc")]
    [InlineData("Content-Foo", "abc")]
    [InlineData("Content-Encoding", "x-odd")]
    [InlineData("Content-Location", "/bar")]
    [InlineData("Content-MD5", "N7UdGUp1E+RbVvZSTy1R8g==")]
    [InlineData("Content-Range", "odd")]
    [InlineData("Content-Security-Policy", "default-src 'self' cdn.example.com")]
    [InlineData("Content-Type", "text/plain;charset=utf-8")]
    [InlineData("Clear-Site-Data", "cookies")]
    [InlineData("ETag", "\"ghijkl\"")]
    [InlineData("Expires", "Mon, 11 Jan 2038 11:11:11 GMT")]
    [InlineData("Public-Key-Pins", "abc")]
    [InlineData("Set-Cookie2", "a=c")]
    [InlineData("X-Frame-Options", "sameorigin")]
    [InlineData("X-XSS-Protection", "1; mode=block")]
    [InlineData("Warning", "110 - \"x\"")]
    public void A_field_is_stored_as_it_came(string name, string value) => Assert.Equal(value, Field(new Exchange(("Cache-Control", "max-age=3600"), (name, value)).Head(), name));

    [Theory]
    [InlineData("Connection")]
    [InlineData("Keep-Alive")]
    [InlineData("Proxy-Authenticate")]
    [InlineData("Proxy-Authentication-Info")]
    [InlineData("Proxy-Authorization")]
    [InlineData("Proxy-Connection")]
    [InlineData("TE")]
    [InlineData("Trailer")]
    [InlineData("Transfer-Encoding")]
    [InlineData("Upgrade")]
    [InlineData("Age")]
    [InlineData("Content-Length")]
    public void A_field_of_one_hop_or_one_message_is_not_stored(string name) => Assert.Null(Field(new Exchange(("Cache-Control", "max-age=3600"), (name, "1")).Head(), name));

    [Theory]
    [InlineData("Connection", "a, B")]
    [InlineData("Cache-Control", "no-cache=\"a, B\", max-age=3600")]
    [InlineData("Cache-Control", "private=\"a, B\", max-age=3600")]
    [InlineData("Cache-Control", "no-cache=\"a\"|private=\"B\"|max-age=3600")]
    [InlineData("CDN-Cache-Control", "private=\"a, B\", max-age=3600")]
    public void Fields_that_are_named_as_not_for_others_are_not_stored(string name, string value)
    {
        var exchange = new Exchange(("Expires", Date(3600)), ("Date", Date(0)), ("A", "1"), ("b", "2"), ("c", "3"), (name, Split(value)));
        var head = exchange.Head();

        Assert.Equal((null, null, "3"), (Field(head, "a"), Field(head, "b"), Field(head, "c")));
        Assert.Equal("1", exchange.Response.Headers["A"]);
    }

    [Fact]
    public void Names_lines_and_order_stay()
    {
        var head = new Exchange(("x-ODD-name", Lines("1", "2, 3")), ("Cache-Control", "max-age=60"), ("Date", Date(0)), ("Link", Lines("a", "b"))).Head();

        Assert.Equal(
            [new("x-ODD-name", Lines("1", "2, 3")), new("Cache-Control", "max-age=60"), new("Date", Date(0)), new("Link", Lines("a", "b"))],
            (IEnumerable<KeyValuePair<string, StringValues>>)head.Headers);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("foo")]
    [InlineData("Mon, 01 Jun 2026 12:00:00 CET")]
    public void A_date_that_is_missing_is_when_it_came(string? date)
    {
        var exchange = new Exchange(("Cache-Control", "max-age=60"));
        if (date is not null)
            exchange.Response.Headers.Date = date;

        Assert.Equal(Date(0), Field(exchange.Head(), "Date"));
    }

    [Fact]
    public void A_date_stays_as_it_came() => Assert.Equal("Monday, 01-Jun-26 11:00:00 GMT", Field(new Exchange(("Cache-Control", "max-age=7200"), ("Date", "Monday, 01-Jun-26 11:00:00 GMT")).Head(), "Date"));
}
