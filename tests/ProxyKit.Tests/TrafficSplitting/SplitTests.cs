using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;
using ProxyKit.TrafficSplitting;

namespace ProxyKit.Tests.TrafficSplitting;

/// <summary>A route's requests go to several clusters: by condition, by visitor, by share.</summary>
public class SplitTests
{
    private readonly TestDestinations _destinations = new();
    private readonly Dictionary<string, TestDestination> _upstreams = [];
    private readonly InMemoryProxyConfigSource _source = new([], []);

    public SplitTests()
    {
        foreach (var name in new[] { "main", "canary", "beta", "third" })
            _upstreams[name] = _destinations.Map($"http://{name}.test", _ => new(HttpStatusCode.OK) { Content = new StringContent(name) });
    }

    [Fact]
    public async Task Each_cluster_gets_its_share_and_the_route_s_own_what_is_left()
    {
        await using var app = await StartAsync(Shares(("canary", 20), ("beta", 30)));

        var counts = await CountAsync(Enumerable.Range(0, 6000).Select(_ => app.Client.GetStringAsync("/")));

        // Chi-square with two degrees of freedom: above 27.6 once in a million runs.
        var expected = new Dictionary<string, double> { ["canary"] = 1200, ["beta"] = 1800, ["main"] = 3000 };
        Assert.InRange(expected.Sum(e => Math.Pow(counts[e.Key] - e.Value, 2) / e.Value), 0, 27.6);
    }

    [Fact]
    public async Task Without_stickiness_no_cookie_is_set()
    {
        await using var app = await StartAsync(Shares(("canary", 50)));

        Assert.False((await app.Client.GetAsync("/")).Headers.Contains("Set-Cookie"));
    }

    [Theory]
    [InlineData("always", "canary")]
    [InlineData("ALWAYS", "canary")]
    [InlineData("yes", "canary")]
    [InlineData("maybe", "main")]
    [InlineData(null, "main")]
    public async Task A_header_brings_a_request_to_the_canary_whatever_the_shares(string? value, string expected)
    {
        await using var app = await StartAsync(new() { Clusters = [new() { ClusterId = "canary", Headers = [new() { Name = "X-Canary", Values = ["always", "yes"] }] }] });

        Assert.Equal(expected, await GetAsync(app, header: ("X-Canary", value)));
    }

    [Theory]
    [InlineData("canary=always", "canary")]
    [InlineData("a=b; canary=yes", "canary")]
    [InlineData("canary=Always", "main")]
    [InlineData("tester=x", "beta")]
    [InlineData("a=b", "main")]
    public async Task So_does_a_cookie(string cookie, string expected)
    {
        await using var app = await StartAsync(new()
        {
            Clusters =
            [
                new() { ClusterId = "canary", Cookies = [new() { Name = "canary", Values = ["always", "yes"] }] },
                new() { ClusterId = "beta", Cookies = [new() { Name = "tester" }] },
            ],
        });

        Assert.Equal(expected, await GetAsync(app, header: ("Cookie", cookie)));
    }

    [Fact]
    public async Task The_first_cluster_whose_condition_holds_takes_the_request_and_one_may_be_the_route_s_own()
    {
        await using var app = await StartAsync(new()
        {
            Clusters =
            [
                new() { ClusterId = "main", Headers = [new() { Name = "X-Canary", Values = ["never"] }] },
                new() { ClusterId = "canary", Percentage = 100, Headers = [new() { Name = "X-Canary", Mode = HeaderMatchMode.Exists }] },
            ],
        });

        Assert.Equal("main", await GetAsync(app, header: ("X-Canary", "never")));
        Assert.Equal("canary", await GetAsync(app, header: ("X-Canary", "x")));
        Assert.Equal("canary", await GetAsync(app));
    }

    [Fact]
    public async Task A_condition_goes_before_what_a_visitor_s_cookie_says_and_assigns_nobody()
    {
        await using var app = await StartAsync(new()
        {
            Clusters = [new() { ClusterId = "canary", Percentage = 5, Headers = [new() { Name = "X-Canary", Values = ["always"] }] }],
            Sticky = new(),
        });
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Add("X-Canary", "always");

        var response = await app.Client.SendAsync(request);

        Assert.Equal("canary", await response.Content.ReadAsStringAsync());
        Assert.False(response.Headers.Contains("Set-Cookie"));
        using var assigned = new HttpRequestMessage(HttpMethod.Get, "/");
        assigned.Headers.Add("X-Canary", "always");
        assigned.Headers.Add("Cookie", ".split=9999");
        Assert.Equal("canary", await (await app.Client.SendAsync(assigned)).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_visitor_stays_by_a_cookie_that_holds_a_number_and_no_name()
    {
        await using var app = await StartAsync(Sticky(50));
        var seen = new HashSet<string>();
        for (var visitor = 0; visitor < 50; visitor++)
        {
            var first = await app.Client.GetAsync("/");
            var cluster = await first.Content.ReadAsStringAsync();
            var cookie = Assert.Single(first.Headers.GetValues("Set-Cookie"));
            Assert.Matches(@"^\.split=\d{4}; path=/; samesite=lax; httponly$", cookie);
            seen.Add(cluster);

            for (var i = 0; i < 5; i++)
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, "/");
                request.Headers.Add("Cookie", cookie.Split(';')[0]);
                var again = await app.Client.SendAsync(request);
                Assert.Equal(cluster, await again.Content.ReadAsStringAsync());
                Assert.False(again.Headers.Contains("Set-Cookie"));
            }
        }
        Assert.Equal(2, seen.Count);
    }

    [Fact]
    public async Task The_cookie_is_secure_over_https_and_lives_where_and_as_long_as_configured()
    {
        await using var app = await StartAsync(new()
        {
            Clusters = [new() { ClusterId = "canary", Percentage = 50 }],
            Sticky = new() { Name = "variant", MaxAge = TimeSpan.FromDays(7), Domain = "example.com" },
        });

        var response = await app.Client.GetAsync("https://www.example.com/");

        Assert.Matches(@"^variant=\d{4}; max-age=604800; domain=example\.com; path=/; secure; samesite=lax; httponly$", Assert.Single(response.Headers.GetValues("Set-Cookie")));
    }

    [Fact]
    public async Task The_cookie_is_set_beside_those_of_the_upstream_and_on_errors_too()
    {
        _destinations.Map("http://canary.test", _ =>
        {
            var response = new HttpResponseMessage();
            response.Headers.Add("Set-Cookie", "session=1");
            return response;
        });
        await using var app = await StartAsync(Sticky(100));
        Assert.Equal(2, (await app.Client.GetAsync("/")).Headers.GetValues("Set-Cookie").Count());

        _destinations.Map("http://canary.test", _ => new()).Refuse();
        var failed = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.BadGateway, failed.StatusCode);
        Assert.True(failed.Headers.Contains("Set-Cookie"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("canary")]
    [InlineData("12345")]
    [InlineData("-001")]
    [InlineData("+001")]
    [InlineData("1e03")]
    [InlineData(" 001")]
    [InlineData("%D9%A1%D9%A2%D9%A3%D9%A4")]
    public async Task A_forged_cookie_is_replaced_by_a_number(string value)
    {
        await using var app = await StartAsync(Sticky(50));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.TryAddWithoutValidation("Cookie", $".split={value}");

        var response = await app.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Matches(@"^\.split=\d{4};", Assert.Single(response.Headers.GetValues("Set-Cookie")));
    }

    [Fact]
    public async Task The_shares_are_ranges_of_numbers_the_first_from_below_the_second_from_above()
    {
        await using var app = await StartAsync(Shares(("canary", 5.25), ("beta", 10), ("third", 1)) with { Sticky = new() });

        foreach (var (number, expected) in new[]
        {
            (0, "canary"), (524, "canary"), (525, "third"), (624, "third"), (625, "main"), (8999, "main"), (9000, "beta"), (9999, "beta"),
        })
            Assert.Equal(expected, await GetAsync(app, number));
    }

    [Fact]
    public async Task When_a_share_grows_by_a_reload_only_as_many_change_sides_as_must()
    {
        await using var app = await StartAsync(Shares(("canary", 5), ("beta", 10)) with { Sticky = new() });
        var numbers = Enumerable.Range(0, 1000).Select(i => i * 10).ToArray();
        var before = await AllAsync();

        Update(Shares(("canary", 25), ("beta", 10)) with { Sticky = new() });

        var after = await AllAsync();
        var moved = numbers.Where(n => before[n] != after[n]).ToArray();
        Assert.Equal(200, moved.Length);
        Assert.All(moved, n => Assert.Equal(("main", "canary"), (before[n], after[n])));

        async Task<Dictionary<int, string>> AllAsync()
        {
            var clusters = new Dictionary<int, string>();
            foreach (var number in numbers)
                clusters[number] = await GetAsync(app, number);
            return clusters;
        }
    }

    [Fact]
    public async Task A_hash_of_a_header_keeps_visitors_without_a_cookie_and_gives_each_cluster_its_share()
    {
        var split = new SplitConfig { Clusters = [new() { ClusterId = "canary", Percentage = 25 }], Sticky = new() { By = SplitStickyBy.Header, Name = "X-User" } };
        await using var app = await StartAsync(split);
        var canary = 0;
        for (var user = 0; user < 4000; user++)
        {
            var cluster = await GetAsync(app, header: ("X-User", $"user-{user}"));
            if (user % 100 == 0)
                Assert.Equal(cluster, await GetAsync(app, header: ("X-User", $"user-{user}")));
            canary += cluster == "canary" ? 1 : 0;
        }
        Assert.InRange(canary, 1000 - 5 * 27, 1000 + 5 * 27); // five standard deviations
        Assert.False((await app.Client.GetAsync("/")).Headers.Contains("Set-Cookie"));
    }

    [Fact]
    public void A_hash_is_the_same_in_every_process_and_version()
    {
        var numbers = new VisitorNumber(new() { By = SplitStickyBy.ExistingCookie, Name = "session" });
        var context = new DefaultHttpContext();
        context.Request.Headers.Cookie = "session=0f5a; a=b";
        Assert.Equal(6047, numbers.Of(context));
        context = new();
        context.Connection.RemoteIpAddress = IPAddress.Parse("192.0.2.1");
        Assert.Equal(2187, new VisitorNumber(new() { By = SplitStickyBy.ClientIp }).Of(context));
    }

    [Fact]
    public async Task Requests_without_the_key_are_drawn_and_not_all_sent_to_one_cluster()
    {
        var split = new SplitConfig { Clusters = [new() { ClusterId = "canary", Percentage = 50 }], Sticky = new() { By = SplitStickyBy.ExistingCookie, Name = "session" } };
        await using var app = await StartAsync(split);

        var counts = await CountAsync(Enumerable.Range(0, 100).Select(_ => app.Client.GetStringAsync("/")));

        Assert.Equal(2, counts.Count);
    }

    [Theory]
    [InlineData("2001:db8::1", "2001:db8::1", true)]
    [InlineData("2001:db8::1", "2001:db8::2", false)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    public void A_client_s_number_comes_from_its_address(string one, string other, bool same)
    {
        var numbers = new VisitorNumber(new() { By = SplitStickyBy.ClientIp });

        Assert.Equal(same, Of(one) == Of(other));

        int Of(string address)
        {
            var context = new DefaultHttpContext();
            context.Connection.RemoteIpAddress = IPAddress.Parse(address);
            return numbers.Of(context);
        }
    }

    [Fact]
    public async Task The_share_of_a_cluster_without_a_destination_goes_to_the_route_s_own_but_who_asks_for_it_is_told()
    {
        var split = new SplitConfig { Clusters = [new() { ClusterId = "canary", Percentage = 100, Headers = [new() { Name = "X-Canary", Mode = HeaderMatchMode.Exists }] }] };
        await using var app = await StartAsync(split);
        Assert.Equal("canary", await GetAsync(app));

        _source.Update([Route(split)], [Cluster("main"), Cluster("canary") with { Destinations = [new() { Address = "http://canary.test", Weight = 0 }] }]);

        Assert.Equal("main", await GetAsync(app));
        Assert.Equal(110, Assert.Single(app.Logs.GetSnapshot(), line => line.Id.Name == "SplitShareUnavailable").Id.Id);
        using var asked = new HttpRequestMessage(HttpMethod.Get, "/");
        asked.Headers.Add("X-Canary", "x");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await app.Client.SendAsync(asked)).StatusCode);
    }

    [Fact]
    public async Task The_chosen_cluster_is_the_request_s()
    {
        await using var app = await StartAsync(Shares(("canary", 100)));

        await app.Client.GetAsync("/");

        var proxy = await app.OutcomeAsync();
        Assert.Equal("canary", proxy.Cluster.ClusterId);
        Assert.Equal("main", proxy.Route.ClusterId);
        Assert.Equal("canary", proxy.Destination!.ClusterId);
    }

    [Fact]
    public async Task Code_and_json_make_the_same_records()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy()
                .AddCluster("c", c => c.To("http://c"))
                .AddCluster("d", c => c.To("http://d"))
                .LoadFromConfig(Misconfigured.Json(
                    """
                    {'Routes':{'r':{'ClusterId':'c','Match':{'Path':'/json'},'Split':{
                      'Clusters':[{'ClusterId':'d','Percentage':2.5,'Headers':[{'Name':'X-Canary','Values':['always']}],'Cookies':[{'Name':'canary','Values':['1','2']},{'Name':'any'}]}],
                      'Sticky':{'By':'Cookie','Name':'variant','MaxAge':'1.00:00:00','Domain':'example.com'}}}}}
                    """)),
            app =>
            {
                app.MapProxy("/code", "c").WithSplit("d", 2.5).WithSplit(s =>
                {
                    s.Clusters[0] = s.Clusters[0] with
                    {
                        Headers = [new() { Name = "X-Canary", Values = ["always"] }],
                        Cookies = [new() { Name = "canary", Values = ["1", "2"] }, new() { Name = "any" }],
                    };
                    s.Sticky = new() { Name = "variant", MaxAge = TimeSpan.FromDays(1), Domain = "example.com" };
                });
                app.MapReverseProxy();
            });

        var routes = app.Services.GetRequiredService<ProxyConfigMonitor>().Routes;
        Assert.NotNull(routes[0].Split);
        Assert.Equal(routes[0].Split, routes[1].Split);
    }

    [Theory]
    [InlineData("'Clusters':[]", "Split names no cluster: Clusters lists those that take a share.")]
    [InlineData("'Clusters':[{'ClusterId':'canry','Percentage':5}]", "Split: there is no cluster 'canry'. Did you mean 'canary'?")]
    [InlineData("'Clusters':[{'ClusterId':'canary','Percentage':5},{'ClusterId':'Canary','Percentage':5}]", "Split names the cluster 'Canary' twice. Put its conditions together: one that matches is enough.")]
    [InlineData("'Clusters':[{'ClusterId':'canary','Percentage':60.5},{'ClusterId':'beta','Percentage':40}]", "the percentages of Split add up to 100.5; it must be 100 at most. What is left goes to the route's own cluster 'main'.")]
    [InlineData("'Clusters':[{'ClusterId':'canary','Percentage':-1}]", "Split: cluster 'canary': Percentage is -1; it must be 0 to 100, with two decimals at most.")]
    [InlineData("'Clusters':[{'ClusterId':'canary','Percentage':0.125}]", "Split: cluster 'canary': Percentage is 0.125; it must be 0 to 100, with two decimals at most.")]
    [InlineData("'Clusters':[{'ClusterId':'main','Percentage':5}]", "Split: cluster 'main' is the route's own, which takes what the others leave: it must have no Percentage here, only Headers or Cookies.")]
    [InlineData("'Clusters':[{'ClusterId':'canary','Headers':[{'Name':'X Canary','Values':['a']}]}]", "Split: cluster 'canary': Headers: 'X Canary' is not a header name.")]
    [InlineData("'Clusters':[{'ClusterId':'canary','Headers':[{'Name':'X-Canary'}]}]", "Split: cluster 'canary': Headers: 'X-Canary' needs Values with Mode ExactHeader.")]
    [InlineData("'Clusters':[{'ClusterId':'canary','Cookies':[{'Name':'a=b'}]}]", "Split: cluster 'canary': Cookies: 'a=b' is not a cookie name.")]
    [InlineData("'Clusters':[{'ClusterId':'canary'}],'Sticky':{'By':'Header'}", "Split.Sticky: By Header needs the Name of a header.")]
    [InlineData("'Clusters':[{'ClusterId':'canary'}],'Sticky':{'By':'ClientIp','Name':'a'}", "Split.Sticky: Name 'a' has no meaning with By ClientIp.")]
    [InlineData("'Clusters':[{'ClusterId':'canary'}],'Sticky':{'Name':'a b'}", "Split.Sticky: Name 'a b' is not a cookie name.")]
    [InlineData("'Clusters':[{'ClusterId':'canary'}],'Sticky':{'MaxAge':'00:00:00'}", "Split.Sticky: MaxAge is 00:00:00; it must be positive.")]
    [InlineData("'Clusters':[{'ClusterId':'canary'}],'Sticky':{'Domain':'http://x'}", "Split.Sticky: Domain 'http://x' is not a domain name such as example.com.")]
    [InlineData("'Clusters':[{'ClusterId':'canary'}],'Sticky':{'By':'ExistingCookie','Name':'a','MaxAge':'00:01:00'}", "Split.Sticky: MaxAge and Domain are those of a cookie that the proxy sets; with By ExistingCookie it sets none.")]
    public async Task What_is_wrong_is_said_at_start_up(string split, string expected)
    {
        var errors = await ErrorsAsync(split);

        Assert.Equal($"Route 'shop': {expected}", Assert.Single(errors));
    }

    [Theory]
    [InlineData("'Clusters':[{'Percentage':5}]", "ReverseProxy:Routes:shop:Split:Clusters:0:ClusterId is missing.")]
    [InlineData("'Clusters':[{'ClusterId':'main','Percentage':'5%','Headers':[{'Name':'a','Mode':'Exists'}]}]", "ReverseProxy:Routes:shop:Split:Clusters:0:Percentage: '5%' is not allowed; it must be a number.")]
    [InlineData("'Clusters':[{'ClusterId':'main','Weight':5,'Headers':[{'Name':'a','Mode':'Exists'}]}]", "ReverseProxy:Routes:shop:Split:Clusters:0:Weight is not a known key")]
    public async Task What_cannot_be_read_is_said_with_its_place(string split, string expected)
    {
        var errors = await ErrorsAsync(split);

        Assert.Contains(errors, e => e.StartsWith(expected, StringComparison.Ordinal));
    }

    private static Task<IReadOnlyList<string>> ErrorsAsync(string split) => Misconfigured.JsonErrorsAsync(
        "{'Routes':{'shop':{'ClusterId':'main','Match':{'Path':'/'},'Split':{" + split + "}}},'Clusters':{'main':{'Destinations':{'d':{'Address':'http://a'}}},"
        + "'canary':{'Destinations':{'d':{'Address':'http://b'}}},'beta':{'Destinations':{'d':{'Address':'http://c'}}}}}");

    private static SplitConfig Sticky(double percentage) => new() { Clusters = [new() { ClusterId = "canary", Percentage = percentage }], Sticky = new() };

    private static SplitConfig Shares(params (string Cluster, double Percentage)[] shares) =>
        new() { Clusters = shares.Select(s => new SplitClusterConfig { ClusterId = s.Cluster, Percentage = s.Percentage }).ToValueList() };

    private Task<ProxyApp> StartAsync(SplitConfig split)
    {
        Update(split);
        return ProxyApp.StartAsync(
            services => services.AddProxyTestDestinations(_destinations).AddReverseProxy().AddConfigSource(_source),
            app => app.MapReverseProxy());
    }

    private void Update(SplitConfig split) => _source.Update([Route(split)], [.. _upstreams.Keys.Select(Cluster)]);

    private static RouteConfig Route(SplitConfig split) => new() { RouteId = "r", ClusterId = "main", Match = new() { Path = "/{**path}" }, Split = split };

    private static ClusterConfig Cluster(string name) => new() { ClusterId = name, Destinations = [new() { Address = $"http://{name}.test" }] };

    private static Task<string> GetAsync(ProxyApp app, int number) => GetAsync(app, ("Cookie", $".split={number:D4}"));

    private static async Task<string> GetAsync(ProxyApp app, (string Name, string? Value) header = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        if (header is { Name: { } name, Value: { } value })
            request.Headers.Add(name, value);
        var response = await app.Client.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    private static async Task<Dictionary<string, int>> CountAsync(IEnumerable<Task<string>> answers)
    {
        var counts = new Dictionary<string, int>();
        foreach (var answer in answers)
            counts[await answer] = counts.GetValueOrDefault(await answer) + 1;
        return counts;
    }
}
