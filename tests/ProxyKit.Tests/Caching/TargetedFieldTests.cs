using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>Fields that speak to this cache alone: <c>CDN-Cache-Control</c> and its like (RFC 9213), <c>Surrogate-Control</c>, <c>X-Accel-Expires</c>.</summary>
public class TargetedFieldTests
{
    [Theory]
    [InlineData("max-age=3600", 3600)]
    [InlineData("max-age=2147483648", 2147483648)]
    [InlineData("max-age=99999999999", 2147483648)]
    [InlineData("max-age=-1", 0)]
    [InlineData("max-age=0", 0)]
    [InlineData("foobar, max-age=3600", 3600)]
    [InlineData("foo=(1 \"x\" :YWJj:);a=1;b, bar=?0, baz=1.5, qux=*tok/en, max-age=3600", 3600)]
    [InlineData("max-age=1, max-age=3600", 3600)]
    [InlineData("max-age=1|max-age=3600", 3600)]
    [InlineData("max-age=3600;x=1", 3600)]
    [InlineData("s-maxage=3600, max-age=1", 3600)]
    [InlineData("  max-age=3600 ", 3600)]
    [InlineData("foo ,\tmax-age=3600", 3600)]
    public void A_dictionary_of_directives_is_believed(string field, long seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), CacheDirectives.ParseTargeted(Split(field))!.Lifetime);

    [Theory]
    [InlineData("")]
    [InlineData("max-age=10000, &&&&&")]
    [InlineData("max-age=\"10000\"")]
    [InlineData("max-age=10000.0")]
    [InlineData("max-age=a")]
    [InlineData("max-age")]
    [InlineData("max-age =100")]
    [InlineData("max-age= 100")]
    [InlineData("MaX-aGe=3600")]
    [InlineData("max-age=3600,")]
    [InlineData("max-age=3600 foo")]
    [InlineData("max-age=3600;")]
    [InlineData("max-age=1234567890123456")]
    [InlineData("max-age=1;a=\"x")]
    [InlineData("no-store=1")]
    [InlineData("no-cache=1")]
    [InlineData("foo=(1 2")]
    [InlineData("foo=(1,2)")]
    [InlineData("foo=\"\\x\"")]
    [InlineData("foo=\"ü\"")]
    [InlineData("foo=:a b:")]
    [InlineData("foo=1.")]
    [InlineData("foo=1.1234")]
    [InlineData("foo=-")]
    [InlineData("foo=?2")]
    [InlineData("max-age=60\0")]
    public void What_does_not_parse_or_has_a_wrong_type_is_ignored_as_a_whole(string field) => Assert.Null(CacheDirectives.ParseTargeted(field));

    [Fact]
    public void Flags_and_lists_of_fields_are_read()
    {
        var directives = CacheDirectives.ParseTargeted("no-store=?0, no-cache=\"a, b\", private=\"c\", must-revalidate, public=?1, stale-if-error=5, stale-while-revalidate=6")!;

        Assert.Equal(
            new CacheDirectives { MustRevalidate = true, Public = true, StaleIfError = TimeSpan.FromSeconds(5), StaleWhileRevalidate = TimeSpan.FromSeconds(6), Fields = directives.Fields },
            directives);
        Assert.Equal(["a", "b", "c"], directives.Fields);
    }

    [Fact]
    public void A_member_without_a_value_is_true()
    {
        var directives = CacheDirectives.ParseTargeted("private, no-store, no-cache")!;

        Assert.True(directives.Private && directives.NoStore && directives.NoCache);
    }

    [Fact]
    public void A_field_of_endless_members_is_ignored() =>
        Assert.Null(CacheDirectives.ParseTargeted(string.Join(',', Enumerable.Range(0, 1000).Select(i => $"a{i}"))));

    // The suite's tests of CDN-Cache-Control.
    [Theory]
    [InlineData("max-age=3600", null, null, true)]
    [InlineData("max-age=3600", null, -10000, true)]
    [InlineData("max-age=0", null, null, false)]
    [InlineData("max-age=0", null, 10000, false)]
    [InlineData("max-age=3600", "max-age=1", null, true)]
    [InlineData("max-age=1", "max-age=3600", null, false)]
    [InlineData("private", "max-age=10000", 10000, false)]
    [InlineData("no-cache", "max-age=10000", 10000, false)]
    [InlineData("no-store", "max-age=10000", 10000, false)]
    [InlineData("none", "max-age=10000", 10000, false)]
    [InlineData("max-age=10000", "no-store", null, true)]
    [InlineData("max-age=10000", "private", null, true)]
    [InlineData("max-age=10000, &&&&&", "no-store", null, false)]
    [InlineData("max-age=\"10000\"", "no-store", null, false)]
    [InlineData("max-age=\"10000\"", "max-age=3600", null, true)]
    [InlineData("MaX-aGe=0", "max-age=3600", null, true)]
    public void The_targeted_field_goes_before_all_that_is_for_everybody(string targeted, string? general, int? expires, bool isReused)
    {
        var exchange = new Exchange(("CDN-Cache-Control", targeted), ("Date", Date(0)));
        if (general is not null)
            exchange.Response.Headers.CacheControl = general;
        if (expires is { } seconds)
            exchange.Response.Headers.Expires = Date(seconds);

        Assert.Equal(isReused, exchange.IsReused(3));
        Assert.Equal(targeted, exchange.Response.Headers["CDN-Cache-Control"]);
    }

    [Fact]
    public void The_age_that_a_response_comes_with_counts_against_a_targeted_lifetime_too() =>
        Assert.False(new Exchange(("CDN-Cache-Control", "max-age=3600"), ("Age", "7200")).IsReused(0));

    [Fact]
    public void The_first_valid_field_of_the_list_counts()
    {
        var config = new CacheConfig { TargetedFields = ["Broken-Cache-Control", "Shop-Cache-Control", "CDN-Cache-Control"] };
        Exchange Answer() => new Exchange(("Broken-Cache-Control", "&"), ("Shop-Cache-Control", "max-age=5"), ("CDN-Cache-Control", "max-age=60")).With(config);

        Assert.Equal(TimeSpan.FromSeconds(5), Answer().Head().Freshness.Lifetime);
        Assert.Equal(CacheRefusal.NoFreshness, Answer().With(config with { TargetedFields = [] }).Refusal());
    }

    // The suite's tests of Surrogate-Control.
    [Theory]
    [InlineData("max-age=3600", null, true)]
    [InlineData("max-age=99999999999", null, true)]
    [InlineData("foobar, max-age=3600", null, true)]
    [InlineData("MaX-aGe=3600", null, true)]
    [InlineData("max-age=0", null, false)]
    [InlineData("max-age=1+3600", null, true)]
    [InlineData("max-age=3600", "max-age=1", true)]
    [InlineData("max-age=1", "max-age=3600", false)]
    [InlineData("max-age=3600", "no-store", true)]
    [InlineData("no-store", "max-age=3600", false)]
    [InlineData("max-age=3600;somebody-else", null, false)]
    [InlineData("max-age=3600;proxykit", "no-store", true)]
    [InlineData("max-age=0, max-age=3600 ; proxykit, no-store;somebody-else", "no-store", true)]
    [InlineData("max-age=3600, no-store;proxykit", null, false)]
    [InlineData("max-age=3600;proxykit;x", null, false)]
    [InlineData("content=\"ESI/1.0\"", "max-age=3600", true)]
    [InlineData("max-age=x", "max-age=3600", false)]
    public void Surrogate_control_is_believed_and_taken_off_where_that_is_asked_for(string surrogate, string? general, bool isReused)
    {
        Exchange Answer(bool isBelieved)
        {
            var exchange = new Exchange(("Surrogate-Control", surrogate)).With(new() { SurrogateControl = isBelieved });
            if (general is not null)
                exchange.Response.Headers.CacheControl = general;
            return exchange;
        }

        var believed = Answer(true);
        Assert.Equal(isReused, believed.IsReused(3));
        Assert.False(believed.Response.Headers.ContainsKey("Surrogate-Control"));
        var ignored = Answer(false);
        Assert.Equal(general == "max-age=3600", ignored.IsReused(3));
        Assert.True(ignored.Response.Headers.ContainsKey("Surrogate-Control"));
    }

    [Theory]
    [InlineData("60", 60)]
    [InlineData("@1780315260", 60)]
    [InlineData(" 60 ", 60)]
    public void X_accel_expires_counts_from_now_on_and_goes_before_what_is_for_all_caches(string value, int seconds)
    {
        var head = new Exchange(("Cache-Control", "no-cache, private, max-age=5"), ("Expires", "0"), ("Age", "100")) { AccelExpires = value }.Head();

        Assert.Equal(TimeSpan.FromSeconds(100 + seconds), head.Freshness.Lifetime);
        Assert.Equal(TimeSpan.FromSeconds(100), head.Freshness.InitialAge);
        Assert.False(head.Freshness.NoCache);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("@1")]
    public void X_accel_expires_of_nothing_or_the_past_is_not_to_be_stored(string value) =>
        Assert.Equal(CacheRefusal.ResponseNoStore, new Exchange(("Cache-Control", "max-age=60")) { AccelExpires = value }.Refusal());

    [Theory]
    [InlineData("off")]
    [InlineData("-1")]
    [InlineData("@")]
    [InlineData("@-5")]
    [InlineData("1h")]
    [InlineData("")]
    public void X_accel_expires_that_is_no_value_is_ignored(string value) =>
        Assert.Equal(TimeSpan.FromSeconds(60), new Exchange(("Cache-Control", "max-age=60")) { AccelExpires = value }.Head().Freshness.Lifetime);

    [Fact]
    public void X_accel_expires_comes_after_what_is_for_this_cache_by_a_standard() =>
        Assert.Equal(CacheRefusal.ResponseNoStore, new Exchange(("CDN-Cache-Control", "no-store")) { AccelExpires = "60" }.Refusal());

    [Fact]
    public void X_accel_expires_does_not_share_what_was_asked_for_with_credentials() =>
        Assert.Equal(CacheRefusal.Authorization, new Exchange(("Cache-Control", "max-age=60")) { AccelExpires = "60" }.Asked(("Authorization", "Basic x")).Refusal());
}
