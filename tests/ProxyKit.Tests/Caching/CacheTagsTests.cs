using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>What stored responses can be purged by: tags, and cache groups (RFC 9875).</summary>
public class CacheTagsTests
{
    [Theory]
    [InlineData("a", "a")]
    [InlineData("a, b", "a b")]
    [InlineData("a b\tc,,d", "a b c d")]
    [InlineData("a|b, a", "a b")]
    [InlineData("A a", "A a")]
    [InlineData(" , ", "")]
    public void Tags_are_separated_by_commas_or_spaces_and_taken_off(string field, string tags)
    {
        var exchange = new Exchange(("Cache-Control", "max-age=60"), ("Cache-Tag", Split(field)));
        var head = exchange.Head();

        Assert.Equal(tags, string.Join(' ', head.Tags));
        Assert.False(exchange.Response.Headers.ContainsKey("Cache-Tag"));
        Assert.Null(Field(head, "Cache-Tag"));
    }

    [Fact]
    public void The_field_is_taken_off_also_where_nothing_is_stored()
    {
        var exchange = new Exchange(("Cache-Control", "no-store"), ("Cache-Tag", "a"));

        Assert.Equal(CacheRefusal.ResponseNoStore, exchange.Refusal());
        Assert.False(exchange.Response.Headers.ContainsKey("Cache-Tag"));
    }

    [Fact]
    public void The_field_may_have_another_name_or_none()
    {
        Exchange Answer() => new(("Cache-Control", "max-age=60"), ("Cache-Tag", "a"), ("xkey", "b"));

        Assert.Equal(["b"], Answer().With(new() { TagField = "xkey" }).Head().Tags);
        Assert.Empty(Answer().With(new() { TagField = "" }).Head().Tags);
    }

    [Fact]
    public void There_is_an_end_to_tags_and_to_their_length()
    {
        var exchange = new Exchange(("Cache-Control", "max-age=60"), ("Cache-Tag", new string('x', 257) + " " + string.Join(' ', Enumerable.Range(0, 1000).Select(i => $"t{i}"))));

        Assert.Equal(Enumerable.Range(0, CacheTags.MaxTags).Select(i => $"t{i}"), exchange.Head().Tags);
    }

    [Theory]
    [InlineData("\"scripts\"", "scripts")]
    [InlineData("\"a\", \"b c\"", "a|b c")]
    [InlineData("\"a\";x=1, \"a\"", "a")]
    [InlineData("\"a\\\"b\"", "a\"b")]
    [InlineData("scripts", "")]
    [InlineData("\"a\", b", "")]
    [InlineData("\"a\", 1", "")]
    [InlineData("\"a\",", "")]
    [InlineData("(\"a\")", "")]
    [InlineData("\"a", "")]
    [InlineData("", "")]
    public void Groups_are_strings_or_the_field_is_ignored(string field, string names)
    {
        var expected = names.Split('|', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal(expected, CacheGroups.Names(field));
        Assert.Equal(expected.Select(n => $"group https://example.com {n}"), new Exchange(("Cache-Control", "max-age=60"), ("Cache-Groups", field)).Head().Tags);
        var invalidating = new Exchange(("Cache-Group-Invalidation", field));
        Assert.Equal(expected.Select(n => $"group https://example.com {n}"), CacheGroups.Invalidated(invalidating.Request, invalidating.Response.Headers));
    }

    [Fact]
    public void A_response_without_the_field_invalidates_no_group() => Assert.Empty(CacheGroups.Invalidated(new Exchange().Request, new HeaderDictionary()));

    [Theory]
    [InlineData("https", "Example.COM", true)]
    [InlineData("HTTPS", "example.com:443", true)]
    [InlineData("https", "example.com:8443", false)]
    [InlineData("http", "example.com", false)]
    [InlineData("https", "example.org", false)]
    public void A_group_is_of_one_origin(string scheme, string host, bool isSame)
    {
        var other = new Exchange().Request;
        (other.Scheme, other.Host) = (scheme, new(host));

        Assert.Equal(isSame, CacheGroups.Tag(new Exchange().Request, "a") == CacheGroups.Tag(other, "a"));
    }

    [Fact]
    public void No_tag_passes_for_a_group() =>
        Assert.DoesNotContain(new Exchange(("Cache-Control", "max-age=60"), ("Cache-Tag", "group https://example.com a")).Head().Tags, t => t.Contains(' '));

    [Fact]
    public void At_least_32_groups_of_32_characters_are_heeded_and_there_is_an_end()
    {
        var names = Enumerable.Range(0, 200).Select(i => $"{i:D32}").ToArray();
        var read = CacheGroups.Names(string.Join(", ", names.Select(n => $"\"{n}\"")));

        Assert.InRange(read.Count, 32, CacheGroups.MaxGroups);
        Assert.Equal(names.Take(read.Count), read);
        Assert.Empty(CacheGroups.Names($"\"{new string('x', CacheGroups.MaxLength + 1)}\""));
        Assert.Empty(CacheGroups.Names(string.Join(", ", Enumerable.Repeat(new StringValues("\"a\""), 100_000))));
    }
}
