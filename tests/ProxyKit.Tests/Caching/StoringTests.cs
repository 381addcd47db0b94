using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>What is stored, and what is not, and why (RFC 9111 §3).</summary>
public class StoringTests
{
    [Theory]
    [InlineData("GET", CacheRefusal.None)]
    [InlineData("get", CacheRefusal.None)]
    [InlineData("HEAD", CacheRefusal.Bypass)]
    [InlineData("POST", CacheRefusal.Bypass)]
    [InlineData("M-SEARCH", CacheRefusal.Bypass)]
    public void Only_the_answer_to_a_GET_is_stored(string method, CacheRefusal refusal)
    {
        var exchange = new Exchange(("Cache-Control", "max-age=60"));
        exchange.Request.Method = method;

        Assert.Equal(refusal, exchange.Refusal());
    }

    [Theory]
    [InlineData(200)]
    [InlineData(203)]
    [InlineData(204)]
    [InlineData(299)]
    [InlineData(300)]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(307)]
    [InlineData(308)]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(405)]
    [InlineData(410)]
    [InlineData(414)]
    [InlineData(451)]
    [InlineData(499)]
    [InlineData(500)]
    [InlineData(501)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    [InlineData(599)]
    public void Any_final_status_that_says_how_long_it_is_fresh_is_stored(int status)
    {
        Assert.True(new Exchange(("Expires", Date(100000)), ("Last-Modified", Date(0)), ("Date", Date(0))).WithStatus(status).IsReused(3));
        Assert.False(new Exchange(("Expires", Date(-5000)), ("Last-Modified", Date(-100000)), ("Date", Date(0))).WithStatus(status).IsReused(0));
    }

    [Theory]
    [InlineData(101)]
    [InlineData(304)]
    public void What_is_not_final_or_about_another_response_is_not_stored(int status) =>
        Assert.Equal(CacheRefusal.Status, new Exchange(("Cache-Control", "max-age=60"), ("ETag", "\"1\"")).WithStatus(status).Refusal());

    [Theory]
    [InlineData(200, true)]
    [InlineData(201, false)]
    [InlineData(202, false)]
    [InlineData(203, true)]
    [InlineData(204, true)]
    [InlineData(300, true)]
    [InlineData(301, true)]
    [InlineData(302, false)]
    [InlineData(308, true)]
    [InlineData(403, false)]
    [InlineData(404, true)]
    [InlineData(405, true)]
    [InlineData(410, true)]
    [InlineData(414, true)]
    [InlineData(500, false)]
    [InlineData(501, true)]
    [InlineData(502, false)]
    [InlineData(503, false)]
    [InlineData(504, false)]
    [InlineData(599, false)]
    public void Without_a_lifetime_it_is_up_to_the_status_and_the_last_change(int status, bool isStored)
    {
        Exchange Answer() => new Exchange(("Last-Modified", Date(-86400)), ("Date", Date(0))).WithStatus(status);

        Assert.Equal(isStored ? CacheRefusal.None : CacheRefusal.Status, Answer().Refusal());
        Assert.Equal(isStored, Answer().IsReused(0));
    }

    [Fact]
    public void Public_makes_any_status_one_whose_lifetime_can_be_guessed() =>
        Assert.True(new Exchange(("Last-Modified", Date(-86400)), ("Date", Date(0)), ("Cache-Control", "public")).WithStatus(599).IsReused(0));

    [Theory]
    [InlineData("no-store")]
    [InlineData("No-StOrE")]
    [InlineData("max-age=10000, no-store")]
    [InlineData("public, no-store")]
    public void No_store_is_not_stored(string field) =>
        Assert.Equal(CacheRefusal.ResponseNoStore, new Exchange(("Cache-Control", field), ("Expires", Date(10000)), ("Date", Date(0)), ("ETag", "\"1\"")).Refusal());

    [Fact]
    public void Private_is_not_stored() => Assert.Equal(CacheRefusal.Private, new Exchange(("Cache-Control", "private, max-age=3600")).Refusal());

    [Theory]
    [InlineData("max-age=3600", CacheRefusal.Authorization)]
    [InlineData("max-age=3600, proxy-revalidate", CacheRefusal.Authorization)]
    [InlineData("max-age=3600, public", CacheRefusal.None)]
    [InlineData("max-age=3600, must-revalidate", CacheRefusal.None)]
    [InlineData("s-maxage=3600", CacheRefusal.None)]
    public void What_was_asked_for_with_credentials_is_stored_only_where_it_says_that_it_may(string field, CacheRefusal refusal) =>
        Assert.Equal(refusal, new Exchange(("Cache-Control", field)).Asked(("Authorization", "FOO")).Refusal());

    [Fact]
    public void A_cookie_is_set_for_one_client()
    {
        Exchange Answer(string cacheControl) => new(("Cache-Control", cacheControl), ("Set-Cookie", "a=b"));

        Assert.Equal(CacheRefusal.SetCookie, Answer("max-age=60").Refusal());
        Assert.Equal("a=b", Field(Answer("max-age=60").With(new() { StoreSetCookie = true }).Head(), "Set-Cookie"));
        Assert.Null(Field(Answer("max-age=60, no-cache=\"set-cookie\"").Head(), "Set-Cookie"));
        Assert.Null(Field(Answer("max-age=60, private=\"Set-Cookie\"").Head(), "Set-Cookie"));
    }

    [Fact]
    public void A_cookie_of_the_request_does_not_matter() => Assert.True(new Exchange(("Cache-Control", "max-age=60")).Asked(("Cookie", "a=b")).IsReused(3));

    [Theory]
    [InlineData("*")]
    [InlineData("*, *")]
    [InlineData("*|*")]
    [InlineData(", *")]
    [InlineData("|*")]
    [InlineData("*, Foo")]
    [InlineData("Foo, *")]
    [InlineData("Foo|*")]
    [InlineData("Foo Bar")]
    [InlineData("\"Foo\"")]
    public void What_varies_by_what_nobody_can_know_is_not_stored(string vary) =>
        Assert.Equal(CacheRefusal.VaryStar, new Exchange(("Cache-Control", "max-age=5000"), ("Last-Modified", Date(-3000)), ("Vary", Split(vary))).Refusal());

    [Fact]
    public void What_varies_by_endless_fields_is_not_stored() =>
        Assert.Equal(CacheRefusal.VaryStar, new Exchange(("Cache-Control", "max-age=60"), ("Vary", string.Join(',', Enumerable.Range(0, 33).Select(i => $"X{i}")))).Refusal());

    [Theory]
    [InlineData(200, "max-age=3600, no-store, must-understand", CacheRefusal.None)]
    [InlineData(404, "max-age=3600, no-store, must-understand", CacheRefusal.None)]
    [InlineData(599, "max-age=3600, no-store, must-understand", CacheRefusal.MustUnderstand)]
    [InlineData(599, "max-age=3600, must-understand", CacheRefusal.MustUnderstand)]
    [InlineData(200, "max-age=3600, no-store, must-understand=0", CacheRefusal.ResponseNoStore)]
    [InlineData(200, "max-age=3600, private, must-understand", CacheRefusal.Private)]
    public void Must_understand_stands_in_the_place_of_no_store_for_who_does(int status, string field, CacheRefusal refusal) =>
        Assert.Equal(refusal, new Exchange(("Cache-Control", field)).WithStatus(status).Refusal());

    [Fact]
    public void What_says_nothing_is_not_stored() => Assert.Equal(CacheRefusal.NoFreshness, new Exchange(("Content-Type", "text/html")).Refusal());

    [Theory]
    [InlineData("max-age=0", CacheRefusal.Stale)]
    [InlineData("max-age=10000, no-cache", CacheRefusal.Stale)]
    [InlineData("no-cache", CacheRefusal.NoFreshness)]
    [InlineData("max-age=0, stale-while-revalidate=60", CacheRefusal.None)]
    [InlineData("max-age=0, stale-if-error=60", CacheRefusal.None)]
    [InlineData("max-age=0, stale-if-error=60, must-revalidate", CacheRefusal.Stale)]
    [InlineData("max-age=0, s-maxage=0, stale-while-revalidate=60", CacheRefusal.Stale)]
    public void What_cannot_be_used_and_not_validated_either_is_not_stored(string field, CacheRefusal refusal) =>
        Assert.Equal(refusal, new Exchange(("Cache-Control", field)).Refusal());

    [Theory]
    [InlineData("ETag", "\"abc\"", null)]
    [InlineData("ETag", "W/\"abc\"", "max-age=0")]
    [InlineData("ETag", "\"abc\"", "no-cache")]
    [InlineData("ETag", "\"abc\"", "max-age=10000, no-cache")]
    [InlineData("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT", "max-age=0")]
    public void What_has_to_be_validated_is_stored_if_it_can_be(string name, string validator, string? cacheControl)
    {
        var exchange = new Exchange((name, validator));
        if (cacheControl is not null)
            exchange.Response.Headers.CacheControl = cacheControl;

        Assert.Equal(CacheUse.Validate, exchange.Use(0));
    }

    [Fact]
    public void A_validator_alone_does_not_make_every_status_one_to_store() =>
        Assert.Equal(CacheRefusal.Status, new Exchange(("ETag", "\"1\"")).WithStatus(201).Refusal());

    [Theory]
    [InlineData("text/event-stream", CacheRefusal.Stream)]
    [InlineData("Text/Event-Stream;charset=utf-8", CacheRefusal.Stream)]
    [InlineData("multipart/x-mixed-replace; boundary=x", CacheRefusal.Stream)]
    [InlineData("text/plain", CacheRefusal.None)]
    public void A_response_without_an_end_is_not_stored(string contentType, CacheRefusal refusal) =>
        Assert.Equal(refusal, new Exchange(("Cache-Control", "max-age=60"), ("Content-Type", contentType)).Refusal());

    [Fact]
    public void What_announces_that_it_is_too_long_is_not_stored() =>
        Assert.Equal(CacheRefusal.TooLarge, new Exchange(("Cache-Control", "max-age=60"), ("Content-Length", "11")).With(new() { MaxEntrySize = 10 }).Refusal());

    [Fact]
    public void A_client_may_ask_not_to_store_where_it_is_allowed_to()
    {
        Exchange Answer(bool isAllowed) => new Exchange(("Cache-Control", "max-age=60")).Asked(("Cache-Control", "no-store")).With(new() { AllowClientRefresh = isAllowed });

        Assert.Equal(CacheRefusal.None, Answer(false).Refusal());
        Assert.Equal(CacheRefusal.RequestNoStore, Answer(true).Refusal());
    }

    // A path that looks like a file, and a page of somebody's: web cache deception.
    [Theory]
    [InlineData("/account.php/x.css")]
    [InlineData("/account;x.css")]
    [InlineData("/account%2fx.css")]
    [InlineData("/account%0ax.css")]
    [InlineData("/account\nx.css")]
    [InlineData("/account?x.css")]
    [InlineData("/account/x.CSS")]
    [InlineData("/account/x.css;v=1")]
    [InlineData("/account/x.css%2f")]
    [InlineData("/account/x.css%252f")]
    [InlineData("/account/x.js")]
    [InlineData("/account/x.jpg")]
    [InlineData("/account/x.woff2")]
    [InlineData("/account/x.pdf")]
    [InlineData("/account/x.zip")]
    [InlineData("/account/.css")]
    public void A_page_under_the_name_of_a_file_is_not_stored(string path)
    {
        Exchange Answer(string type)
        {
            var exchange = new Exchange(("Cache-Control", "max-age=60"), ("Content-Type", type));
            exchange.Request.Path = new PathString(path);
            return exchange;
        }

        Assert.Equal(CacheRefusal.ContentType, Answer("text/html; charset=utf-8").Refusal());
        Assert.Equal(CacheRefusal.ContentType, Answer("application/json").Refusal());
        Assert.Equal(CacheRefusal.None, Answer("application/octet-stream").Refusal());
        Assert.Equal(CacheRefusal.None, Answer("text/html").With(new() { CheckContentType = false }).Refusal());
        Assert.Equal(CacheRefusal.None, Answer("text/html").WithStatus(404).Refusal());
    }

    [Theory]
    [InlineData("/x.css", "text/css")]
    [InlineData("/x.css", "Text/CSS; charset=utf-8")]
    [InlineData("/x.js", "application/javascript")]
    [InlineData("/x.mjs", "text/javascript")]
    [InlineData("/x.jpg", "image/webp")]
    [InlineData("/x.svg", "image/svg+xml")]
    [InlineData("/x.woff2", "font/woff2")]
    [InlineData("/x.woff2", "application/font-woff2")]
    [InlineData("/x.mp4", "video/mp4")]
    [InlineData("/x.ogg", "audio/ogg")]
    [InlineData("/x.zip", "application/x-zip-compressed")]
    [InlineData("/x.html", "text/html")]
    [InlineData("/x.php", "text/html")]
    [InlineData("/x", "text/html")]
    [InlineData("/x.css/", "text/html")]
    [InlineData("/v1.2/x", "text/html")]
    [InlineData("/", "text/html")]
    [InlineData("", "text/html")]
    public void A_file_and_a_page_are_stored(string path, string contentType)
    {
        var exchange = new Exchange(("Cache-Control", "max-age=60"), ("Content-Type", contentType));
        exchange.Request.Path = new PathString(path);

        Assert.Equal(CacheRefusal.None, exchange.Refusal());
    }

    [Fact]
    public void What_has_no_type_is_not_of_another_one()
    {
        var exchange = new Exchange(("Cache-Control", "max-age=60"));
        exchange.Request.Path = "/x.css";

        Assert.Equal(CacheRefusal.None, exchange.Refusal());
    }

    [Fact]
    public void A_part_is_stored_with_where_it_belongs()
    {
        var plan = Part(("Content-Range", "bytes 5-9/20"), ("ETag", "\"1\""), ("Content-Length", "5")).Plan();

        Assert.Equal((206, 5L, 20L, 5L), (plan.Head!.StatusCode, plan.Head.RangeStart, plan.Head.CompleteLength, plan.PartLength));
        Assert.Null(Field(plan.Head, "Content-Range"));
        Assert.NotEqual(new Exchange(("Cache-Control", "max-age=60")).Head().VariantKey, plan.Head.VariantKey);
    }

    [Theory]
    [InlineData("bytes 5-9/20", "W/\"1\"", null, null)]
    [InlineData("bytes 5-9/20", null, null, null)]
    [InlineData("bytes 5-9/20", null, 0, null)]
    [InlineData("bytes 5-9/*", "\"1\"", null, null)]
    [InlineData("bytes */20", "\"1\"", null, null)]
    [InlineData("bytes 9-5/20", "\"1\"", null, null)]
    [InlineData("bytes 5-20/20", "\"1\"", null, null)]
    [InlineData("bytes 5-9/20|bytes 5-9/20", "\"1\"", null, null)]
    [InlineData("bytes 5 - 9/20", "\"1\"", null, null)]
    [InlineData("bytes -5-9/20", "\"1\"", null, null)]
    [InlineData("bytes 99999999999999999999-99999999999999999999/20", "\"1\"", null, null)]
    [InlineData("items 5-9/20", "\"1\"", null, null)]
    [InlineData("", "\"1\"", null, null)]
    [InlineData("bytes 4-9/10", "\"1\"", null, 5L)]
    public void A_part_that_nothing_can_be_done_with_is_not_stored(string range, string? tag, int? modified, long? length)
    {
        var exchange = Part(("Content-Range", Split(range)));
        if (tag is not null)
            exchange.Response.Headers.ETag = tag;
        if (modified is { } seconds)
            exchange.Response.Headers.LastModified = Date(seconds);
        exchange.Response.ContentLength = length;

        Assert.Equal(CacheRefusal.Partial, exchange.Refusal());
    }

    [Fact]
    public void A_part_may_be_recognised_by_the_date_of_its_last_change_where_that_is_long_enough_ago() =>
        Assert.Equal(CacheRefusal.None, Part(("Content-Range", "bytes 0-4/10"), ("Last-Modified", Date(-100))).Refusal());

    [Fact]
    public void Several_parts_at_once_are_not_stored() =>
        Assert.Equal(CacheRefusal.Partial, Part(("Content-Type", "multipart/byteranges; boundary=x"), ("ETag", "\"1\"")).Refusal());

    private static Exchange Part(params (string, StringValues)[] fields) =>
        new Exchange([("Cache-Control", "max-age=60"), ("Date", Date(0)), .. fields]).WithStatus(StatusCodes.Status206PartialContent);
}
