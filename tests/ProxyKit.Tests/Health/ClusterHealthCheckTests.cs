using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using static ProxyKit.Tests.Health.ProbedApp;

namespace ProxyKit.Tests.Health;

/// <summary>A cluster among ASP.NET Core's health checks.</summary>
public class ClusterHealthCheckTests
{
    [Theory]
    [InlineData("", HealthStatus.Healthy, "c: 2 of 2 destinations are available.")]
    [InlineData("b", HealthStatus.Degraded, "c: 1 of 2 destinations are available.")]
    [InlineData("ab", HealthStatus.Unhealthy, "c: 0 of 2 destinations are available.")]
    public async Task A_cluster_is_healthy_degraded_or_unhealthy(string down, HealthStatus status, string description)
    {
        await using var app = await StartAsync(Cluster(Check, "a", "b"), down);

        foreach (var name in new[] { "proxy-c", "proxy" })
        {
            var report = await app.ReportAsync(name);
            Assert.Equal((status, description), (report.Status, report.Description));
        }
    }

    [Fact]
    public async Task A_cluster_in_panic_is_unhealthy()
    {
        var cluster = Cluster(Check, "a", "b", "c");
        await using var app = await StartAsync(cluster with { HealthCheck = cluster.HealthCheck with { PanicThreshold = 50 } }, "ab");

        var report = await app.ReportAsync();

        Assert.Equal((HealthStatus.Unhealthy, "c: 1 of 3 destinations are available, panic."), (report.Status, report.Description));
    }

    [Fact]
    public async Task Each_destination_is_named_with_its_state()
    {
        var cluster = Cluster(Check, "a", "b", "c");
        await using var app = await StartAsync(cluster with { Destinations = [.. cluster.Destinations.Take(2), cluster.Destinations[2] with { Weight = 0 }] }, "b");

        Assert.Equal([new("a", "Healthy"), new("b", "Unhealthy: status 500, expected 200-299"), new("c", "Healthy")], (await app.ReportAsync()).Data);
        Assert.Equal(["c/a", "c/b", "c/c"], (await app.ReportAsync("proxy")).Data.Keys);
        Assert.Equal("c: 1 of 2 destinations are available.", (await app.ReportAsync()).Description); // weight 0 is drained on purpose
    }

    [Fact]
    public async Task All_clusters_together_are_as_the_worst_of_them()
    {
        await using var app = new ProbedApp("a", "b");
        app.Answer("b", HttpStatusCode.InternalServerError);
        await app.StartAsync(Cluster(Check, "a"));
        app.Update(Cluster(Check, "a"), Cluster(Check, "b") with { ClusterId = "d" });
        await app.Clock.SleepAsync();
        await app.Clock.SleepAsync();

        var report = await app.ReportAsync("proxy");

        Assert.Equal((HealthStatus.Unhealthy, "c: 1 of 1 destinations are available. d: 0 of 1 destinations are available."), (report.Status, report.Description));
        Assert.Equal(HealthStatus.Healthy, (await app.ReportAsync()).Status);
    }

    [Fact]
    public async Task A_registration_has_ASP_NET_Cores_settings()
    {
        await using var app = new ProbedApp("a");
        app.Answer("a", HttpStatusCode.InternalServerError);
        await app.StartAsync(Cluster(Check, "a"), services => services.AddHealthChecks()
            .AddProxyCluster("c", r =>
            {
                r.Name = "orders";
                r.FailureStatus = HealthStatus.Degraded;
                r.Tags.Add("ready");
            })
            .AddProxyCluster("nowhere"));
        await app.Clock.SleepAsync();

        var orders = await app.ReportAsync("orders");
        Assert.Equal((HealthStatus.Degraded, "ready"), (orders.Status, Assert.Single(orders.Tags)));
        var nowhere = await app.ReportAsync("proxy-nowhere");
        Assert.Equal((HealthStatus.Unhealthy, "There is no cluster 'nowhere'."), (nowhere.Status, nowhere.Description));
    }

    [Fact]
    public async Task Without_the_proxy_it_says_what_is_missing()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddHealthChecks().AddProxyCluster("c");
        await using var provider = services.BuildServiceProvider();

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken));

        Assert.Contains("AddReverseProxy", error.Message, StringComparison.Ordinal);
    }

    private static async Task<ProbedApp> StartAsync(ClusterConfig cluster, string down)
    {
        var app = new ProbedApp("a", "b", "c");
        foreach (var host in down)
            app.Answer(host.ToString(), HttpStatusCode.InternalServerError);
        await app.StartAsync(cluster);
        foreach (var _ in cluster.Destinations)
            await app.Clock.SleepAsync();
        return app;
    }
}
