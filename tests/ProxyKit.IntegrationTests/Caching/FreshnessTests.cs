using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.IntegrationTests.Caching;

/// <summary>What the public suite does not ask yet: its own list of missing tests.</summary>
public class FreshnessTests
{
    // cache-tests #179
    [Fact]
    public async Task Only_if_cached_gets_what_is_stored_and_otherwise_a_504()
    {
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync("an answer"));

        using var before = await origin.GetAsync("/", ("Cache-Control", "only-if-cached"));
        Assert.Equal(HttpStatusCode.GatewayTimeout, before.StatusCode);
        Assert.Equal(0, origin.Requests);

        await origin.TextAsync("/");
        Assert.Equal("an answer", await origin.TextAsync("/", ("Cache-Control", "only-if-cached")));
        Assert.Equal(1, origin.Requests);
    }

    // cache-tests #180
    [Theory]
    [InlineData("If-Match", "\"another\"")]
    [InlineData("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")]
    public async Task Conditions_that_are_the_origins_business_do_not_fail_at_the_cache(string field, string value)
    {
        await using var origin = await ValidatedAsync();

        using var response = await origin.GetAsync("/", (field, value));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode); // the origin does not heed them
        Assert.Equal("an answer", await response.Content.ReadAsStringAsync());
    }

    // cache-tests #180
    [Theory]
    [InlineData("If-None-Match", "*", HttpStatusCode.NotModified)]
    [InlineData("If-None-Match", "\"v1\"", HttpStatusCode.NotModified)]
    [InlineData("If-None-Match", "W/\"v1\"", HttpStatusCode.NotModified)]
    [InlineData("If-None-Match", "\"v0\", \"v1\"", HttpStatusCode.NotModified)]
    [InlineData("If-None-Match", "\"v0\"", HttpStatusCode.OK)]
    public async Task Conditions_are_answered_by_what_is_stored(string field, string value, HttpStatusCode status)
    {
        await using var origin = await ValidatedAsync();

        using var response = await origin.GetAsync("/", (field, value));

        Assert.Equal(status, response.StatusCode);
        Assert.Equal(1, origin.Requests);
    }

    // cache-tests #182
    [Theory]
    [InlineData("max-age=60, private=\"X-User\"")]
    [InlineData("max-age=60, private=\"x-user, x-other\"")]
    public async Task A_field_that_is_private_is_for_the_first_alone(string cacheControl)
    {
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.Headers["X-User"] = context.Request.Headers["User"];
            return context.AnswerAsync("an answer", cacheControl);
        });

        using var first = await origin.GetAsync("/", ("User", "alice"));
        using var second = await origin.GetAsync("/", ("User", "mallory"));

        Assert.Equal("alice", Assert.Single(first.Headers.GetValues("X-User")));
        Assert.False(second.Headers.TryGetValues("X-User", out var user) && user.Contains("alice"));
    }

    // cache-tests #183
    [Theory]
    [InlineData("max-stale", true)]
    [InlineData("max-stale=60", true)]
    [InlineData("max-stale=5", false)]
    [InlineData("no-transform", false)]
    public async Task Max_stale_takes_what_is_stale_within_its_limit(string request, bool isHit)
    {
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync("an answer", "max-age=10"));
        await origin.TextAsync("/");
        origin.Time.Advance(TimeSpan.FromSeconds(20));

        await origin.TextAsync("/", ("Cache-Control", request));

        Assert.Equal(isHit ? 1 : 2, origin.Requests);
    }

    [Theory]
    [InlineData("max-age=10, must-revalidate")]
    [InlineData("max-age=10, proxy-revalidate")]
    [InlineData("s-maxage=10")]
    public async Task Max_stale_does_not_get_what_must_be_validated(string cacheControl)
    {
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync("an answer", cacheControl));
        await origin.TextAsync("/");
        origin.Time.Advance(TimeSpan.FromSeconds(20));

        await origin.TextAsync("/", ("Cache-Control", "max-stale"));

        Assert.Equal(2, origin.Requests);
    }

    // cache-tests #190
    [Theory]
    [InlineData(200, true)]
    [InlineData(203, true)]
    [InlineData(300, true)]
    [InlineData(301, true)]
    [InlineData(308, true)]
    [InlineData(404, true)]
    [InlineData(410, true)]
    [InlineData(302, false)]
    [InlineData(403, false)]
    [InlineData(500, false)]
    public async Task A_tenth_of_the_time_since_the_last_change_is_fresh_for_the_statuses_that_allow_it(int status, bool isHit)
    {
        DateTimeOffset modified = default;
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.LastModified = modified.ToString("R", CultureInfo.InvariantCulture);
            return context.Response.WriteAsync("an answer");
        });
        modified = origin.Time.GetUtcNow().AddMinutes(-100);

        await origin.TextAsync("/");
        origin.Time.Advance(TimeSpan.FromMinutes(9));
        await origin.TextAsync("/");
        Assert.Equal(isHit ? 1 : 2, origin.Requests);

        origin.Time.Advance(TimeSpan.FromMinutes(100));
        await origin.TextAsync("/");
        Assert.Equal(isHit ? 2 : 3, origin.Requests);
    }

    // cache-tests #191
    [Theory]
    [InlineData(300)]
    [InlineData(302)]
    [InlineData(307)]
    [InlineData(400)]
    [InlineData(403)]
    [InlineData(405)]
    [InlineData(414)]
    [InlineData(451)]
    [InlineData(500)]
    [InlineData(501)]
    public async Task Any_status_is_stored_that_says_for_how_long(int status)
    {
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.StatusCode = status;
            return context.AnswerAsync("an answer");
        });

        await origin.TextAsync("/");
        using var second = await origin.GetAsync("/");

        Assert.Equal(status, (int)second.StatusCode);
        Assert.Equal("an answer", await second.Content.ReadAsStringAsync());
        Assert.Equal(1, origin.Requests);
    }

    // cache-tests #194
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task CDN_Cache_Control_counts_where_the_route_believes_it(bool isBelieved)
    {
        await using var origin = await CachedOrigin.StartAsync(
            context =>
            {
                context.Response.Headers["CDN-Cache-Control"] = "max-age=60";
                return context.AnswerAsync("an answer", "no-store");
            },
            c =>
            {
                if (!isBelieved)
                    c.TargetedFields.Clear();
            });

        await origin.TextAsync("/");
        await origin.TextAsync("/");

        Assert.Equal(isBelieved ? 1 : 2, origin.Requests);
    }

    [Theory]
    [InlineData("no-cache")]
    [InlineData("max-age=0")]
    [InlineData("no-store")]
    public async Task Clients_can_send_the_origin_load_only_where_the_route_lets_them(string request)
    {
        foreach (var mayRefresh in (bool[])[false, true])
        {
            await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync("an answer"), c => c.AllowClientRefresh = mayRefresh);
            await origin.TextAsync("/");
            origin.Time.Advance(TimeSpan.FromSeconds(5));

            await origin.TextAsync("/", ("Cache-Control", request));

            // no-store asks that nothing be stored of its answer, not that nothing stored answers it (RFC 9111 §5.2.1.5).
            Assert.Equal(mayRefresh && request != "no-store" ? 2 : 1, origin.Requests);
        }
    }

    private static async Task<CachedOrigin> ValidatedAsync()
    {
        var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.Headers.ETag = "\"v1\"";
            return context.AnswerAsync("an answer");
        });
        await origin.TextAsync("/");
        return origin;
    }
}
