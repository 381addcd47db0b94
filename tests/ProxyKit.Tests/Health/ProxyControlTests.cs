using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Health;

/// <summary>What an operator does while the proxy runs.</summary>
public class ProxyControlTests
{
    [Fact]
    public async Task Clusters_and_destinations_are_looked_up_by_name_or_address_without_regard_to_case()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy().AddCluster("Shop", c => c.WithDestination("http://one.test", d => d.Name = "First").To("http://two.test")),
            app => app.MapProxy("/own/{**path}", "http://three.test"));
        var control = app.Services.GetRequiredService<IProxyControl>();

        Assert.Equal(["/own/{**path}", "Shop"], control.Clusters.Order());
        Assert.Equal(["First", "http://two.test"], control.GetDestinations("shop").Select(d => d.Name));
        Assert.Same(control.GetDestination("SHOP", "first"), control.GetDestination("shop", "HTTP://ONE.test"));
        Assert.Equal("http://three.test", control.GetDestinations("/own/{**path}")[0].Name);
    }

    [Fact]
    public async Task A_name_that_is_not_there_is_an_error_that_says_what_is()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, c => c);
        var control = cluster.Control;

        Assert.Contains("There is no cluster 'x'. Did you mean 'c'?", Assert.Throws<ArgumentException>(() => control.GetDestinations("x")).Message, StringComparison.Ordinal);
        Assert.Contains("There is no cluster 'shopping'. Known are c.", Assert.Throws<ArgumentException>(() => control.SetMode("shopping", "x", DestinationMode.Drain)).Message, StringComparison.Ordinal);
        Assert.Contains("Cluster 'c' has no destination 'd7'. Known are http://d0.test, http://d1.test.", Assert.Throws<ArgumentException>(() => control.SetWeight("c", "d7", 1)).Message, StringComparison.Ordinal);
        Assert.Contains("Allowed are Ready, Drain, Maintenance.", Assert.Throws<ArgumentOutOfRangeException>(() => control.SetMode("c", "http://d0.test", (DestinationMode)7)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => control.SetWeight("c", "http://d0.test", 1001));
        Assert.Throws<ArgumentOutOfRangeException>(() => control.SetWeight("c", "http://d0.test", -1));
    }

    [Theory]
    [InlineData(DestinationMode.Drain)]
    [InlineData(DestinationMode.Maintenance)]
    public async Task A_destination_that_is_taken_out_gets_no_new_requests_until_it_is_put_back(DestinationMode mode)
    {
        await using var cluster = await WatchedCluster.StartAsync(2, c => c);
        var before = cluster.Cluster.Balancer;

        Assert.Same(cluster[0], cluster.Control.SetMode("c", "http://d0.test", mode));
        cluster.Control.SetMode("c", "http://d0.test", mode);

        Assert.Equal(["d1"], cluster.Available);
        // A request that has been in the house for long knows the old balancer.
        Assert.All(Enumerable.Range(0, 20), _ => Assert.Same(cluster[1], before.Pick(new Microsoft.AspNetCore.Http.DefaultHttpContext(), new(new() { RouteId = "r" }, cluster.Cluster, 0))));
        cluster.Control.SetMode("c", "http://d0.test", DestinationMode.Ready);
        Assert.Equal(["d0", "d1"], cluster.Available);
        Assert.Equal(
            [$"Cluster c: destination http://d0.test was set from Ready to {mode}, with 0 requests under way", $"Cluster c: destination http://d0.test was set from {mode} to Ready, with 0 requests under way"],
            cluster.Logged("DestinationModeChanged"));
    }

    [Fact]
    public async Task A_weight_is_changed_and_given_back()
    {
        await using var cluster = await WatchedCluster.StartAsync(2, c => c);

        Assert.Equal(7, cluster.Control.SetWeight("c", "http://d0.test", 7).Weight);
        Assert.Equal(7, cluster[0].EffectiveWeight);
        cluster.Control.SetWeight("c", "http://d0.test", 0);
        Assert.Equal(["d1"], cluster.Available);
        cluster.Control.SetWeight("c", "http://d0.test", null);

        Assert.Equal(1, cluster[0].EffectiveWeight);
        Assert.Equal(["d0", "d1"], cluster.Available);
        Assert.Equal("Cluster c: the weight of destination http://d0.test was set from 1 to 7", cluster.Logged("DestinationWeightChanged")[0]);
        Assert.Equal(3, cluster.Logged("DestinationWeightChanged").Length);
    }

    [Fact]
    public async Task Modes_and_weights_outlive_a_reload_as_long_as_the_destination_does()
    {
        await using var cluster = await WatchedCluster.StartAsync(3, c => c);
        cluster.Control.SetMode("c", "http://d0.test", DestinationMode.Drain);
        cluster.Control.SetWeight("c", "http://d1.test", 5);
        cluster.Control.SetMode("c", "http://d2.test", DestinationMode.Maintenance);

        cluster.Reload(2, c => c with { LoadBalancingPolicy = "powerOfTwoChoices" });
        Assert.Equal(["d1"], cluster.Available);
        Assert.Equal(5, cluster[1].Weight);
        cluster.Reload(3, c => c);

        Assert.Equal(["d1", "d2"], cluster.Available);
    }

    [Fact]
    public async Task Waiting_for_a_drained_destination_ends_with_its_last_request()
    {
        using var release = new SemaphoreSlim(0);
        await using var app = await StartAsync(release);
        var control = app.Services.GetRequiredService<IProxyControl>();
        var cancellationToken = TestContext.Current.CancellationToken;
        var (first, second) = (app.Client.GetAsync("/", cancellationToken), app.Client.GetAsync("/", cancellationToken));
        var destination = control.GetDestinations("/{**path}")[0];
        while (destination.ActiveRequests < 2)
            await Task.Yield();

        var idle = control.WaitUntilIdleAsync(control.SetMode("/{**path}", ProxyApp.Upstream, DestinationMode.Drain), cancellationToken);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await app.Client.GetAsync("/", cancellationToken)).StatusCode);
        release.Release();
        await await Task.WhenAny(first, second);
        Assert.False(idle.IsCompleted);
        release.Release();

        await idle;
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK], [(await first).StatusCode, (await second).StatusCode]);
        Assert.Contains("from Ready to Drain, with 2 requests under way", app.Logs.GetSnapshot().Single(r => r.Id.Name == "DestinationModeChanged").Message, StringComparison.Ordinal);
        Assert.True(control.WaitUntilIdleAsync(destination, cancellationToken).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Waiting_can_be_given_up()
    {
        using var release = new SemaphoreSlim(0);
        await using var app = await StartAsync(release);
        var control = app.Services.GetRequiredService<IProxyControl>();
        var request = app.Client.GetAsync("/", TestContext.Current.CancellationToken);
        var destination = control.GetDestinations("/{**path}")[0];
        while (destination.ActiveRequests < 1)
            await Task.Yield();
        using var giveUp = new CancellationTokenSource();

        var idle = control.WaitUntilIdleAsync(destination, giveUp.Token);
        var patient = control.WaitUntilIdleAsync(destination, TestContext.Current.CancellationToken);
        await giveUp.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => idle);
        Assert.False(patient.IsCompleted);
        release.Release();
        await patient;
        await request;
    }

    private static Task<ProxyApp> StartAsync(SemaphoreSlim release)
    {
        var destinations = new TestDestinations();
        destinations.Map(ProxyApp.Upstream, new Gate(release));
        return ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapProxy("/{**path}", ProxyApp.Upstream));
    }

    /// <summary>Answers when it is let.</summary>
    private sealed class Gate(SemaphoreSlim release) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await release.WaitAsync(cancellationToken);
            return new(HttpStatusCode.OK) { RequestMessage = request };
        }
    }
}
