using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging;

namespace ProxyKit.Tests.SessionAffinity;

/// <summary>What becomes of sessions whose destination cannot be used, and of keys that are none.</summary>
public class FailureTests
{
    public static TheoryData<string> Bad => ["forged", new string('x', 1024), new string('x', 8000), "J\u00fcrgen\u00a4", "CfDJ8A", "\"quoted\"", "a,b"];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_session_moves_for_good_when_its_destination_is_down_or_in_maintenance(bool isDown)
    {
        await using var app = await AffinityApp.StartAsync(_ => { });
        var browser = await app.SessionOnAsync("a");
        var other = await app.SessionOnAsync("b");
        var a = (await browser.GetAsync()).Proxy.AffineDestination!;

        TakeOut(a, isDown);
        var visit = await browser.GetAsync();

        Assert.NotEqual("a", visit.Body);
        Assert.Equal(AffinityStatus.Unavailable, visit.Proxy.AffinityStatus);
        Assert.Same(a, visit.Proxy.AffineDestination);
        Assert.Single(visit.SetCookies);
        PutBack(a);
        Assert.Equal(visit.Body, await browser.NextAsync());
        Assert.Equal("b", await other.NextAsync());
        var line = Assert.Single(app.Logs.GetSnapshot(), l => l.Id.Name == "AffinityRedistributed");
        Assert.Equal(LogLevel.Information, line.Level);
        Assert.Equal($"Cluster /{{**path}}: a session belongs to a, which is {(isDown ? "unhealthy" : "in maintenance")}; it moves to another destination", line.Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_session_that_must_not_move_is_refused_until_its_destination_is_back(bool isDown)
    {
        await using var app = await AffinityApp.StartAsync(o => o.FailurePolicy = SessionAffinityFailurePolicy.Return503Error);
        var browser = await app.SessionOnAsync("a");
        var a = (await browser.GetAsync()).Proxy.AffineDestination!;

        TakeOut(a, isDown);
        var visit = await browser.GetAsync();

        Assert.Equal(HttpStatusCode.ServiceUnavailable, visit.Response.StatusCode);
        Assert.Equal(ProxyError.NoAvailableDestinations, visit.Proxy.Error);
        Assert.Equal(AffinityStatus.Unavailable, visit.Proxy.AffinityStatus);
        Assert.Empty(visit.SetCookies);
        Assert.Contains(app.Logs.GetSnapshot(), l => l.Id is { Id: 71, Name: "AffinityRejected" });
        PutBack(a);
        Assert.Equal("a", await browser.NextAsync());
    }

    [Theory]
    [InlineData(SessionAffinityFailurePolicy.Redistribute)]
    [InlineData(SessionAffinityFailurePolicy.Return503Error)]
    public async Task A_destination_that_drains_keeps_its_sessions_and_takes_no_new_ones(SessionAffinityFailurePolicy failurePolicy)
    {
        await using var app = await AffinityApp.StartAsync(o => o.FailurePolicy = failurePolicy);
        var browser = await app.SessionOnAsync("a");
        var a = (await browser.GetAsync()).Proxy.AffineDestination!;

        a.Mode = DestinationMode.Drain;
        a.Owner.Refresh();

        Assert.Equal("a", await browser.NextAsync());
        for (var i = 0; i < 20; i++)
            Assert.NotEqual("a", (await new Browser(app).GetAsync()).Body);
    }

    [Fact]
    public async Task A_destination_that_drains_and_fails_loses_its_sessions()
    {
        await using var app = await AffinityApp.StartAsync(_ => { });
        var browser = await app.SessionOnAsync("a");
        var a = (await browser.GetAsync()).Proxy.AffineDestination!;

        a.Mode = DestinationMode.Drain;
        a.ActiveHealth = DestinationHealth.Unhealthy;

        Assert.NotEqual("a", (await browser.GetAsync()).Body);
    }

    [Fact]
    public async Task A_destination_that_is_full_passes_its_session_on()
    {
        var busy = await BusyAsync(SessionAffinityFailurePolicy.Redistribute);
        await using var app = busy.App;

        var visit = await busy.Second.GetAsync();

        Assert.Equal("b", visit.Body);
        Assert.Equal(AffinityStatus.Found, visit.Proxy.AffinityStatus);
        Assert.Single(visit.SetCookies);
        busy.Answer.SetResult();
        Assert.Equal("late", (await busy.First).Body);
    }

    [Theory]
    [InlineData(DestinationMode.Ready)]
    [InlineData(DestinationMode.Drain)]
    public async Task A_session_that_must_not_move_waits_for_its_destination(DestinationMode mode)
    {
        var busy = await BusyAsync(SessionAffinityFailurePolicy.Return503Error);
        await using var app = busy.App;
        busy.A.Mode = mode;
        busy.A.Owner.Refresh();
        var waiting = busy.Second.GetAsync();
        await QueuedAsync(busy.A);

        busy.Answer.SetResult();

        var visits = await Task.WhenAll(busy.First, waiting);
        Assert.All(visits, visit => Assert.Equal("late", visit.Body));
        Assert.All(visits, visit => Assert.Same(busy.A, visit.Proxy.Destination));
    }

    [Fact]
    public async Task A_session_whose_destination_goes_while_it_waits_is_not_sent_there()
    {
        var busy = await BusyAsync(SessionAffinityFailurePolicy.Return503Error);
        await using var app = busy.App;
        var waiting = busy.Second.GetAsync();
        await QueuedAsync(busy.A);

        var cluster = ReloadTests.Cluster("b");
        busy.Source.Update([ReloadTests.Route], [cluster with { SessionAffinity = cluster.SessionAffinity! with { FailurePolicy = SessionAffinityFailurePolicy.Return503Error } }]);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await waiting).Response.StatusCode);
        busy.Answer.SetResult();
        await busy.First;
    }

    [Fact]
    public async Task A_half_open_circuit_breaker_lets_no_more_sessions_through_than_others()
    {
        var busy = await BusyAsync(SessionAffinityFailurePolicy.Redistribute, c => c with { CircuitBreaker = new() { ProbeRequests = 1 } }, limit: null);
        await using var app = busy.App;
        busy.A.CircuitState = CircuitState.HalfOpen;
        var probe = busy.Second.GetAsync();
        while (busy.A.ActiveRequests < 2)
            await Task.Yield();

        var third = await new Browser(app) { Cookies = { [AffinityApp.Cookie] = busy.Second.Cookies[AffinityApp.Cookie] } }.GetAsync();

        Assert.Equal("b", third.Body);
        busy.Answer.SetResult();
        Assert.Equal("late", (await probe).Body);
        await busy.First;
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task A_key_that_is_none_does_no_harm(string key)
    {
        foreach (var policy in new[] { SessionAffinityPolicies.HashCookie, SessionAffinityPolicies.Cookie, SessionAffinityPolicies.ArrCookie, SessionAffinityPolicies.CustomHeader })
        {
            await using var app = await AffinityApp.StartAsync(o => o.Policy = policy);
            var browser = new Browser(app) { Cookies = { [AffinityApp.Cookie] = key }, Headers = { [AffinityApp.Cookie] = key } };

            var visit = await browser.GetAsync();

            Assert.Equal(HttpStatusCode.OK, visit.Response.StatusCode);
            Assert.Equal(AffinityStatus.Unknown, visit.Proxy.AffinityStatus);
            Assert.Null(visit.Proxy.AffineDestination);
            Assert.Contains(app.Logs.GetSnapshot(), l => l is { Id: { Id: 72, Name: "AffinityKeyUnknown" }, Level: LogLevel.Debug });
            if (policy == SessionAffinityPolicies.CustomHeader)
                browser.Headers[AffinityApp.Cookie] = visit.Response.Headers.GetValues(AffinityApp.Cookie).Single();
            Assert.Equal(visit.Body, await browser.NextAsync(6));
        }
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task Where_sessions_must_not_move_a_key_that_is_none_is_refused_once_and_taken_back(string key)
    {
        await using var app = await AffinityApp.StartAsync(o => o.FailurePolicy = SessionAffinityFailurePolicy.Return503Error);
        var browser = new Browser(app) { Cookies = { [AffinityApp.Cookie] = key } };

        var visit = await browser.GetAsync();

        Assert.Equal(HttpStatusCode.ServiceUnavailable, visit.Response.StatusCode);
        Assert.Equal("stay=; expires=Thu, 01 Jan 1970 00:00:00 GMT; path=/; samesite=lax; httponly", Assert.Single(visit.SetCookies));
        Assert.Equal((await browser.GetAsync()).Body, await browser.NextAsync());
    }

    [Fact]
    public async Task What_becomes_of_sessions_is_counted()
    {
        await using var app = await AffinityApp.StartAsync(_ => { }, "a", "b");
        await using var strict = await AffinityApp.StartAsync(o => o.FailurePolicy = SessionAffinityFailurePolicy.Return503Error, "a", "b");
        using var lenientCount = Collect(app);
        using var strictCount = Collect(strict);
        var browser = new Browser(app);
        await browser.GetAsync();

        var owner = (await browser.GetAsync()).Proxy.AffineDestination!;
        owner.ActiveHealth = DestinationHealth.Unhealthy;
        await browser.GetAsync();
        await new Browser(strict) { Cookies = { [AffinityApp.Cookie] = "forged" } }.GetAsync();

        var measured = lenientCount.GetMeasurementSnapshot();
        Assert.Equal(["new", "hit", "redistributed"], measured.Select(m => m.Tags["result"]));
        Assert.All(measured, m => Assert.Equal("/{**path}", m.Tags["proxykit.cluster"]));
        Assert.Equal("rejected", Assert.Single(strictCount.GetMeasurementSnapshot()).Tags["result"]);
    }

    // Destination a can answer one request at a time, unless there is no limit, and is answering one; two browsers have sessions there.
    private static async Task<Busy> BusyAsync(SessionAffinityFailurePolicy failurePolicy, Func<ClusterConfig, ClusterConfig>? change = null, int? limit = 1)
    {
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var destinations = AffinityApp.Destinations(AffinityApp.Answer);
        var cluster = ReloadTests.Cluster("a", "b");
        cluster = cluster with
        {
            Destinations = [cluster.Destinations[0] with { MaxConcurrentRequests = limit }, cluster.Destinations[1]],
            SessionAffinity = cluster.SessionAffinity! with { FailurePolicy = failurePolicy },
            Limits = limit is null ? null : new() { QueueLimit = 10 },
        };
        var source = new InMemoryProxyConfigSource([ReloadTests.Route], [change?.Invoke(cluster) ?? cluster]);
        var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddConfigSource(source);
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapReverseProxy());
        var (first, second) = (await app.SessionOnAsync("a"), await app.SessionOnAsync("a"));
        var a = (await first.GetAsync()).Proxy.Destination!;
        var busy = destinations.Map("http://a.test", new AwaitingHandler(answer.Task));
        var waiting = first.GetAsync();
        await ProxyApp.ReachedAsync(busy);
        return new(app, source, a, waiting, second, answer);
    }

    private static async Task QueuedAsync(Destination destination)
    {
        while (destination.Owner.Limiter!.QueueLength == 0)
            await Task.Yield();
    }

    private sealed record Busy(ProxyApp App, InMemoryProxyConfigSource Source, Destination A, Task<Visit> First, Browser Second, TaskCompletionSource Answer);

    private static MetricCollector<long> Collect(ProxyApp app) => new(app.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", "proxykit.affinity.requests");

    private static void TakeOut(Destination destination, bool isDown)
    {
        if (isDown)
            destination.ActiveHealth = DestinationHealth.Unhealthy;
        else
            destination.Mode = DestinationMode.Maintenance;
        destination.Owner.Refresh();
    }

    private static void PutBack(Destination destination)
    {
        destination.ActiveHealth = DestinationHealth.Healthy;
        destination.Mode = DestinationMode.Ready;
        destination.Owner.Refresh();
    }

    private sealed class AwaitingHandler(Task answer) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await answer.WaitAsync(cancellationToken);
            return new(HttpStatusCode.OK) { Content = new StringContent("late") };
        }
    }
}
