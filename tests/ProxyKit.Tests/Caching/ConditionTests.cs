using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>What a client's own conditions make of a stored response (RFC 9110 §13, RFC 9111 §4.3.2).</summary>
public class ConditionTests
{
    [Theory]
    [InlineData("\"abcdef\"", "\"abcdef\"", 304)]
    [InlineData("\"abcdef\"", "\"other\"", null)]
    [InlineData("\"abcdef\"", "\"abcdef\", \"1234\", \"5678\"", 304)]
    [InlineData("\"abcdef\"", "\"1234\", \"abcdef\", \"5678\"", 304)]
    [InlineData("\"abcdef\"", "\"1234\",\"5678\",\"abcdef\"", 304)]
    [InlineData("\"abcdef\"", "\"1234\"|\"abcdef\"", 304)]
    [InlineData("\"abcdef\"", "\"1234, abcdef\"", null)]
    [InlineData("\"a,b\"", "\"a,b\"", 304)]
    [InlineData("\"a,b\"", "\"a\", \"b\"", null)]
    [InlineData("W/\"abcdef\"", "W/\"abcdef\"", 304)]
    [InlineData("W/\"abcdef\"", "\"abcdef\"", 304)]
    [InlineData("\"abcdef\"", "W/\"abcdef\"", 304)]
    [InlineData("\"abcdefü\"", "\"abcdefü\"", 304)]
    [InlineData("\"abcdef\"", "abcdef", 304)]
    [InlineData("abcdef", "abcdef", 304)]
    [InlineData("abcdef", "\"abcdef\"", 304)]
    [InlineData("w/\"abcdef\"", "w/\"abcdef\"", 304)]
    [InlineData("W\\\"abcdef\"", "W\\\"abcdef\"", 304)]
    [InlineData("W\"abcdef\"", "W\"abcdef\"", 304)]
    [InlineData("\"abcdef\"", "*", 304)]
    [InlineData(null, "*", 304)]
    [InlineData(null, "\"abcdef\"", null)]
    [InlineData(null, "", null)]
    [InlineData("\"\"", "\"\"", 304)]
    [InlineData("\"ABC\"", "\"abc\"", null)]
    public void A_client_that_has_it_already_is_told_so(string? tag, string ifNoneMatch, int? status) =>
        Assert.Equal(status, Evaluate(tag, null, ("If-None-Match", ifNoneMatch)));

    [Theory]
    [InlineData(-3000, 0, 304)]
    [InlineData(-2000, 0, 304)]
    [InlineData(-3001, 0, null)]
    public void A_client_that_has_it_since_its_last_change_is_told_so(int since, int _, int? status) => Assert.Equal(status, Evaluate(null, -3000, ("If-Modified-Since", Date(since))));

    [Theory]
    [InlineData(0, 304)]
    [InlineData(10, 304)]
    [InlineData(-3000, null)]
    public void Without_a_date_of_the_last_change_that_of_the_response_counts(int since, int? status) => Assert.Equal(status, Evaluate("\"1\"", null, ("If-Modified-Since", Date(since))));

    [Theory]
    [InlineData("Monday, 01-Jun-26 11:30:00 GMT", 304)]
    [InlineData("Mon Jun  1 11:30:00 2026", 304)]
    [InlineData("2026-06-01", null)]
    [InlineData("", null)]
    public void A_condition_that_is_no_date_is_none(string since, int? status) => Assert.Equal(status, Evaluate(null, -3000, ("If-Modified-Since", since)));

    [Theory]
    [InlineData("\"abcdef\"", -6000, 304)]
    [InlineData("\"other\"", 0, null)]
    public void A_tag_goes_before_a_date(string ifNoneMatch, int since, int? status) =>
        Assert.Equal(status, Evaluate("\"abcdef\"", -5000, ("If-None-Match", ifNoneMatch), ("If-Modified-Since", Date(since))));

    [Theory]
    [InlineData("If-Match", "\"1\"")]
    [InlineData("If-Match", "\"2\"")]
    [InlineData("If-Match", "*")]
    [InlineData("If-Unmodified-Since", "Mon, 01 Jan 1990 00:00:00 GMT")]
    public void Conditions_of_the_origins_are_not_the_caches(string name, string value)
    {
        Assert.Null(Evaluate("\"1\"", -3000, (name, value)));
        Assert.Equal(304, Evaluate("\"1\"", -3000, (name, value), ("If-None-Match", "\"1\"")));
    }

    [Fact]
    public void Without_conditions_it_is_sent() => Assert.Null(Evaluate("\"1\"", -3000));

    [Theory]
    [InlineData(301)]
    [InlineData(404)]
    public void Conditions_are_about_successes_only(int status)
    {
        var stored = new Exchange(("Cache-Control", "max-age=60"), ("ETag", "\"1\"")).WithStatus(status).Head();

        Assert.Null(CacheValidation.Evaluate(new Exchange().Asked(("If-None-Match", "*")).Request, stored));
    }

    private static int? Evaluate(string? tag, int? modified, params (string Name, string Value)[] conditions)
    {
        var exchange = new Exchange(("Cache-Control", "max-age=100000"), ("Date", Date(0)));
        if (tag is not null)
            exchange.Response.Headers.ETag = tag;
        if (modified is { } seconds)
            exchange.Response.Headers.LastModified = Date(seconds);
        var request = new Exchange();
        foreach (var (name, value) in conditions)
            request.Request.Headers[name] = Split(value);
        return CacheValidation.Evaluate(request.Request, exchange.Head());
    }
}
