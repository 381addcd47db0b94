using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>Queries that mean the same because the response says so (draft-ietf-httpbis-no-vary-search).</summary>
public class NoVarySearchTests
{
    [Theory]
    [InlineData("key-order", "?a=1&b=2", "?b=2&a=1", true)]
    [InlineData("key-order", "?a=1&a=2", "?a=2&a=1", false)]
    [InlineData("key-order", "?a=1", "?a=2", false)]
    [InlineData("key-order", "?a=1&b=2&c=3", "?c=3&a=1&b=2", true)]
    [InlineData("params", "?a=1&b=2", "", true)]
    [InlineData("params=?1", "?a=1", "?b=1", true)]
    [InlineData("params=(\"a\")", "?a=1&b=2", "?b=2", true)]
    [InlineData("params=(\"a\")", "?a=1&b=2", "?a=3&b=2&a=4", true)]
    [InlineData("params=(\"a\")", "?b=2", "?b=3", false)]
    [InlineData("params=(\"a\")", "?A=1", "?A=2", false)]
    [InlineData("params=(\"a\")", "?b=1&c=1", "?c=1&b=1", false)]
    [InlineData("params=(\"a\"), key-order", "?b=1&a=1&c=1", "?c=1&b=1", true)]
    [InlineData("params, except=(\"id\")", "?id=1&x=2", "?y=3&id=1", true)]
    [InlineData("params, except=(\"id\")", "?id=1", "?id=2", false)]
    [InlineData("except=(\"id\"), params", "?id=1", "?id=1&z", true)]
    [InlineData("params=(\"a b\")", "?a+b=1", "?a%20b=2", true)]
    [InlineData("params=(\"a%20b\")", "?a+b=1", "", true)]
    [InlineData("params=(\"caf%C3%A9\")", "?café=1", "?caf%c3%a9=2", true)]
    [InlineData("params=(\"utm\")", "?x=%41", "?x=A", true)]
    [InlineData("params=(\"utm\")", "?x=a%26b=c", "?x=a&b=c", false)]
    [InlineData("params=(\"utm\")", "?x", "?x=", true)]
    [InlineData("params=(\"utm\")", "?&x=1&&", "?x=1", true)]
    [InlineData("params=(\"utm\")", "?x=%FF", "?x=%FE", false)]
    [InlineData("params=(\"utm\")", "?x=%zz", "?x=%ZZ", false)]
    [InlineData("params=(\"utm\")|key-order", "?b=1&a=1&utm=2", "?a=1&b=1", true)]
    public void Queries_that_mean_the_same_are_one_text(string field, string query, string other, bool areSame)
    {
        var rule = NoVarySearch.Parse(Split(field))!;

        Assert.Equal(areSame, rule.Normalize(query) == rule.Normalize(other));
        Assert.Equal(rule.Normalize(query), rule.Normalize(rule.Normalize(query)));
        Assert.True(rule.Normalize(query) is "" or ['?', ..]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("key-order=?0")]
    [InlineData("params=?0")]
    [InlineData("params=()")]
    [InlineData("key-order=1")]
    [InlineData("params=\"a\"")]
    [InlineData("params=(a)")]
    [InlineData("params=(\"a\" 1)")]
    [InlineData("except=(\"a\")")]
    [InlineData("params=?0, except=(\"a\")")]
    [InlineData("params=(\"b\"), except=(\"a\")")]
    [InlineData("params, except=\"a\"")]
    [InlineData("key-order, unknown")]
    [InlineData("key-order,")]
    [InlineData("Key-Order")]
    public void What_does_not_parse_or_says_nothing_says_that_all_matters(string field) => Assert.Null(NoVarySearch.Parse(field));

    [Fact]
    public void A_query_of_endless_parameters_is_left_as_it_is()
    {
        var query = "?" + string.Join('&', Enumerable.Range(0, 1000).Select(i => $"a{i}"));

        Assert.Equal(query, NoVarySearch.Parse("key-order")!.Normalize(query));
    }
}
