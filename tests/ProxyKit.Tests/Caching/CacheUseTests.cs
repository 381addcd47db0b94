using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>What a stored response is good for (RFC 9111 §4, RFC 5861).</summary>
public class CacheUseTests
{
    [Theory]
    [InlineData("max-age=60", 0, nameof(CacheUse.Fresh))]
    [InlineData("max-age=60", 59.9, nameof(CacheUse.Fresh))]
    [InlineData("max-age=60", 60, nameof(CacheUse.Validate))]
    [InlineData("max-age=60, must-revalidate", 59, nameof(CacheUse.Fresh))]
    [InlineData("max-age=60, must-revalidate", 60, nameof(CacheUse.Validate))]
    [InlineData("max-age=60, no-cache", 0, nameof(CacheUse.Validate))]
    [InlineData("max-age=60, stale-while-revalidate=10", 60, nameof(CacheUse.StaleWhileRevalidate))]
    [InlineData("max-age=60, stale-while-revalidate=10", 69.9, nameof(CacheUse.StaleWhileRevalidate))]
    [InlineData("max-age=60, stale-while-revalidate=10", 70, nameof(CacheUse.Validate))]
    [InlineData("max-age=60, stale-while-revalidate=10, no-cache", 0, nameof(CacheUse.Validate))]
    [InlineData("max-age=60, stale-while-revalidate=10, must-revalidate", 60, nameof(CacheUse.Validate))]
    [InlineData("max-age=60, stale-while-revalidate=10, proxy-revalidate", 60, nameof(CacheUse.Validate))]
    [InlineData("max-age=1, s-maxage=60, stale-while-revalidate=10", 60, nameof(CacheUse.Validate))]
    public void It_answers_while_it_is_fresh_and_as_long_after_as_it_says_itself(string cacheControl, double age, string use) =>
        Assert.Equal(use, new Exchange(("Cache-Control", cacheControl), ("ETag", "\"1\"")).Use(age).ToString());

    [Fact]
    public void What_is_configured_for_stale_responses_holds_where_they_do_not_say_it_themselves()
    {
        var config = new CacheConfig { StaleWhileRevalidate = TimeSpan.FromSeconds(30) };

        Assert.Equal(CacheUse.StaleWhileRevalidate, new Exchange(("Cache-Control", "max-age=60")).With(config).Use(80));
        Assert.Equal(CacheUse.Validate, new Exchange(("Cache-Control", "max-age=60, stale-while-revalidate=0")).With(config).Use(80));
        Assert.Equal(CacheUse.Validate, new Exchange(("Cache-Control", "max-age=60, must-revalidate")).With(config).Use(80));
    }

    [Theory]
    [InlineData("max-stale", 1000, nameof(CacheUse.StaleAllowed))]
    [InlineData("max-stale=10", 70, nameof(CacheUse.StaleAllowed))]
    [InlineData("max-stale=10", 71, nameof(CacheUse.Validate))]
    [InlineData("max-stale=10", 50, nameof(CacheUse.Fresh))]
    [InlineData("max-stale=x", 61, nameof(CacheUse.Validate))]
    [InlineData("foo", 61, nameof(CacheUse.Validate))]
    public void A_client_may_take_stale_responses_as_they_cost_nobody_anything(string request, double age, string use) =>
        Assert.Equal(use, new Exchange(("Cache-Control", "max-age=60")).Use(age, CacheDirectives.Parse(request)).ToString());

    [Theory]
    [InlineData("max-age=60, must-revalidate")]
    [InlineData("max-age=60, proxy-revalidate")]
    [InlineData("s-maxage=60")]
    [InlineData("max-age=60, no-cache")]
    public void A_client_gets_nothing_stale_that_must_be_validated(string cacheControl) =>
        Assert.Equal(CacheUse.Validate, new Exchange(("Cache-Control", cacheControl), ("ETag", "\"1\"")).Use(70, CacheDirectives.Parse("max-stale")));

    [Fact]
    public void What_was_made_invalid_is_validated_whatever_anybody_says()
    {
        var exchange = new Exchange(("Cache-Control", "max-age=60, stale-while-revalidate=60"));
        var head = exchange.Head() with { IsInvalid = true };

        Assert.Equal(CacheUse.Validate, exchange.Use(head, 0, CacheDirectives.Parse("max-stale")));
        // But it is better than nothing, where the upstream fails.
        Assert.True(CacheUses.MayServeOnError(head, TimeSpan.Zero, CacheDirectives.None, exchange.Config));
    }

    [Theory]
    [InlineData("no-cache", 0)]
    [InlineData("max-age=0", 1)]
    [InlineData("max-age=10", 11)]
    [InlineData("max-age=x", 1)]
    [InlineData("min-fresh=31", 30)]
    public void A_client_can_force_a_refresh_only_where_the_route_allows_it(string request, double age)
    {
        var directives = CacheDirectives.Parse(request);

        Assert.Equal(CacheUse.Fresh, new Exchange(("Cache-Control", "max-age=60")).Use(age, directives));
        Assert.Equal(CacheUse.Validate, new Exchange(("Cache-Control", "max-age=60")).With(new() { AllowClientRefresh = true }).Use(age, directives));
    }

    [Theory]
    [InlineData("max-age=10", 10)]
    [InlineData("min-fresh=30", 30)]
    [InlineData("only-if-cached", 30)]
    public void A_client_that_gets_what_it_asks_for_forces_nothing(string request, double age) =>
        Assert.Equal(CacheUse.Fresh, new Exchange(("Cache-Control", "max-age=60")).With(new() { AllowClientRefresh = true }).Use(age, CacheDirectives.Parse(request)));

    [Theory]
    [InlineData("max-age=2", "", 3, true)]
    [InlineData("max-age=2", "", 86402, true)]
    [InlineData("max-age=2", "", 86403, false)]
    [InlineData("max-age=2, stale-if-error=60", "", 62, true)]
    [InlineData("max-age=2, stale-if-error=60", "", 63, false)]
    [InlineData("max-age=2, stale-if-error=60", "stale-if-error=100", 63, true)]
    [InlineData("max-age=2, stale-if-error=60", "max-stale", 63, true)]
    [InlineData("max-age=2, stale-if-error=0", "", 3, false)]
    [InlineData("max-age=2, must-revalidate", "", 3, false)]
    [InlineData("max-age=2, must-revalidate", "max-stale", 3, false)]
    [InlineData("max-age=2, proxy-revalidate", "", 3, false)]
    [InlineData("max-age=2, s-maxage=2", "", 3, false)]
    [InlineData("max-age=2, no-cache", "", 1, false)]
    [InlineData("max-age=20, must-revalidate", "", 3, true)]
    public void When_the_upstream_fails_a_stale_response_answers_unless_it_must_be_validated(string cacheControl, string request, double age, bool isServed)
    {
        var exchange = new Exchange(("Cache-Control", cacheControl), ("ETag", "\"1\""));

        Assert.Equal(isServed, CacheUses.MayServeOnError(exchange.Head(), TimeSpan.FromSeconds(age), CacheDirectives.Parse(request), exchange.Config));
    }
}
