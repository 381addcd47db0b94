using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>Our own conditional requests, and what the answers make of what is stored (RFC 9111 §3.2, §4.3).</summary>
public class ValidationTests
{
    [Theory]
    [InlineData("\"abcdef\"")]
    [InlineData("W/\"abcdef\"")]
    [InlineData("abcdef")]
    public void A_request_carries_the_validators_as_they_came(string tag)
    {
        var request = Conditional();

        Assert.True(CacheValidation.AddConditions(request.Headers, new Exchange(("Cache-Control", "max-age=1"), ("ETag", tag), ("Last-Modified", Date(-100))).Head()));

        Assert.Equal((tag, Date(-100)), (request.Headers.IfNoneMatch.ToString(), request.Headers.IfModifiedSince.ToString()));
        Assert.Equal((0, 0, 0), (request.Headers.IfMatch.Count, request.Headers.IfUnmodifiedSince.Count, request.Headers.IfRange.Count));
    }

    [Fact]
    public void Without_validators_it_carries_no_conditions()
    {
        var request = Conditional();

        Assert.False(CacheValidation.AddConditions(request.Headers, new Exchange(("Cache-Control", "max-age=1")).Head()));

        Assert.Equal(["X-Other"], request.Headers.Keys);
    }

    [Theory]
    [InlineData("Test-Header", "A", "B")]
    [InlineData("X-Test-Header", "A", "B")]
    [InlineData("Content-Foo", "A", "B")]
    [InlineData("X-Content-Foo", "A", "B")]
    [InlineData("Cache-Control", "max-age=1", "max-age=3600")]
    [InlineData("Content-Location", "/foo", "/bar")]
    [InlineData("Content-Security-Policy", "default-src 'self'", "default-src 'self' cdn.example.com")]
    [InlineData("Content-Type", "text/plain", "text/plain;charset=utf-8")]
    [InlineData("Clear-Site-Data", "cache", "cookies")]
    [InlineData("Expires", "Fri, 01 Jan 2038 01:01:01 GMT", "Mon, 11 Jan 2038 11:11:11 GMT")]
    [InlineData("Public-Key-Pins", "A", "B")]
    [InlineData("Set-Cookie", "a=b", "a=c")]
    [InlineData("X-Frame-Options", "deny", "sameorigin")]
    [InlineData("X-XSS-Protection", "1", "1; mode=block")]
    [InlineData("Date", "Mon, 01 Jun 2026 11:59:50 GMT", "Mon, 01 Jun 2026 12:00:00 GMT")]
    [InlineData("Link", "a|b", "c")]
    public void A_304_brings_fields_up_to_date(string name, string old, string updated)
    {
        var head = Updated([(name, Split(old))], [(name, Split(updated))]);

        Assert.Equal(updated, Field(head!, name));
        Assert.False(head!.IsInvalid);
        Assert.Single(head.Headers, f => f.Key == name);
    }

    [Theory]
    [InlineData("Content-Encoding", "x-a", "x-b")]
    [InlineData("Content-MD5", "rL0Y20zC+Fzt72VPzMSk2A==", "N7UdGUp1E+RbVvZSTy1R8g==")]
    [InlineData("Content-Range", "a", "b")]
    [InlineData("ETag", "\"1\"", "W/\"1\"")]
    public void A_304_does_not_change_what_belongs_to_the_stored_body(string name, string old, string updated) =>
        Assert.Equal(old, Field(Updated([(name, old)], [(name, updated)])!, name));

    [Theory]
    [InlineData("Content-Length")]
    [InlineData("Connection")]
    [InlineData("Transfer-Encoding")]
    [InlineData("Content-Encoding")]
    [InlineData("Content-Range")]
    public void A_304_adds_nothing_that_is_about_a_body_or_a_hop(string name) => Assert.Null(Field(Updated([], [(name, "1")])!, name));

    [Fact]
    public void A_304_that_leaves_fields_out_leaves_them_as_they_are()
    {
        var head = Updated([("Test-Header", "A"), ("Cache-Control", "max-age=2")], [])!;

        Assert.Equal(("A", "max-age=2", Date(0)), (Field(head, "Test-Header"), Field(head, "Cache-Control"), Field(head, "Date")));
        Assert.Equal(TimeSpan.FromSeconds(2), head.Freshness.Lifetime);
    }

    [Fact]
    public void A_304_makes_the_response_as_fresh_as_the_merged_fields_say()
    {
        var exchange = NotModified(("Cache-Control", "max-age=100, stale-while-revalidate=5"), ("Age", "7"));
        exchange.ResponseTime = Now.AddSeconds(500);
        var head = Update(Stored(("Cache-Control", "max-age=60"), ("Age", "50")), exchange)!;

        Assert.Equal(TimeSpan.FromSeconds(100), head.Freshness.Lifetime);
        Assert.Equal(TimeSpan.FromSeconds(507), head.Freshness.InitialAge); // its request had been made 500 seconds before
        Assert.Equal(TimeSpan.FromSeconds(5), head.Freshness.StaleWhileRevalidate);
        Assert.Equal((exchange.RequestTime, exchange.ResponseTime), (head.RequestTime, head.ResponseTime));
    }

    [Fact]
    public void A_304_makes_valid_what_was_made_invalid() => Assert.False(Update(Stored() with { IsInvalid = true }, NotModified())!.IsInvalid);

    [Theory]
    [InlineData("\"1\"", "\"1\"", true)]
    [InlineData("\"1\"", "\"2\"", true)] // asked for this tag alone, the upstream can only mean it
    [InlineData("\"1\"", "W/\"2\"", true)]
    [InlineData("W/\"1\"", "W/\"1\"", true)]
    [InlineData("W/\"1\"", "\"1\"", true)]
    [InlineData("\"1\"", "W/\"1\"", true)]
    [InlineData("\"1\"", null, true)]
    [InlineData(null, "\"1\"", true)]
    public void A_304_is_about_the_response_that_was_asked_about_whatever_it_calls_itself(string? stored, string? answered, bool belongs)
    {
        var exchange = NotModified(answered is null ? [] : [("ETag", answered)]);

        Assert.Equal(belongs, Update(new Exchange(("Cache-Control", "max-age=1"), ("ETag", stored ?? ""), ("Last-Modified", Date(-5))).Head(), exchange) is not null);
    }

    [Theory]
    [InlineData("Last-Modified", -100, true)]
    [InlineData("Last-Modified", -50, false)]
    [InlineData("X-Other", -50, true)]
    public void The_answer_to_a_HEAD_with_another_date_belongs_to_another_response(string name, int date, bool belongs)
    {
        var stored = new Exchange(("Cache-Control", "max-age=1"), ("Last-Modified", Date(-100))).Head();
        var exchange = new Exchange((name, Date(date)), ("Cache-Control", "max-age=1000"));
        exchange.Request.Method = "HEAD";
        var head = Update(stored, exchange);

        Assert.Equal(belongs ? TimeSpan.FromSeconds(1000) : null, head?.Freshness.Lifetime);
    }

    [Theory]
    [InlineData("no-store", CacheRefusal.ResponseNoStore)]
    [InlineData("private, max-age=60", CacheRefusal.Private)]
    public void A_304_that_forbids_to_store_answers_once(string cacheControl, CacheRefusal refusal)
    {
        var updated = Revalidate(Stored(("Cache-Control", "max-age=60")), NotModified(("Cache-Control", cacheControl)))!.Value;

        Assert.Equal((refusal, false), (updated.Refusal, updated.LeavesStored));
        Assert.Equal(cacheControl, Field(updated.Head, "Cache-Control"));
    }

    [Fact]
    public void A_304_to_a_request_with_credentials_answers_once_and_leaves_what_is_stored()
    {
        var updated = Revalidate(Stored(("Cache-Control", "max-age=60")), NotModified(("X-User", "a")).Asked(("Authorization", "Basic x")))!.Value;

        Assert.Equal((CacheRefusal.Authorization, true), (updated.Refusal, updated.LeavesStored));
        Assert.Equal("a", Field(updated.Head, "X-User"));
        Assert.Equal(CacheRefusal.None, Revalidate(Stored(("Cache-Control", "s-maxage=60")), NotModified().Asked(("Authorization", "Basic x")))!.Value.Refusal);
    }

    [Fact]
    public void A_304_that_forbids_to_store_a_field_takes_the_stored_one_away_too() =>
        Assert.Null(Field(Updated([("A", "1")], [("Cache-Control", "max-age=60, private=\"a\"")])!, "A"));

    [Fact]
    public void A_304_may_have_its_own_tags_surrogate_control_and_accel_expires()
    {
        var config = new CacheConfig { SurrogateControl = true };
        var stored = Stored(("Cache-Tag", "a b")) with { Vary = [] };
        var exchange = NotModified(("Cache-Tag", "c"), ("Surrogate-Control", "max-age=9")).With(config);

        var head = Update(stored, exchange)!;

        Assert.Equal(["c"], head.Tags);
        Assert.Equal(TimeSpan.FromSeconds(9), head.Freshness.Lifetime);
        Assert.False(exchange.Response.Headers.ContainsKey("Cache-Tag") || exchange.Response.Headers.ContainsKey("Surrogate-Control"));
        Assert.Equal(["a", "b"], Update(stored, NotModified())!.Tags);
        var accelerated = NotModified();
        accelerated.AccelExpires = "8";
        Assert.Equal(TimeSpan.FromSeconds(8), Update(stored, accelerated)!.Freshness.Lifetime);
    }

    [Fact]
    public void The_selecting_values_stay_until_a_304_varies_by_something_else()
    {
        var exchange = new Exchange(("Cache-Control", "max-age=60"), ("ETag", "\"1\""), ("Vary", "Foo")).Asked(("Foo", "1"), ("Bar", "2"));
        var stored = exchange.Head();

        Assert.Equal(stored.Vary, Update(stored, NotModified(("Vary", "Foo")).Asked(("Foo", "9")))!.Vary);
        Assert.Equal([new("bar", "2")], (IEnumerable<KeyValuePair<string, string?>>)Update(stored, NotModified(("Vary", "Bar")).Asked(("Bar", "2")))!.Vary);
        Assert.Equal(CacheRefusal.VaryStar, Revalidate(stored, NotModified(("Vary", "*")))!.Value.Refusal);
    }

    [Fact]
    public void A_part_stays_a_part()
    {
        var stored = new Exchange(("Cache-Control", "max-age=60"), ("ETag", "\"1\""), ("Content-Range", "bytes 0-4/10")).WithStatus(206).Head();

        var head = Update(stored, NotModified(("Cache-Control", "max-age=120"), ("ETag", "\"1\"")))!;

        Assert.Equal((206, 0L, 10L, 120.0), (head.StatusCode, head.RangeStart, head.CompleteLength, head.Freshness.Lifetime.TotalSeconds));
    }

    private static HttpRequest Conditional() => new Exchange().Asked(
        ("If-None-Match", "\"9\""), ("If-Modified-Since", Date(0)), ("If-Match", "\"9\""), ("If-Unmodified-Since", Date(0)), ("If-Range", "\"9\""), ("X-Other", "1")).Request is var request && request.Headers.Remove("Host")
        ? request
        : throw new InvalidOperationException();

    private static CachedResponseHead Stored(params (string, StringValues)[] fields) => new Exchange([("ETag", "\"1\""), .. fields]).With(new() { StoreSetCookie = true }).Head();

    private static Exchange NotModified(params (string, StringValues)[] fields) => new Exchange(fields).WithStatus(304).With(new() { StoreSetCookie = true });

    private static CachedResponseHead? Updated((string, StringValues)[] stored, (string, StringValues)[] notModified) => Update(Stored(stored), NotModified(notModified));

    private static CachedResponseHead? Update(CachedResponseHead stored, Exchange exchange) => Revalidate(stored, exchange)?.Head;

    private static UpdatedHead? Revalidate(CachedResponseHead stored, Exchange exchange) =>
        CacheValidation.Update(stored, exchange.Request, exchange.Response, exchange.AccelExpires, exchange.RequestTime, exchange.ResponseTime, new ResponsePolicy(exchange.Config));
}
