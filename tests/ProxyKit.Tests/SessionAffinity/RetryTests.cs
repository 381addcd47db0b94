using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.SessionAffinity;

/// <summary>Sessions and further attempts.</summary>
public class RetryTests
{
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(5);

    private readonly TestDestinations _destinations = AffinityApp.Destinations(AffinityApp.Answer);

    [Fact]
    public async Task A_session_whose_destination_refuses_is_answered_elsewhere_and_stays_there()
    {
        await using var app = await StartAsync(SessionAffinityFailurePolicy.Redistribute, route => route.WithRetries());
        var browser = await app.SessionOnAsync("a");

        Map("a").Refuse();
        var visit = await browser.GetAsync();

        Assert.Equal((200, 2, AffinityStatus.Found), ((int)visit.Response.StatusCode, visit.Proxy.Attempts, visit.Proxy.AffinityStatus));
        Assert.Equal("a", visit.Proxy.AffineDestination!.Name);
        Assert.Single(visit.SetCookies);
        Map("a");
        Assert.Equal(visit.Body, await browser.NextAsync());
    }

    [Fact]
    public async Task A_session_that_must_not_move_is_tried_again_where_it_belongs_after_a_while()
    {
        await using var app = await StartAsync(SessionAffinityFailurePolicy.Return503Error, route => route.WithRetries());
        var browser = await app.SessionOnAsync("a");
        var start = app.Time.GetTimestamp();

        Map("a").Refuse().Times(2);
        var visit = await app.AdvanceUntilAsync(browser.GetAsync(), s_step);

        Assert.Equal((200, "a", 3), ((int)visit.Response.StatusCode, visit.Body, visit.Proxy.Attempts));
        Assert.True(app.Time.GetElapsedTime(start) > TimeSpan.Zero);
    }

    [Fact]
    public async Task A_session_that_must_not_move_fails_with_its_destination()
    {
        await using var app = await StartAsync(SessionAffinityFailurePolicy.Return503Error, route => route.WithRetries());
        var browser = await app.SessionOnAsync("a");
        TestDestination[] others = [Map("b"), Map("c")];

        Map("a").Refuse();
        var visit = await app.AdvanceUntilAsync(browser.GetAsync(), s_step);

        Assert.Equal(502, (int)visit.Response.StatusCode);
        Assert.All(others, other => Assert.Equal(0, other.Requests));
    }

    [Fact]
    public async Task A_session_is_not_hedged()
    {
        await using var app = await StartAsync(SessionAffinityFailurePolicy.Redistribute, route => route.WithHedging().WithTimeout(TimeSpan.FromSeconds(5)));
        var browser = await app.SessionOnAsync("a");
        TestDestination[] others = [Map("b"), Map("c")];

        Map("a").Stall();
        var visit = await app.AdvanceUntilAsync(browser.GetAsync(), s_step);

        Assert.Equal(504, (int)visit.Response.StatusCode);
        Assert.All(others, other => Assert.Equal(0, other.Requests));
    }

    [Fact]
    public async Task Without_a_session_the_winner_of_several_gets_it()
    {
        await using var app = await StartAsync(SessionAffinityFailurePolicy.Redistribute, route => route.WithHedging());
        TestDestination[] others = [Map("b"), Map("c")];
        Map("a").Stall();
        Browser browser;
        Visit visit;
        do
        {
            browser = new Browser(app);
            var before = others.Sum(o => o.Requests);
            var sent = browser.GetAsync();
            while (others.Sum(o => o.Requests) == before)
            {
                app.Time.Advance(s_step);
                await Task.Yield();
            }
            visit = await sent;
        }
        while (visit.Proxy.Attempts == 1);

        Assert.NotEqual("a", visit.Body);
        Assert.Equal(visit.Body, await browser.NextAsync());
    }

    private Task<ProxyApp> StartAsync(SessionAffinityFailurePolicy failurePolicy, Action<ProxyRouteBuilder> configure) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            services.AddProxyTestDestinations(_destinations);
        },
        app =>
        {
            var route = app.MapProxy("/{**path}").WithSessionAffinity(o => o.FailurePolicy = failurePolicy)
                .WithTimeouts(t => t.FirstByte = TimeSpan.FromDays(10)); // the clock runs faster than the machine
            foreach (var name in AffinityApp.Names)
                route.WithDestination($"http://{name}.test", d => d.Name = name);
            configure(route);
        });

    private TestDestination Map(string name) => _destinations.Map($"http://{name}.test", AffinityApp.Answer);
}
