using Microsoft.AspNetCore.Http;
using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>How <c>Cache-Control</c> is read (RFC 9111 §5.2), also where it is not written well.</summary>
public class CacheDirectivesTests
{
    [Theory]
    [InlineData("max-age=3600", 3600)]
    [InlineData("MaX-aGe=3600", 3600)]
    [InlineData("foobar, max-age=3600", 3600)]
    [InlineData("foobar=1,,  ,max-age=3600,", 3600)]
    [InlineData("\tmax-age=3600 ", 3600)]
    [InlineData("max-age=003600", 3600)]
    [InlineData("max-age=\"3600\"", 3600)]
    [InlineData("max-age=0", 0)]
    [InlineData("max-age=2147483647", 2147483647)]
    [InlineData("max-age=2147483648", 2147483648)]
    [InlineData("max-age=2147483649", 2147483648)]
    [InlineData("max-age=99999999999999999999999999", 2147483648)]
    public void A_number_of_seconds_is_read(string field, long seconds) => Assert.Equal(TimeSpan.FromSeconds(seconds), CacheDirectives.Parse(field).MaxAge);

    [Theory]
    [InlineData("max-age")]
    [InlineData("max-age=")]
    [InlineData("max-age=-3600")]
    [InlineData("max-age=+3600")]
    [InlineData("max-age='3600'")]
    [InlineData("max-age=3600.0")]
    [InlineData("max-age=3600.5")]
    [InlineData("max-age=a3600")]
    [InlineData("max-age=3600a")]
    [InlineData("max-age =3600")]
    [InlineData("max-age= 3600")]
    [InlineData("max-age=3600 1")]
    [InlineData("max-age=٣٦")]
    [InlineData("max-age=\"")]
    [InlineData("max-age=\"\"")]
    [InlineData("max-age;3600")]
    public void What_is_no_number_is_no_time_at_all(string field) => Assert.Equal(TimeSpan.Zero, CacheDirectives.Parse(field).MaxAge);

    [Theory]
    [InlineData("extension=\"max-age=3600\"")]
    [InlineData("extension=\"a, max-age=3600\"")]
    [InlineData("extension=\"\\\", max-age=3600\"")]
    [InlineData("xmax-age=3600")]
    [InlineData("max-agex=3600")]
    [InlineData("max-age-x=3600")]
    [InlineData("x max-age=3600")]
    public void What_only_looks_like_a_directive_is_none(string field) => Assert.Null(CacheDirectives.Parse(field).MaxAge);

    [Theory]
    [InlineData("extension=\"max-age=3600\", max-age=1")]
    [InlineData("max-age=1, extension=\"max-age=3600\"")]
    [InlineData("extension=\"max-age=3600\", max-age=\"1\"")]
    [InlineData("max-age=\"1\", extension=\"max-age=3600\"")]
    [InlineData("extension=\"a\\\"b, max-age=3600\", max-age=1")]
    [InlineData("max-age=1800, max-age=1")]
    [InlineData("max-age=1, max-age=1800")]
    [InlineData("max-age=1|max-age=1800")]
    [InlineData("max-age=1800|max-age=1")]
    public void The_shorter_of_two_counts_and_what_is_quoted_does_not(string field) => Assert.Equal(TimeSpan.FromSeconds(1), CacheDirectives.Parse(Split(field)).MaxAge);

    [Theory]
    [InlineData("no-store", nameof(CacheDirectives.NoStore))]
    [InlineData("No-StOrE", nameof(CacheDirectives.NoStore))]
    [InlineData("no-store=1", nameof(CacheDirectives.NoStore))]
    [InlineData("no-store ;x", nameof(CacheDirectives.NoStore))]
    [InlineData("max-age=60|no-store", nameof(CacheDirectives.NoStore))]
    [InlineData("no-cache", nameof(CacheDirectives.NoCache))]
    [InlineData("no-cache=", nameof(CacheDirectives.NoCache))]
    [InlineData("no-cache=\"\"", nameof(CacheDirectives.NoCache))]
    [InlineData("no-cache=\" , \"", nameof(CacheDirectives.NoCache))]
    [InlineData("no-cache=\"a\", no-cache", nameof(CacheDirectives.NoCache))]
    [InlineData("no-cache=\"a b\"", nameof(CacheDirectives.NoCache))]
    [InlineData("no-cache=\"a", nameof(CacheDirectives.NoCache))]
    [InlineData("private", nameof(CacheDirectives.Private))]
    [InlineData("public, private", nameof(CacheDirectives.Private))]
    [InlineData("private=\"\"", nameof(CacheDirectives.Private))]
    [InlineData("public", nameof(CacheDirectives.Public))]
    [InlineData("must-revalidate", nameof(CacheDirectives.MustRevalidate))]
    [InlineData("proxy-revalidate", nameof(CacheDirectives.ProxyRevalidate))]
    [InlineData("must-understand", nameof(CacheDirectives.MustUnderstand))]
    [InlineData("no-transform", nameof(CacheDirectives.NoTransform))]
    [InlineData("only-if-cached", nameof(CacheDirectives.OnlyIfCached))]
    public void A_directive_is_read(string field, string name) =>
        Assert.Equal(true, typeof(CacheDirectives).GetProperty(name)!.GetValue(CacheDirectives.Parse(Split(field))));

    [Theory]
    [InlineData("no-cache=\"a\"", "a")]
    [InlineData("no-cache=\"a, b\"", "a b")]
    [InlineData("no-cache=\" a ,, b,\"", "a b")]
    [InlineData("no-cache=a", "a")]
    [InlineData("private=\"Set-Cookie\", no-cache=\"X-A\"", "Set-Cookie X-A")]
    [InlineData("private=\"Set-Cookie\"|private=\"X-A\"", "Set-Cookie X-A")]
    public void Listed_fields_are_left_out_and_all_else_is_not_concerned(string field, string fields)
    {
        var directives = CacheDirectives.Parse(Split(field));

        Assert.Equal(fields.Split(' '), directives.Fields);
        Assert.False(directives.NoCache);
        Assert.False(directives.Private);
    }

    [Fact]
    public void Too_many_listed_fields_are_as_good_as_all()
    {
        var directives = CacheDirectives.Parse($"no-cache=\"{string.Join(',', Enumerable.Range(0, 1000).Select(i => $"x{i}"))}\"");

        Assert.True(directives.NoCache);
        Assert.Equal(CacheDirectives.MaxFields, directives.Fields.Count);
    }

    [Theory]
    [InlineData("max-age=3600, extension=\"abc")]
    [InlineData("extension=\"abc, max-age=3600")]
    [InlineData("extension=\"a\"b\"c, max-age=3600")]
    public void Where_a_quote_is_not_closed_nothing_is_fresh(string field) => Assert.Equal(TimeSpan.Zero, CacheDirectives.Parse(field).MaxAge);

    [Fact]
    public void Where_a_quote_is_not_closed_what_forbids_is_still_heeded() => Assert.True(CacheDirectives.Parse("extension=\"abc, no-store").NoStore);

    [Fact]
    public void A_shared_cache_has_its_own_lifetime()
    {
        var directives = CacheDirectives.Parse(Lines("max-age=1", "s-maxage=3600"));

        Assert.Equal(TimeSpan.FromHours(1), directives.Lifetime);
        Assert.True(directives.ForbidsStale);
    }

    [Theory]
    [InlineData("max-stale", null)]
    [InlineData("max-stale=10", 10)]
    [InlineData("max-stale, max-stale=10", 10)]
    [InlineData("max-stale=x", 0)]
    public void A_client_may_want_stale_responses_within_limits_or_without(string field, int? seconds) =>
        Assert.Equal(seconds is { } s ? TimeSpan.FromSeconds(s) : TimeSpan.MaxValue, CacheDirectives.Parse(field).MaxStale);

    [Fact]
    public void What_may_be_done_with_a_stale_response_is_read()
    {
        var directives = CacheDirectives.Parse("max-age=1, stale-while-revalidate=2, stale-if-error=3, min-fresh=4");

        Assert.Equal((2.0, 3.0, 4.0), (directives.StaleWhileRevalidate!.Value.TotalSeconds, directives.StaleIfError!.Value.TotalSeconds, directives.MinFresh!.Value.TotalSeconds));
    }

    [Fact]
    public void No_field_is_no_directives() => Assert.Same(CacheDirectives.None, CacheDirectives.Parse(default));

    [Theory]
    [InlineData("no-cache", true)]
    [InlineData("No-Cache", true)]
    [InlineData("foo, no-cache", true)]
    [InlineData("foo", false)]
    [InlineData("no-cachex", false)]
    public void Pragma_is_heeded_where_a_request_has_no_cache_control(string pragma, bool isHeeded)
    {
        var request = new Exchange().Asked(("Pragma", pragma)).Request;
        Assert.Equal(isHeeded, CacheUses.RequestDirectives(request).NoCache);

        request.Headers.CacheControl = "max-age=1";
        Assert.False(CacheUses.RequestDirectives(request).NoCache);
    }
}
