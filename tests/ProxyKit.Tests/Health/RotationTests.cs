using System.Net;
using static ProxyKit.Tests.Health.ProbedApp;

namespace ProxyKit.Tests.Health;

/// <summary>What is chosen from when few destinations, or none, are healthy.</summary>
public class RotationTests
{
    [Fact]
    public async Task When_no_destination_is_healthy_the_client_gets_503()
    {
        await using var app = await StartAsync(new(), "a! b!");

        var (status, proxy) = await app.GetAsync();

        Assert.Equal((HttpStatusCode.ServiceUnavailable, ProxyError.NoAvailableDestinations, false), (status, proxy.Error, proxy.IsPanic));
        Assert.Empty(proxy.AvailableDestinations);
        Assert.Contains("no destination is available", Assert.Single(app.Logged("ClusterUnavailable")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unless_it_says_that_all_are_used_then()
    {
        await using var app = await StartAsync(new() { AvailableDestinationsPolicy = AvailableDestinationsPolicy.HealthyOrPanic }, "a! b!");

        var (status, proxy) = await app.GetAsync();

        Assert.Equal((HttpStatusCode.InternalServerError, true), (status, proxy.IsPanic)); // the destination's own answer
        Assert.Equal(["a", "b"], proxy.AvailableDestinations.Select(d => d.Name));
        Assert.Empty(app.Logged("ClusterUnavailable"));
    }

    // Up and down are written without and with an exclamation mark; a backup has a plus sign.
    [Theory]
    [InlineData(50, "a b! c! d!", "a b c d")] // 25 %
    [InlineData(50, "a b c! d!", "a b")] // 50 % is not below
    [InlineData(51, "a b c! d!", "a b c d")]
    [InlineData(1, "a! b!", "a b")] // none at all is below any threshold
    [InlineData(0, "a! b!", "")]
    [InlineData(100, "a b c!", "a b c")]
    [InlineData(100, "a b", "a b")]
    [InlineData(50, "a! b! c+", "c")] // that is what a backup is for
    [InlineData(50, "a b! c! d+", "a b c d")]
    [InlineData(50, "a! b+ c+! d+!", "b c d")] // panic among the backups
    [InlineData(50, "a! b! c+!", "a b c")]
    public async Task Below_the_panic_threshold_health_is_not_looked_at(int threshold, string destinations, string available)
    {
        await using var app = await StartAsync(new() { PanicThreshold = threshold }, destinations);

        Assert.Equal(available.Split(' ', StringSplitOptions.RemoveEmptyEntries), await app.GetAvailableAsync());
    }

    [Fact]
    public async Task Panic_is_logged_and_measured_when_it_begins_and_when_it_ends()
    {
        await using var app = await StartAsync(new() { PanicThreshold = 50 }, "a b! c!");
        Assert.Equal(1, app.Gauge("proxykit.cluster.panic", "proxykit.cluster", "c"));
        Assert.True((await app.GetAsync()).Proxy.IsPanic);
        Assert.Equal("Cluster c: only 1 of 3 destinations are healthy: panic, health is not looked at any more", Assert.Single(app.Logged("PanicEntered")).Message);
        Assert.Empty(app.Logged("PanicLeft"));

        app.Answer("b", HttpStatusCode.OK);
        app.Clock.Advance(IntervalWhenDown);
        await app.Clock.SleepAsync();
        await app.Clock.SleepAsync();

        Assert.Equal(0, app.Gauge("proxykit.cluster.panic", "proxykit.cluster", "c"));
        Assert.Equal(["a", "b"], await app.GetAvailableAsync());
        Assert.Single(app.Logged("PanicEntered"));
        Assert.Equal("Cluster c: 2 of 3 destinations are healthy: the panic is over", Assert.Single(app.Logged("PanicLeft")).Message);
    }

    private static async Task<ProbedApp> StartAsync(HealthCheckConfig check, string destinations)
    {
        var all = destinations.Split(' ');
        var app = new ProbedApp([.. all.Select(d => d[..1])]);
        foreach (var down in all.Where(d => d.EndsWith('!')))
            app.Answer(down[..1], HttpStatusCode.InternalServerError);
        await app.StartAsync(new()
        {
            ClusterId = "c",
            Destinations = [.. all.Select(d => Destination(d[..1]) with { Backup = d.Contains('+') })],
            HealthCheck = check with { Active = Check },
        });
        foreach (var _ in all)
            await app.Clock.SleepAsync();
        return app;
    }
}
