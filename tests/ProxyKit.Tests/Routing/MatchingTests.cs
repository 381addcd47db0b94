using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Routing;

/// <summary>Which route takes a request.</summary>
public class MatchingTests
{
    [Theory]
    [InlineData("GET", 200)]
    [InlineData("PURGE", 200)]
    [InlineData("POST", 405)]
    public async Task Methods_are_matched(string method, int expected)
    {
        await using var app = await StartAsync(Route("r", new() { Path = "/{**path}", Methods = ["GET", "PURGE"] }));

        Assert.Equal(expected, (int)(await app.Client.SendAsync(new(new HttpMethod(method), "/"))).StatusCode);
    }

    [Theory]
    [InlineData("http://shop.test/", true)]
    [InlineData("http://SHOP.test/", true)]
    [InlineData("http://shop.test:8080/", true)]
    [InlineData("http://a.wild.test/", true)]
    [InlineData("http://a.b.wild.test/", true)]
    [InlineData("http://wild.test/", false)]
    [InlineData("http://xwild.test/", false)]
    [InlineData("http://port.test:8080/", true)]
    [InlineData("http://port.test:8081/", false)]
    [InlineData("http://port.test/", false)]
    [InlineData("http://other.test/", false)]
    public async Task Hosts_are_matched_with_wildcards_and_ports(string uri, bool matches)
    {
        await using var app = await StartAsync(Route("r", new() { Hosts = ["shop.test", "*.wild.test", "port.test:8080"] }));

        Assert.Equal(matches ? HttpStatusCode.OK : HttpStatusCode.NotFound, (await app.Client.GetAsync(uri)).StatusCode);
    }

    [Theory]
    [InlineData("shop.test:port")]
    [InlineData("shop.test:1:2")]
    [InlineData("http://shop.test")]
    [InlineData("")]
    public async Task A_host_that_is_none_is_an_error_at_start(string host) =>
        Assert.Contains($"Match.Hosts: '{host}' is not a host.", Assert.Single(await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy().AddConfigSource(new InMemoryProxyConfigSource([Route("r", new() { Path = "/", Hosts = [host] })], [new() { ClusterId = "c", Destinations = [new() { Address = "http://a" }] }])),
            app => app.MapReverseProxy())), StringComparison.Ordinal);

    public static TheoryData<HeaderMatchMode, string?, bool, string, string?, bool> HeaderRows => new()
    {
        // mode, wanted (two, by a bar), case-sensitive, name, sent, matches
        { HeaderMatchMode.ExactHeader, "a|b", false, "X-A", "b", true },
        { HeaderMatchMode.ExactHeader, "a|b", false, "X-A", "B", true },
        { HeaderMatchMode.ExactHeader, "a|b", true, "X-A", "B", false },
        { HeaderMatchMode.ExactHeader, "a|b", false, "X-A", "bb", false },
        { HeaderMatchMode.ExactHeader, "a|b", false, "X-A", "x, b", true },
        { HeaderMatchMode.ExactHeader, "a|b", false, "X-A", "x; b", false },
        { HeaderMatchMode.ExactHeader, "a|b", false, "X-A", null, false },
        { HeaderMatchMode.ExactHeader, "a|b", false, "X-A", "\"x, b\"", false },
        { HeaderMatchMode.ExactHeader, "x, b", false, "X-A", "\"x, b\", y", true },
        { HeaderMatchMode.ExactHeader, "x\\\", b", false, "X-A", "\"x\\\", b\"", true },
        { HeaderMatchMode.ExactHeader, "k=1", false, "Cookie", "j=0; k=1", true },
        { HeaderMatchMode.ExactHeader, "k=1", false, "Cookie", "j=0, k=1", false },
        { HeaderMatchMode.HeaderPrefix, "ab", false, "X-A", "ABc", true },
        { HeaderMatchMode.HeaderPrefix, "ab", true, "X-A", "ABc", false },
        { HeaderMatchMode.HeaderPrefix, "ab", false, "X-A", "xab", false },
        { HeaderMatchMode.HeaderPrefix, "k=", false, "Cookie", "j=0; k=1", true },
        { HeaderMatchMode.Contains, "b", false, "X-A", "aBc", true },
        { HeaderMatchMode.Contains, "b", true, "X-A", "aBc", false },
        { HeaderMatchMode.Contains, "b", false, "X-A", null, false },
        { HeaderMatchMode.NotContains, "b", false, "X-A", "aBc", false },
        { HeaderMatchMode.NotContains, "b", true, "X-A", "aBc", true },
        { HeaderMatchMode.NotContains, "b", false, "X-A", null, true },
        { HeaderMatchMode.Contains, "KHTML, like Gecko", false, "User-Agent", "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1", true },
        { HeaderMatchMode.NotContains, "KHTML, like Gecko", false, "User-Agent", "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1", false },
        { HeaderMatchMode.Contains, "a, b", false, "X-A", "x a, b y", true },
        { HeaderMatchMode.NotContains, "a, b", false, "X-A", "x a, b y", false },
        { HeaderMatchMode.ExactHeader, "a, b", false, "X-A", "a, b", true },
        { HeaderMatchMode.ExactHeader, "j=0; k=1", false, "Cookie", "j=0; k=1", true },
        { HeaderMatchMode.HeaderPrefix, "Mozilla", false, "User-Agent", "Evil, Mozilla/5.0", false },
        { HeaderMatchMode.ExactHeader, "Wed, 21 Oct 2015 07:28:00 GMT", false, "If-Modified-Since", "Wed, 21 Oct 2015 07:28:00 GMT", true },
        { HeaderMatchMode.Exists, null, false, "X-A", "anything", true },
        { HeaderMatchMode.Exists, null, false, "X-A", null, false },
        { HeaderMatchMode.NotExists, null, false, "X-A", "anything", false },
        { HeaderMatchMode.NotExists, null, false, "X-A", null, true },
    };

    [Theory]
    [MemberData(nameof(HeaderRows))]
    public async Task Headers_are_matched(HeaderMatchMode mode, string? wanted, bool caseSensitive, string name, string? sent, bool matches)
    {
        await using var app = await StartAsync(Route("r", new()
        {
            Path = "/{**path}",
            Headers = [new() { Name = name, Mode = mode, Values = wanted is null ? [] : wanted.Split('|').ToValueList(), IsCaseSensitive = caseSensitive }],
        }));
        var request = new HttpRequestMessage(HttpMethod.Get, "/");
        if (sent is not null)
            request.Headers.TryAddWithoutValidation(name, sent);

        Assert.Equal(matches ? HttpStatusCode.OK : HttpStatusCode.NotFound, (await app.Client.SendAsync(request)).StatusCode);
    }

    [Theory]
    [InlineData(QueryParameterMatchMode.Exact, "a|b", false, "?q=B", true)]
    [InlineData(QueryParameterMatchMode.Exact, "a|b", true, "?q=B", false)]
    [InlineData(QueryParameterMatchMode.Exact, "a|b", false, "?Q=a", true)]
    [InlineData(QueryParameterMatchMode.Exact, "a|b", false, "?q=x&q=b", true)]
    [InlineData(QueryParameterMatchMode.Exact, "a b", false, "?q=a%20b", true)]
    [InlineData(QueryParameterMatchMode.Exact, "a|b", false, "?r=a", false)]
    [InlineData(QueryParameterMatchMode.Exact, "a|b", false, "", false)]
    [InlineData(QueryParameterMatchMode.Prefix, "ab", false, "?q=ABc", true)]
    [InlineData(QueryParameterMatchMode.Prefix, "ab", false, "?q=xab", false)]
    [InlineData(QueryParameterMatchMode.Contains, "b", false, "?q=aBc", true)]
    [InlineData(QueryParameterMatchMode.Contains, "b", true, "?q=aBc", false)]
    [InlineData(QueryParameterMatchMode.NotContains, "b", false, "?q=abc", false)]
    [InlineData(QueryParameterMatchMode.NotContains, "b", false, "?q=x", true)]
    [InlineData(QueryParameterMatchMode.NotContains, "b", false, "", true)]
    [InlineData(QueryParameterMatchMode.Exists, null, false, "?q=x", true)]
    [InlineData(QueryParameterMatchMode.Exists, null, false, "?q=", false)]
    [InlineData(QueryParameterMatchMode.Exists, null, false, "?r=x", false)]
    public async Task Query_parameters_are_matched(QueryParameterMatchMode mode, string? wanted, bool caseSensitive, string query, bool matches)
    {
        await using var app = await StartAsync(Route("r", new()
        {
            Path = "/{**path}",
            QueryParameters = [new() { Name = "q", Mode = mode, Values = wanted is null ? [] : wanted.Split('|').ToValueList(), IsCaseSensitive = caseSensitive }],
        }));

        Assert.Equal(matches ? HttpStatusCode.OK : HttpStatusCode.NotFound, (await app.Client.GetAsync("/" + query)).StatusCode);
    }

    [Fact]
    public async Task All_conditions_must_hold()
    {
        await using var app = await StartAsync(Route("r", new()
        {
            Path = "/{**path}",
            Headers = [new() { Name = "X-A", Mode = HeaderMatchMode.Exists }, new() { Name = "X-B", Mode = HeaderMatchMode.Exists }],
        }));
        var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Add("X-A", "1");

        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.SendAsync(request)).StatusCode);
    }

    [Theory]
    [InlineData("/a/1", "specific")]
    [InlineData("/b/1", "general")]
    [InlineData("/a/1?q=1", "query")]
    [InlineData("/a/1?q=1&r=1", "two queries")]
    public async Task The_most_specific_route_takes_the_request(string path, string expected)
    {
        await using var app = await StartAsync(
            Route("general", new() { Path = "/{**path}" }),
            Route("specific", new() { Path = "/a/{id}" }),
            Route("query", new() { Path = "/a/{id}", QueryParameters = [new() { Name = "q", Mode = QueryParameterMatchMode.Exists }] }),
            Route("two queries", new() { Path = "/a/{id}", QueryParameters = [new() { Name = "q", Mode = QueryParameterMatchMode.Exists }, new() { Name = "r", Mode = QueryParameterMatchMode.Exists }] }));

        await app.Client.GetAsync(path);

        Assert.Equal(expected, (await app.OutcomeAsync()).Route.RouteId);
    }

    [Theory]
    [InlineData(false, "a")]
    [InlineData(true, "b")]
    public async Task A_lower_order_goes_first(bool bFirst, string expected)
    {
        await using var app = await StartAsync(
            Route("a", new() { Path = "/{**path}" }) with { Order = 1 },
            Route("b", new() { Path = "/{**path}" }) with { Order = bFirst ? 0 : 2 });

        await app.Client.GetAsync("/");

        Assert.Equal(expected, (await app.OutcomeAsync()).Route.RouteId);
    }

    [Fact]
    public async Task Code_routes_match_by_the_same_conditions()
    {
        await using var app = await ProxyApp.StartAsync(new Recorder(), route => route.WithMatch(m =>
        {
            m.Headers.Add(new() { Name = "X-A", Values = ["1"] });
            m.QueryParameters.Add(new() { Name = "q", Values = ["2"] });
        }));
        var request = new HttpRequestMessage(HttpMethod.Get, "/?q=2");
        request.Headers.Add("X-A", "1");

        Assert.Equal(HttpStatusCode.OK, (await app.Client.SendAsync(request)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync("/?q=2")).StatusCode);
    }

    private static RouteConfig Route(string id, RouteMatch match) => new() { RouteId = id, ClusterId = "c", Match = match };

    private static Task<ProxyApp> StartAsync(params RouteConfig[] routes) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy().AddConfigSource(new InMemoryProxyConfigSource(routes, [new() { ClusterId = "c", Destinations = [new() { Address = ProxyApp.Upstream }] }]));
            var destinations = new TestDestinations();
            destinations.Map(ProxyApp.Upstream, _ => new(HttpStatusCode.OK));
            services.AddProxyTestDestinations(destinations);
        },
        app => app.MapReverseProxy());
}
