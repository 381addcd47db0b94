using Microsoft.AspNetCore.Http;
using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>Which of the stored responses a request selects (RFC 9111 §4.1).</summary>
public class VaryTests
{
    [Theory]
    [InlineData("Foo", "Foo: 1", "Foo: 1", true)]
    [InlineData("Foo", "Foo: 1", "Foo: 2", false)]
    [InlineData("Foo", "", "Foo: 1", false)]
    [InlineData("Foo", "Foo: 1", "", false)]
    [InlineData("Foo", "", "Foo: ", false)]
    [InlineData("Foo", "", "", true)]
    [InlineData("Foo", "Foo: 1; Other: 2", "Foo: 1; Other: 3", true)]
    [InlineData("Foo, Bar", "Foo: 1; Bar: abc", "Foo: 1; Bar: abc", true)]
    [InlineData("Foo, Bar", "Foo: 1; Bar: abc", "Foo: 2; Bar: abc", false)]
    [InlineData("Foo, Bar", "Foo: 1", "", false)]
    [InlineData("Foo, Bar, Baz", "Foo: 1; Bar: abc; Baz: 789", "Baz: 789; Bar: abc; Foo: 1", true)]
    [InlineData("Foo, Bar, Baz", "Foo: 1; Bar: abc; Baz: 789", "Foo: 2; Bar: abc; Baz: 789", false)]
    [InlineData("Foo, Bar, Baz", "Foo: 1; Bar: abc4; Baz: 789", "Foo: 1; Bar: abc; Baz: 789", false)]
    [InlineData("Foo, Bar, Baz", "Foo: 1; Baz: 789", "Foo: 1; Baz: 789", true)]
    [InlineData("foo|,FOO , bar", "Foo: 1; Bar: 2", "Foo: 1; Bar: 2", true)]
    [InlineData("foo|,FOO , bar", "Foo: 1; Bar: 2", "Foo: 1; Bar: 3", false)]
    [InlineData("Foo", "Foo: 1, 2", "Foo: 1|2", true)]
    [InlineData("Foo", "Foo: 1,2", "Foo:  1, 2 ", true)]
    [InlineData("Foo", "Foo: 1,2", "Foo: 2,1", false)]
    [InlineData("Foo", "Foo: a", "Foo: A", false)]
    [InlineData("Foo", "Foo: \"a, b\"", "Foo: \"a,b\"", false)]
    [InlineData("Accept-Language", "Accept-Language: en, de", "Accept-Language: eN, De", true)]
    [InlineData("Accept-Language", "Accept-Language: en, de", "Accept-Language:  en ,   de", true)]
    [InlineData("Accept-Language", "Accept-Language: en, de", "Accept-Language: de, en", false)]
    [InlineData("Accept-Language", "Accept-Language: de, en;q=0.5", "Accept-Language: en;q=0.50, de;q=1.0", true)]
    [InlineData("Accept-Language", "Accept-Language: de, en;q=0.5", "Accept-Language: en, de;q=0.5", false)]
    [InlineData("Accept-Language", "Accept-Language: de;q=x", "Accept-Language: de", false)]
    [InlineData("Accept-Encoding", "Accept-Encoding: gzip, br", "Accept-Encoding: br,GZIP", true)]
    [InlineData("Accept-Encoding", "Accept-Encoding: gzip, br", "Accept-Encoding: gzip", false)]
    [InlineData("Accept-Encoding", "Accept-Encoding: deflate", "", true)]
    [InlineData("Accept-Encoding", "", "Accept-Encoding: identity", true)]
    [InlineData("Accept-Encoding", "", "Accept-Encoding: gzip", false)]
    public void A_request_selects_what_was_the_answer_to_its_like(string vary, string stored, string request, bool isSelected)
    {
        var head = Answer(vary, stored).Head();
        var presented = Request(request);

        Assert.Equal(isSelected, CacheSelection.Matches(head.Vary, presented));
        Assert.Equal(isSelected, CacheSelection.Select([new Stored(head)], presented) is not null);
        Assert.Equal(isSelected, CacheSelection.Vary(head.Headers.First(f => f.Key == "Vary").Value, presented).Equals(head.Vary));
    }

    [Fact]
    public void The_names_are_in_lower_case_and_sorted()
    {
        var head = Answer("Foo, bar,ABC", "Foo: 1; Bar: 2").Head();

        Assert.Equal([new("abc", null), new("bar", "2"), new("foo", "1")], (IEnumerable<KeyValuePair<string, string?>>)head.Vary);
        Assert.NotEqual(head.VariantKey, Answer("Foo, bar,ABC", "Foo: 1; Bar: 3").Head().VariantKey);
    }

    [Theory]
    [InlineData("gzip, br", "br,gzip")]
    [InlineData("br, gzip", "br,gzip")]
    [InlineData("gzip,br", "br,gzip")]
    [InlineData("GZIP, br", "br,gzip")]
    [InlineData("gzip|br", "br,gzip")]
    [InlineData("gzip, deflate, br, zstd", "br,gzip,zstd")]
    [InlineData("gzip;q=0.5, br;q=1.0", "br,gzip")]
    [InlineData("gzip;q=0, br", "br")]
    [InlineData("gzip;q=0.000, br;q=0.001", "br")]
    [InlineData("x-gzip", "gzip")]
    [InlineData("*", "br,gzip,zstd")]
    [InlineData("*;q=0.1, br;q=0", "gzip,zstd")]
    [InlineData("gzip, *;q=0", "gzip,identity;q=0")]
    [InlineData("gzip, identity;q=0", "gzip,identity;q=0")]
    [InlineData("identity;q=0, *", "br,gzip,zstd,identity;q=0")]
    [InlineData("identity", "identity")]
    [InlineData("deflate", "identity")]
    [InlineData("", "identity")]
    [InlineData("gzip;q=2, br", "br")]
    [InlineData("gzip;q=x, br", "br")]
    [InlineData("gzip;q=1.0000, br", "br")]
    [InlineData("gzip;x=1, br", "br")]
    [InlineData("gzip br", "identity")]
    public void Codings_that_mean_the_same_are_one_text(string lines, string normalized)
    {
        Assert.Equal(normalized, CacheSelection.NormalizeAcceptEncoding(Split(lines)));
        Assert.Equal(normalized, CacheSelection.NormalizeAcceptEncoding(Split(lines)));
        Assert.Equal(normalized, CacheSelection.NormalizeAcceptEncoding(normalized));
    }

    [Fact]
    public void What_comes_encoded_though_nobody_asked_is_not_for_those_who_refuse_it()
    {
        var exchange = Answer("Accept-Encoding", "");
        exchange.Response.Headers.ContentEncoding = "gzip";
        var head = exchange.Head();

        Assert.True(CacheSelection.Matches(head.Vary, Request("")));
        Assert.False(CacheSelection.Matches(head.Vary, Request("Accept-Encoding: identity")));
    }

    [Theory]
    [InlineData("fr;q=0.5, de;q=1.0", "de", true)]
    [InlineData("fr;q=0.5, DE", "de", true)]
    [InlineData("de, fr", "de", false)]
    [InlineData("fr, de;q=0.5", "de", false)]
    [InlineData("de-AT, fr;q=0.5", "de", false)]
    [InlineData("de;q=x", "de", false)]
    [InlineData("de;q=0", "de", false)]
    [InlineData("de", "de, en", false)]
    [InlineData("de", "de|en", false)]
    [InlineData("de", "", false)]
    public void A_response_in_the_language_that_a_client_likes_best_is_for_it(string acceptLanguage, string contentLanguage, bool isSelected)
    {
        var exchange = Answer("Accept-Language, Foo", "Accept-Language: en, de; Foo: 1");
        exchange.Response.Headers.ContentLanguage = Split(contentLanguage);
        var stored = new Stored(exchange.Head());

        Assert.Equal(isSelected, CacheSelection.Select([stored], Request($"Accept-Language: {acceptLanguage}; Foo: 1".Replace(";q", "@q"))) is not null);
        Assert.Null(CacheSelection.Select([stored], Request($"Accept-Language: {acceptLanguage}; Foo: 2".Replace(";q", "@q"))));
    }

    [Theory]
    [InlineData("en, de", "de, en", true)]
    [InlineData("en, de", "DE,en;q=1", true)]
    [InlineData("en, de, fr;q=0.5, it;q=0.5", "it;q=0.5, de, fr;q=0.5, en", true)]
    [InlineData("en, de", "de, en;q=0.5", false)]
    [InlineData("en, de", "en", false)]
    [InlineData("de;q=x, en", "en, de;q=x", false)]
    public void The_order_of_languages_of_the_same_weight_does_not_count_where_that_is_asked_for(string stored, string request, bool isSelected)
    {
        var head = Answer("Accept-Language", $"Accept-Language: {stored}").With(new() { IgnoreLanguageOrder = true }).Head();

        Assert.Equal(isSelected, CacheSelection.Matches(head.Vary, Request($"Accept-Language: {request}")));
    }

    [Fact]
    public void The_newest_whole_response_is_selected_before_any_part()
    {
        var part = new Stored(new Exchange(("Cache-Control", "max-age=60"), ("ETag", "\"1\""), ("Content-Range", "bytes 0-4/10")).WithStatus(206).Head());
        var newer = new Stored(new Exchange(("Cache-Control", "max-age=60")).Head());
        var older = new Stored(new Exchange(("Cache-Control", "max-age=60")).Head());
        var request = new Exchange().Request;

        Assert.Same(newer, CacheSelection.Select([part, newer, older], request));
        Assert.Same(part, CacheSelection.Select([part], request));
        Assert.Null(CacheSelection.Select([], request));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Accept-Encoding")]
    [InlineData("X-Device")]
    public void Selecting_allocates_nothing(string? vary)
    {
        var exchange = Answer(vary ?? "", "Accept-Encoding: gzip, deflate, br; X-Device: phone");
        if (vary is null)
            exchange.Response.Headers.Remove("Vary");
        var head = exchange.Head();
        CachedResponse[] stored = [new Stored(head)];
        var request = Request("Accept-Encoding: gzip, deflate, br; X-Device: phone");
        Assert.NotNull(CacheSelection.Select(stored, request));

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            CacheSelection.Select(stored, request);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static Exchange Answer(string vary, string request)
    {
        var exchange = new Exchange(("Cache-Control", "max-age=5000"), ("Last-Modified", Date(-3000)), ("Date", Date(0)), ("Vary", Split(vary)));
        Ask(exchange, request);
        return exchange;
    }

    private static HttpRequest Request(string fields)
    {
        var exchange = new Exchange();
        Ask(exchange, fields);
        return exchange.Request;
    }

    // "Name: value; Name: value": "@q" stands for ";q" where fields are separated so.
    private static void Ask(Exchange exchange, string fields)
    {
        foreach (var field in fields.Replace(";q", "@q").Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            var colon = field.IndexOf(':');
            exchange.Request.Headers[field[..colon].Trim()] = Split(field[(colon + 2)..].Replace("@q", ";q"));
        }
    }
}
