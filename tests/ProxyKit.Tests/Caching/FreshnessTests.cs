using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>How long a response is fresh, and how old it is (RFC 9111 §4.2).</summary>
public class FreshnessTests
{
    [Theory]
    [InlineData("max-age=3600", null, 3600)]
    [InlineData("max-age=3600", -7200, 3600)]
    [InlineData("max-age=0", 3600, 0)]
    [InlineData("max-age=-3600", 3600, 0)]
    [InlineData("s-maxage=3600", null, 3600)]
    [InlineData("s-maxage=1, max-age=3600", null, 1)]
    [InlineData("max-age=3600, s-maxage=1", null, 1)]
    [InlineData("max-age=3600|s-maxage=1", null, 1)]
    [InlineData("max-age=1, s-maxage=3600", null, 3600)]
    [InlineData("max-age=0, s-maxage=3600", -10, 3600)]
    [InlineData("s-maxage=x, max-age=60", 60, 0)]
    [InlineData("public", 100, 100)]
    [InlineData("", 100, 100)]
    [InlineData("", 0, 0)]
    [InlineData("", -100, 0)]
    public void The_most_specific_word_counts(string cacheControl, int? expires, int lifetime)
    {
        var exchange = new Exchange(("Date", Date(0)), ("ETag", "\"1\""), ("Cache-Control", Split(cacheControl)));
        if (expires is { } seconds)
            exchange.Response.Headers.Expires = Date(seconds);

        Assert.Equal(TimeSpan.FromSeconds(lifetime), exchange.Head().Freshness.Lifetime);
    }

    [Theory]
    [InlineData("Tue, 19 Jan 2038 14:14:08 GMT", true)]
    [InlineData("Sun, 21 Nov 2286 04:46:39 GMT", true)]
    [InlineData("Fri, 31 Dec 9999 23:59:59 GMT", true)]
    [InlineData("Thursday, 18-Aug-50 02:01:18 GMT", true)]
    [InlineData("Thu Aug  8 02:01:18 2050", true)]
    [InlineData("THU, 18 Aug 2050 02:01:18 GMT", true)]
    [InlineData("0", false)]
    [InlineData("", false)]
    [InlineData("Thu, 18 Aug 2050 02:01:18 UTC", false)]
    [InlineData("Thu, 18 Aug 50 02:01:18 GMT", false)]
    [InlineData("Thu 18 Aug 2050 02:01:18 GMT", false)]
    [InlineData("Thu, 18 Aug 2050 02:01:18 GMT|Fri, 19 Aug 2050 02:01:18 GMT", false)]
    [InlineData("Thu, 18 Aug 2050 02:01:18 GMT|Thu, 18 Aug 2050 02:01:18 GMT", true)]
    public void Expires_that_is_no_date_is_long_past(string expires, bool isFresh) =>
        Assert.Equal(isFresh, new Exchange(("Date", Date(0)), ("Expires", Split(expires))).IsReused(3));

    [Fact]
    public void Expires_that_is_no_date_forbids_to_guess() =>
        Assert.Equal(TimeSpan.Zero, new Exchange(("Date", Date(0)), ("Expires", "0"), ("Last-Modified", Date(-100000))).Head().Freshness.Lifetime);

    [Theory]
    [InlineData(300, 400, null, false)]
    [InlineData(10, null, null, true)]
    [InlineData(10, -10, "25", false)]
    [InlineData(20, 10, "15", false)]
    [InlineData(20, 10, "5", true)]
    public void Expires_is_measured_from_the_date_of_the_response(int expires, int? date, string? age, bool isFresh)
    {
        var exchange = new Exchange(("Date", date is { } d ? Date(d) : "foo"), ("Expires", Date(expires)));
        if (age is not null)
            exchange.Response.Headers.Age = age;

        Assert.Equal(isFresh, exchange.IsReused(0));
    }

    [Theory]
    [InlineData("7200", 7200)]
    [InlineData("0", 0)]
    [InlineData(" 30 ", 30)]
    [InlineData("2147483647", 2147483647)]
    [InlineData("2147483648", 2147483648)]
    [InlineData("99999999999999999999", 2147483648)]
    [InlineData("7200, 0", 7200)]
    [InlineData("7200,0", 7200)]
    [InlineData("0, 7200", 0)]
    [InlineData("7200|0", 7200)]
    [InlineData("0|7200", 0)]
    [InlineData("3600|3600", 3600)]
    [InlineData("7200;foo=bar", 7200)]
    [InlineData("7200;foo=111", 7200)]
    [InlineData("abc", 0)]
    [InlineData("-7200", 0)]
    [InlineData("7200.0", 0)]
    [InlineData("", 0)]
    public void The_first_age_counts_if_it_is_a_number(string age, long seconds) => Assert.Equal(TimeSpan.FromSeconds(seconds), AgeHeader.Parse(Split(age)));

    [Theory]
    [InlineData("0", true)]
    [InlineData("0, 7200", true)]
    [InlineData("abc", false)]
    [InlineData("-1", false)]
    [InlineData("1.5", false)]
    [InlineData("5, 5", false)]
    public void An_age_is_valid_that_is_made_of_different_numbers(string age, bool isValid) => Assert.Equal(isValid, AgeHeader.IsValid(age));

    [Fact]
    public void An_age_on_two_lines_is_not_valid() => Assert.False(AgeHeader.IsValid(new(["1", "2"])));

    [Fact]
    public void A_response_that_comes_older_than_it_may_be_is_not_reused()
    {
        Assert.False(new Exchange(("Date", Date(0)), ("Cache-Control", "max-age=3600"), ("Age", "7200")).IsReused(0));
        Assert.False(new Exchange(("Date", Date(-7200)), ("Cache-Control", "max-age=3600")).IsReused(0));
    }

    [Theory]
    [InlineData(0, "30", 5, 35)]
    [InlineData(-100, "30", 5, 100)]
    [InlineData(-100, null, 5, 100)]
    [InlineData(100, "30", 0, 30)]
    [InlineData(100, null, 5, 5)]
    [InlineData(0, "30", -5, 30)]
    public void The_initial_age_is_the_greater_of_what_is_said_with_the_delay_and_what_the_date_shows(int date, string? age, int delay, int initial)
    {
        var exchange = new Exchange(("Date", Date(date)), ("Cache-Control", "max-age=3600")) { RequestTime = Now.AddSeconds(-delay) };
        if (age is not null)
            exchange.Response.Headers.Age = age;

        Assert.Equal(TimeSpan.FromSeconds(initial), exchange.Head().Freshness.InitialAge);
    }

    [Fact]
    public void A_part_of_a_second_is_no_age()
    {
        var exchange = new Exchange(("Date", Date(0)), ("Cache-Control", "max-age=1")) { RequestTime = Now.AddMilliseconds(890), ResponseTime = Now.AddMilliseconds(900) };

        Assert.Equal(TimeSpan.FromMilliseconds(10), exchange.Head().Freshness.InitialAge);
        Assert.Equal(CacheUse.Fresh, exchange.Use(0.9));
    }

    [Fact]
    public void The_age_goes_on_and_never_back()
    {
        var head = new Exchange(("Date", Date(0)), ("Cache-Control", "max-age=600"), ("Age", "30")).Head();

        Assert.Equal(TimeSpan.FromSeconds(33), CacheUses.Age(head, Now.AddSeconds(3)));
        Assert.Equal(TimeSpan.FromSeconds(30), CacheUses.Age(head, Now.AddSeconds(-3)));
        Assert.Null(Field(head, "Age"));
    }

    [Theory]
    [InlineData(-1000, 0.1, 100)]
    [InlineData(-1000, 0.5, 500)]
    [InlineData(-100_000_000, 0.1, 86400)]
    [InlineData(-1000, 0, 0)]
    [InlineData(0, 0.1, 0)]
    [InlineData(1000, 0.1, 0)]
    public void What_says_nothing_is_fresh_for_a_share_of_the_time_since_its_last_change_and_at_most_a_day(int modified, double fraction, int seconds) =>
        Assert.Equal(
            TimeSpan.FromSeconds(seconds),
            new Exchange(("Date", Date(0)), ("Last-Modified", Date(modified))).With(new() { HeuristicFraction = fraction }).Head().Freshness.Lifetime);

    [Fact]
    public void A_default_lifetime_holds_for_statuses_that_are_cacheable_by_themselves()
    {
        var config = new CacheConfig { DefaultTimeToLive = TimeSpan.FromMinutes(5) };

        Assert.Equal(TimeSpan.FromMinutes(5), new Exchange().With(config).Head().Freshness.Lifetime);
        Assert.Equal(TimeSpan.FromMinutes(5), new Exchange(("Last-Modified", Date(-10))).WithStatus(404).With(config).Head().Freshness.Lifetime);
        Assert.Equal(CacheRefusal.Status, new Exchange().WithStatus(500).With(config).Refusal());
        Assert.Equal(TimeSpan.FromSeconds(7), new Exchange(("Cache-Control", "max-age=7")).With(config).Head().Freshness.Lifetime);
        Assert.Equal(CacheRefusal.Private, new Exchange(("Cache-Control", "private")).With(config).Refusal());
    }

    [Theory]
    [InlineData(404, 10)]
    [InlineData(410, 60)]
    [InlineData(200, 300)]
    [InlineData(302, 5)]
    [InlineData(503, 1)]
    public void A_lifetime_by_status_goes_before_the_default(int status, int seconds)
    {
        var times = new Dictionary<string, string> { ["404"] = "00:00:10", ["4xx"] = "00:01:00", ["302"] = "00:00:05", ["5XX"] = "00:00:01" };
        var config = new CacheConfig { DefaultTimeToLive = TimeSpan.FromMinutes(5), StatusTimeToLive = new(times) };

        Assert.Equal(TimeSpan.FromSeconds(seconds), new Exchange().WithStatus(status).With(config).Head().Freshness.Lifetime);
        Assert.Equal(CacheRefusal.ResponseNoStore, new Exchange(("Cache-Control", "no-store")).WithStatus(status).With(config).Refusal());
    }

    [Fact]
    public void A_configured_lifetime_counts_from_now_on()
    {
        var exchange = new Exchange(("Age", "100")).With(new() { DefaultTimeToLive = TimeSpan.FromSeconds(10) });

        Assert.Equal(CacheUse.Fresh, exchange.Use(9));
        Assert.Equal(CacheUse.Validate, exchange.Use(10));
    }

    [Fact]
    public void What_may_be_done_with_it_when_stale_is_what_it_says_or_else_what_is_configured()
    {
        var config = new CacheConfig { StaleWhileRevalidate = TimeSpan.FromSeconds(1), StaleIfError = TimeSpan.FromSeconds(2) };

        var own = new Exchange(("Cache-Control", "max-age=60, stale-while-revalidate=10, stale-if-error=20")).With(config).Head().Freshness;
        Assert.Equal((10.0, 20.0), (own.StaleWhileRevalidate.TotalSeconds, own.StaleIfError.TotalSeconds));
        var configured = new Exchange(("Cache-Control", "max-age=60")).With(config).Head().Freshness;
        Assert.Equal((1.0, 2.0), (configured.StaleWhileRevalidate.TotalSeconds, configured.StaleIfError.TotalSeconds));
        var none = new Exchange(("Cache-Control", "max-age=60, stale-while-revalidate=10, must-revalidate")).With(config).Head().Freshness;
        Assert.Equal((true, 0.0, 0.0), (none.MustRevalidate, none.StaleWhileRevalidate.TotalSeconds, none.StaleIfError.TotalSeconds));
    }
}
