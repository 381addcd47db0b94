using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests;

public class MapProxyTests
{
    private static readonly string[] s_two = ["http://a.test", "http://b.test"];

    [Fact]
    public async Task A_named_cluster_answers_for_each_route_that_names_it()
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddCluster("orders", c => c.To("http://a.test"));
                services.AddProxyTestDestinations(Destinations());
            },
            app =>
            {
                app.MapProxy("/orders/{**path}", "orders");
                app.MapProxy("/reports/{**path}", "ORDERS");
            });

        Assert.Equal("a.test /orders/1", await app.Client.GetStringAsync("/orders/1"));
        Assert.Equal("a.test /reports/1", await app.Client.GetStringAsync("/reports/1"));
    }

    [Fact]
    public async Task Requests_are_spread_over_several_addresses()
    {
        await using var app = await StartAsync(app => app.MapProxy("/{**path}", s_two));

        var seen = new HashSet<string>();
        for (var i = 0; i < 200 && seen.Count < 2; i++)
            seen.Add(await app.Client.GetStringAsync("/"));

        Assert.Equal(["a.test /", "b.test /"], seen.Order());
    }

    [Fact]
    public async Task A_destination_can_be_added_by_a_step()
    {
        await using var app = await StartAsync(app => app.MapProxy("/{**path}").WithDestination("http://b.test", d => d.Host = "public.test"));

        Assert.Equal("b.test /x", await app.Client.GetStringAsync("/x"));
    }

    [Fact]
    public async Task A_base_path_goes_in_front_of_the_path()
    {
        await using var app = await StartAsync(app => app.MapProxy("/{**path}", "http://a.test/base/"));

        Assert.Equal("a.test /base/x", await app.Client.GetStringAsync("/x"));
    }

    [Fact]
    public async Task What_no_route_takes_goes_on_to_the_app()
    {
        await using var app = await StartAsync(app =>
        {
            app.MapProxy("/shop/{**path}", "http://a.test");
            app.MapGet("/own", () => "own");
        });

        Assert.Equal("own", await app.Client.GetStringAsync("/own"));
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync("/other")).StatusCode);
    }

    [Fact]
    public async Task A_route_in_a_group_takes_the_groups_prefix_and_conventions()
    {
        await using var app = await StartAsync(app =>
        {
            var group = app.MapGroup("/api").WithMetadata("marked");
            group.MapProxy("/shop/{**path}", "http://a.test");
        });

        Assert.Equal("a.test /api/shop/1", await app.Client.GetStringAsync("/api/shop/1"));
        var endpoint = Assert.Single(app.Services.GetRequiredService<EndpointDataSource>().Endpoints);
        Assert.Equal("marked", endpoint.Metadata.GetMetadata<string>());
    }

    [Fact]
    public async Task The_order_of_steps_does_not_matter()
    {
        var recorder = new Recorder();
        await using var app = await ProxyApp.StartAsync(recorder, route => route
            .WithTransforms(t => t.SetRequestHeader("X-A", "1"))
            .RequireHost("localhost")
            .WithTimeouts(t => t.Idle = TimeSpan.FromSeconds(7))
            .WithTransforms(t => t.SetRequestHeader("X-B", "2"))
            .WithMatch(m => m.Methods.Add("GET")));

        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/")).StatusCode);
        Assert.Equal("1", recorder.Last["X-A"]);
        Assert.Equal("2", recorder.Last["X-B"]);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await app.Client.PostAsync("/", null)).StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(7), (await app.OutcomeAsync()).Cluster.Timeouts.Idle);
    }

    [Fact]
    public async Task Adding_the_proxy_twice_changes_nothing()
    {
        var recorder = new Recorder();
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy(o => o.Pseudonym = "edge");
                services.AddReverseProxy();
                var destinations = new TestDestinations();
                destinations.Map("http://a.test", recorder.Handle);
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapProxy("/{**path}", "http://a.test"));

        await app.Client.GetAsync("/");

        Assert.Equal("1.1 edge", recorder.Last["Via"]);
        Assert.Single(app.Logs.GetSnapshot(), line => line.Id.Name == "ConfigurationLoaded");
    }

    [Fact]
    public async Task Options_of_both_calls_add_up()
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy(o => o.Pseudonym = "edge");
                services.AddReverseProxy(o => o.TrustedProxies.Add("unix"));
                services.AddProxyTestDestinations(Destinations());
            },
            app => app.MapProxy("/{**path}", "http://a.test"));

        var options = app.Services.GetRequiredService<Microsoft.Extensions.Options.IOptions<ReverseProxyOptions>>().Value;
        Assert.Equal("edge", options.Pseudonym);
        Assert.Equal(["unix"], options.TrustedProxies);
    }

    [Fact]
    public void Mapping_without_the_services_says_which_call_is_missing()
    {
        var app = WebApplication.CreateSlimBuilder().Build();

        Assert.Contains("AddReverseProxy()", Assert.Throws<InvalidOperationException>(() => app.MapProxy("/", "http://a.test")).Message, StringComparison.Ordinal);
        Assert.Contains("AddReverseProxy()", Assert.Throws<InvalidOperationException>(() => app.MapReverseProxy()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_hook_on_handlers_runs_once_for_each_cluster()
    {
        var seen = new List<string>();
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy()
                .AddCluster("one", c => c.To("http://a.test").WithHttpClient(h => h.MaxConnectionsPerServer = 3))
                .ConfigureHttpHandler((cluster, handler) => seen.Add($"{cluster.ClusterId} {handler.MaxConnectionsPerServer} {handler.AllowAutoRedirect} {handler.UseCookies}")),
            app =>
            {
                app.MapProxy("/a", "one");
                app.MapProxy("/b", "one");
            });

        Assert.Equal(["one 3 False False"], seen);
    }

    private static Task<ProxyApp> StartAsync(Action<WebApplication> map) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            services.AddProxyTestDestinations(Destinations());
        },
        map);

    private static TestDestinations Destinations()
    {
        var destinations = new TestDestinations();
        foreach (var address in s_two)
            destinations.Map(address, request => new(HttpStatusCode.OK) { Content = new StringContent($"{request.RequestUri!.Host} {request.RequestUri.PathAndQuery}") });
        return destinations;
    }
}
