namespace ProxyKit.Tests.SessionAffinity;

/// <summary>Sessions outlive a reload as far as their destinations do.</summary>
public class ReloadTests
{
    public static RouteConfig Route { get; } = new() { RouteId = "r", ClusterId = "c", Match = new() { Path = "/{**path}" } };

    [Fact]
    public async Task Sessions_of_a_destination_that_goes_move_and_the_others_stay()
    {
        var source = new InMemoryProxyConfigSource([Route], [Cluster("a", "b")]);
        await using var app = await AffinityApp.StartAsync(source, AffinityApp.Answer);
        var (a, b) = (await app.SessionOnAsync("a"), await app.SessionOnAsync("b"));

        source.Update([Route], [Cluster("b", "c")]);

        var moved = await a.GetAsync();
        Assert.Equal(AffinityStatus.Unknown, moved.Proxy.AffinityStatus);
        Assert.Equal(moved.Body, await a.NextAsync());
        Assert.Equal("b", await b.NextAsync());
    }

    [Fact]
    public async Task A_destination_whose_weight_becomes_0_keeps_its_sessions_and_takes_no_new_ones()
    {
        var source = new InMemoryProxyConfigSource([Route], [Cluster("a", "b")]);
        await using var app = await AffinityApp.StartAsync(source, AffinityApp.Answer);
        var a = await app.SessionOnAsync("a");

        source.Update([Route], [Cluster("a", "b") with { Destinations = [new() { Name = "a", Address = "http://a.test", Weight = 0 }, new() { Name = "b", Address = "http://b.test" }] }]);

        Assert.Equal("a", await a.NextAsync());
        for (var i = 0; i < 20; i++)
            Assert.Equal("b", (await new Browser(app).GetAsync()).Body);
    }

    [Fact]
    public async Task A_name_that_passes_to_another_server_takes_no_sessions_with_it()
    {
        var source = new InMemoryProxyConfigSource([Route], [Cluster("a", "b")]);
        await using var app = await AffinityApp.StartAsync(source, AffinityApp.Answer);
        var a = await app.SessionOnAsync("a");

        source.Update([Route], [Cluster("a", "b") with { Destinations = [new() { Name = "a", Address = "http://c.test" }, new() { Name = "b", Address = "http://b.test" }] }]);

        Assert.Equal(AffinityStatus.Unknown, (await a.GetAsync()).Proxy.AffinityStatus);
    }

    [Fact]
    public async Task A_server_that_gets_another_name_keeps_its_sessions()
    {
        var source = new InMemoryProxyConfigSource([Route], [Cluster("a", "b")]);
        await using var app = await AffinityApp.StartAsync(source, AffinityApp.Answer);
        var a = await app.SessionOnAsync("a");

        source.Update([Route], [Cluster("a", "b") with { Destinations = [new() { Name = "b", Address = "http://A.test:80" }, new() { Name = "a", Address = "http://b.test" }] }]);

        Assert.Equal("a", await a.NextAsync());
    }

    [Fact]
    public async Task It_can_be_switched_on_and_off()
    {
        var off = Cluster("a", "b") with { SessionAffinity = null };
        var source = new InMemoryProxyConfigSource([Route], [off]);
        await using var app = await AffinityApp.StartAsync(source, AffinityApp.Answer);
        var browser = new Browser(app);
        var visit = await browser.GetAsync();
        Assert.Empty(visit.SetCookies);
        Assert.Equal(AffinityStatus.None, visit.Proxy.AffinityStatus);

        source.Update([Route], [Cluster("a", "b")]);
        Assert.Single((await browser.GetAsync()).SetCookies);
        Assert.Single(await browser.NextAsync());

        source.Update([Route], [off with { SessionAffinity = new() { Enabled = false } }]);
        Assert.Equal("ab", await browser.NextAsync(40));
    }

    internal static ClusterConfig Cluster(params string[] names) => new()
    {
        ClusterId = "c",
        Destinations = [.. names.Select(name => new DestinationConfig { Name = name, Address = $"http://{name}.test" })],
        SessionAffinity = new() { Enabled = true, AffinityKeyName = AffinityApp.Cookie },
    };
}
