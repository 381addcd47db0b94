using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Resilience;

/// <summary>What a cluster with several destinations does by default when one of them is down.</summary>
public class FailoverTests
{
    private readonly TestDestinations _destinations = new();

    private readonly Dictionary<string, TestDestination> _mapped = [];

    private TestDestination this[string name]
    {
        get
        {
            if (!_mapped.TryGetValue(name, out var destination))
                _mapped[name] = destination = _destinations.Map($"http://{name}.test", _ => new(HttpStatusCode.OK) { Content = new StringContent(name) });
            return destination;
        }
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    public async Task A_request_that_could_not_be_sent_goes_to_another_destination(string method)
    {
        var (bad, _) = (this["bad"], this["good"]);
        await using var app = await StartAsync(static _ => { }, "bad", "good");
        bad.Refuse();

        Assert.All(await SendAsync(app, method, 20), status => Assert.Equal(HttpStatusCode.OK, status));
    }

    [Fact]
    public async Task It_has_one_further_attempt()
    {
        foreach (var name in new[] { "a", "b", "c" })
            this[name].Refuse();
        await using var app = await StartAsync(static _ => { }, "a", "b", "c");

        Assert.Equal([HttpStatusCode.BadGateway], await SendAsync(app, "GET", 1));

        Assert.Equal(2, this["a"].Requests + this["b"].Requests + this["c"].Requests);
    }

    [Fact]
    public async Task A_request_that_was_sent_is_not_sent_again()
    {
        var (bad, _) = (this["bad"], this["good"]);
        await using var app = await StartAsync(static route => route.WithLoadBalancing(LoadBalancingPolicies.First), "bad", "good");
        bad.Reset();

        Assert.Equal([HttpStatusCode.BadGateway], await SendAsync(app, "GET", 1));
    }

    [Theory]
    [InlineData(HttpStatusCode.BadGateway)]
    [InlineData(HttpStatusCode.ServiceUnavailable)]
    [InlineData(HttpStatusCode.GatewayTimeout)]
    public async Task A_destination_whose_responses_are_failures_is_ejected(HttpStatusCode status)
    {
        var (bad, good) = (this["bad"], this["good"]);
        await using var app = await StartAsync(static route => route.WithLoadBalancing(LoadBalancingPolicies.First), "bad", "good");
        bad.Respond(status);

        var statuses = await SendAsync(app, "GET", 20);

        Assert.Equal(3, statuses.Count(s => s == status));
        Assert.Equal(17, good.Requests);
    }

    [Fact]
    public async Task The_statuses_of_the_retries_are_failures_for_passive_checks_too()
    {
        var (bad, _) = (this["bad"], this["good"]);
        await using var app = await StartAsync(static route => route.WithLoadBalancing(LoadBalancingPolicies.First).WithRetries(r => r.Statuses = [500]), "bad", "good");
        bad.Respond(HttpStatusCode.InternalServerError);

        Assert.All(await SendAsync(app, "GET", 20), status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.Equal(3, bad.Requests);
    }

    [Fact]
    public async Task After_an_ejection_one_request_a_second_tries_the_destination_until_one_succeeds()
    {
        var (bad, _) = (this["bad"], this["good"]);
        await using var app = await StartAsync(static route => route.WithLoadBalancing(LoadBalancingPolicies.First), "bad", "good");
        bad.Respond(HttpStatusCode.ServiceUnavailable);
        await SendAsync(app, "GET", 3);

        app.Time.Advance(TimeSpan.FromSeconds(10));
        var onTrial = await SendAsync(app, "GET", 20);
        Assert.Single(onTrial, s => s == HttpStatusCode.ServiceUnavailable); // ejected again, for twice as long
        bad.Recover();
        app.Time.Advance(TimeSpan.FromSeconds(19));
        await SendAsync(app, "GET", 5);
        Assert.Equal(4, bad.Requests);
        app.Time.Advance(TimeSpan.FromSeconds(1));
        await SendAsync(app, "GET", 5);

        Assert.Equal(9, bad.Requests);
    }

    [Fact]
    public async Task While_all_are_ejected_all_are_used()
    {
        foreach (var name in new[] { "a", "b" })
            this[name].Respond(HttpStatusCode.ServiceUnavailable);
        await using var app = await StartAsync(static _ => { }, "a", "b");
        await SendAsync(app, "GET", 20);

        this["a"].Recover();
        this["b"].Recover();

        Assert.All(await SendAsync(app, "GET", 20), status => Assert.Equal(HttpStatusCode.OK, status));
    }

    [Fact]
    public async Task A_destination_that_fails_fast_does_not_attract_load()
    {
        var (bad, good) = (this["bad"], this["good"]);
        await using var app = await StartAsync(static route => route.WithPassiveHealthChecks(p => (p.ConsecutiveFailures, p.FailureRate) = (1000, 0)), "bad", "good");
        bad.Respond(HttpStatusCode.ServiceUnavailable);

        var statuses = await SendAsync(app, "GET", 100);

        Assert.Equal(statuses.Count(s => s == HttpStatusCode.OK), good.Requests);
        Assert.InRange(bad.Requests, 1, 2);
    }

    [Fact]
    public async Task One_line_switches_it_off()
    {
        var (bad, _) = (this["bad"], this["good"]);
        await using var app = await StartAsync(static route => route.WithoutFailover().WithLoadBalancing(LoadBalancingPolicies.First), "bad", "good");
        bad.Refuse();

        Assert.All(await SendAsync(app, "GET", 20), status => Assert.Equal(HttpStatusCode.BadGateway, status));
    }

    [Fact]
    public async Task WithRetries_tries_each_destination()
    {
        string[] names = ["a", "b", "c", "d", "e", "good"];
        foreach (var name in names[..5])
            this[name].Reset();
        _ = this["good"];
        await using var app = await StartAsync(static route => route.WithLoadBalancing(LoadBalancingPolicies.First).WithRetries(), names);

        Assert.Equal([HttpStatusCode.OK], await SendAsync(app, "GET", 1));
    }

    [Fact]
    public async Task The_budget_does_not_keep_a_request_from_a_healthy_destination()
    {
        var (bad, _) = (this["bad"], this["good"]);
        await using var app = await StartAsync(
            static route => route.WithLoadBalancing(LoadBalancingPolicies.RoundRobin).WithPassiveHealthChecks(0)
                .WithPassiveHealthChecks(p => p.FailureRate = 1).WithRetries(r => (r.BudgetRatio, r.BudgetMinimum) = (0, 1)), "good", "bad");
        await SendAsync(app, "GET", 2); // both are known to be healthy
        bad.Reset();

        Assert.All(await SendAsync(app, "GET", 200), status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.InRange(bad.Requests, 100, 201); // the budget has 10
    }

    private Task<ProxyApp> StartAsync(Action<ProxyRouteBuilder> configure, params string[] names) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            services.AddProxyTestDestinations(_destinations);
        },
        app => configure(app.MapProxy("/{**path}", [.. names.Select(n => $"http://{n}.test")])));

    private static async Task<List<HttpStatusCode>> SendAsync(ProxyApp app, string method, int count)
    {
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < count; i++)
        {
            using var request = new HttpRequestMessage(new(method), "/");
            if (method == "POST")
                request.Content = new StringContent("body");
            using var response = await app.Client.SendAsync(request, TestContext.Current.CancellationToken);
            statuses.Add(response.StatusCode);
        }
        return statuses;
    }
}
