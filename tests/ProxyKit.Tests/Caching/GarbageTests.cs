using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Caching;

namespace ProxyKit.Tests.Caching;

/// <summary>Fields come from strangers: nothing in them is an exception.</summary>
public class GarbageTests
{
    private static readonly string[] s_responseFields =
    [
        "Cache-Control", "CDN-Cache-Control", "Surrogate-Control", "Expires", "Date", "Age", "Last-Modified", "ETag", "Vary", "Content-Range", "Content-Encoding", "Content-Type", "Connection",
        "Cache-Tag", "Cache-Groups", "Cache-Group-Invalidation", "No-Vary-Search", "Content-Language", "Pragma",
    ];

    private static readonly string[] s_requestFields =
    [
        "Cache-Control", "Pragma", "Range", "If-Range", "If-None-Match", "If-Match", "If-Modified-Since", "If-Unmodified-Since", "Accept-Encoding", "Accept-Language", "Foo",
    ];

    private static readonly string[] s_words =
    [
        "max-age=", "s-maxage=", "no-cache", "no-store", "private", "public", "must-understand", "stale-while-revalidate=", "=", "\"", "\\", "\\\"", ",", ", ", ";", ";q=", "0", "1", "60", "-", "--", "9999999999999999999999",
        "bytes=", "bytes ", "/", "*", "(", ")", "?1", "?0", ":", "@", "W/", "W/\"a\"", "\"a\"", "gzip", "br", "identity", "de", "en-GB", "Foo", "Accept-Encoding", "Accept-Language", "Thu, 18 Aug 2050 02:01:18 GMT",
        "Thu Aug  8 02:01:18 2050", "Thursday, 18-Aug-50 02:01:18 GMT", "params", "key-order", "except=(", "\0", "\t", " ", "ü", "٣", "\ud800", "\r\n", "%", "%4", "%41", "+", "&", "a=b",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void No_field_makes_anything_throw(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 3000; i++)
        {
            var config = new CacheConfig { SurrogateControl = true, StoreSetCookie = true, AllowClientRefresh = random.Next(2) == 0, DefaultTimeToLive = random.Next(2) == 0 ? TimeSpan.FromSeconds(5) : null };
            var exchange = new Exchange().WithStatus(random.Next(4) == 0 ? 206 : random.Next(100, 600)).With(config);
            Fill(exchange.Response.Headers, s_responseFields, random);
            Fill(exchange.Request.Headers, s_requestFields, random);
            exchange.Request.Path = new PathString("/" + Text(random));
            exchange.AccelExpires = random.Next(3) == 0 ? Text(random) : null;
            NoVarySearch.Parse(exchange.Response.Headers["No-Vary-Search"])?.Normalize("?" + Text(random));
            CacheGroups.Invalidated(exchange.Request, exchange.Response.Headers);
            CacheSelection.NormalizeAcceptEncoding(exchange.Request.Headers.AcceptEncoding);
            var directives = CacheUses.RequestDirectives(exchange.Request);
            var plan = exchange.Plan();
            Assert.Equal(plan.Head is null, plan.Refusal != CacheRefusal.None);
            var head = plan.Head ?? Stored(random);
            AssertSane(head);
            Ask(exchange, head, directives, random);
            exchange.WithStatus(304);
            if (CacheValidation.Update(head, exchange.Request, exchange.Response, exchange.AccelExpires, exchange.RequestTime, exchange.ResponseTime, new ResponsePolicy(config)) is { Head: var updated })
            {
                AssertSane(updated);
                Ask(exchange, updated, directives, random);
            }
        }
    }

    [Fact]
    public void Fields_as_long_as_a_header_section_may_be_make_nothing_throw()
    {
        foreach (var word in s_words)
        {
            var text = string.Concat(Enumerable.Repeat(word, 30_000 / word.Length));
            var exchange = new Exchange();
            foreach (var name in s_responseFields)
                exchange.Response.Headers[name] = text;
            foreach (var name in s_requestFields)
                exchange.Request.Headers[name] = text;
            exchange.Response.Headers.Vary = "Foo, Accept-Language, Accept-Encoding";
            var head = exchange.Plan().Head ?? Stored(new(1));
            Ask(exchange, head, CacheUses.RequestDirectives(exchange.Request), new(1));
            NoVarySearch.Parse("key-order")!.Normalize(text);
        }
    }

    private static void Ask(Exchange exchange, CachedResponseHead head, CacheDirectives directives, Random random)
    {
        CacheSelection.Select([new Stored(head, 10)], exchange.Request);
        var age = CacheUses.Age(head, exchange.ResponseTime.AddSeconds(random.Next(-10, 100)));
        CacheUses.Decide(head, age, directives, exchange.Config);
        CacheUses.MayServeOnError(head, age, directives, exchange.Config);
        Assert.True(CacheValidation.Evaluate(exchange.Request, head) is null or 304);
        var ranges = RangeRequest.Of(exchange.Request, head, 10);
        Assert.All(ranges.Ranges, r => Assert.True(r.Offset >= 0 && r.Count > 0 && r.Offset + r.Count <= 10));
        if (RangeRequest.OfPart(exchange.Request, head, 5) is { } part)
            Assert.True(part.Offset >= 0 && part.Count > 0 && part.Offset + part.Count <= 5);
        CacheValidation.AddConditions(new HeaderDictionary(), head);
    }

    private static void AssertSane(CachedResponseHead head)
    {
        Assert.True(head.Freshness.Lifetime >= TimeSpan.Zero && head.Freshness.InitialAge >= TimeSpan.Zero);
        Assert.True(head.Vary.Count <= CacheSelection.MaxVaryFields);
        Assert.True(head.Tags.Count <= CacheTags.MaxTags + CacheGroups.MaxGroups);
        Assert.DoesNotContain(head.Headers, f => f.Key is "Connection" or "Cache-Tag" or "Age");
        Assert.NotEmpty(StoredHeaders.Get(head, "Date").ToString());
    }

    private static CachedResponseHead Stored(Random random) => random.Next(2) == 0
        ? new Exchange(("Cache-Control", "max-age=60"), ("ETag", "\"a\""), ("Vary", "Foo, Accept-Encoding, Accept-Language"), ("Content-Language", "de")).Head()
        : new Exchange(("Cache-Control", "max-age=60"), ("ETag", "\"a\""), ("Content-Range", "bytes 2-6/10")).WithStatus(206).Head();

    private static void Fill(IHeaderDictionary headers, string[] names, Random random)
    {
        foreach (var name in names)
        {
            if (random.Next(3) == 0)
                headers[name] = random.Next(5) == 0 ? new StringValues([Text(random), Text(random)]) : Text(random);
        }
    }

    private static string Text(Random random)
    {
        var text = "";
        for (var i = random.Next(8); i > 0; i--)
            text += random.Next(6) == 0 ? ((char)random.Next(0x200)).ToString() : s_words[random.Next(s_words.Length)];
        return text;
    }
}
