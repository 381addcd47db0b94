using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Configuration;

/// <summary>Several sources are one configuration.</summary>
public class SourcesTests
{
    [Fact]
    public async Task A_route_of_one_source_uses_a_cluster_of_another_or_of_code()
    {
        await using var app = await StartAsync(
            proxy => proxy
                .AddCluster("code", c => c.To("http://code.test"))
                .LoadFromConfig(Misconfigured.Json("{'Routes':{'a':{'ClusterId':'code','Match':{'Path':'/a'}},'b':{'ClusterId':'memory','Match':{'Path':'/b'}}},'Clusters':{'json':{'Destinations':{'d':{'Address':'http://json.test'}}}}}"))
                .AddConfigSource(new InMemoryProxyConfigSource([], [Cluster("memory", "http://memory.test")])),
            app =>
            {
                app.MapReverseProxy();
                app.MapProxy("/c", "json");
            });

        Assert.Equal("code.test", await app.Client.GetStringAsync("/a"));
        Assert.Equal("memory.test", await app.Client.GetStringAsync("/b"));
        Assert.Equal("json.test", await app.Client.GetStringAsync("/c"));
    }

    [Fact]
    public async Task A_name_in_two_sources_is_an_error()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy()
                .AddCluster("c", c => c.To("http://a"))
                .LoadFromConfig(Misconfigured.Json("{'Routes':{'r':{'ClusterId':'c','Match':{'Path':'/a'}}},'Clusters':{'C':{}}}"))
                .AddConfigSource(new InMemoryProxyConfigSource([Route("R", "c", "/b")], [])),
            app => app.MapReverseProxy());

        Assert.Equal(["Cluster 'C' is configured twice. Cluster names are unique over all sources.", "Route 'R' is configured twice. Route names are unique over all sources."], errors);
    }

    [Fact]
    public async Task A_source_that_throws_is_an_error_beside_the_others()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy(o => o.Pseudonym = "").AddConfigSource(new ThrowingSource()),
            app => app.MapReverseProxy());

        Assert.Equal(2, errors.Count);
        Assert.Equal("ThrowingSource failed: out of order", errors[0]);
    }

    [Fact]
    public async Task Routes_that_nobody_mapped_are_warned_about()
    {
        await using var app = await StartAsync(proxy => proxy.AddConfigSource(new InMemoryProxyConfigSource([Route("r", "c", "/")], [Cluster("c", "http://code.test")])), _ => { });

        Assert.Equal("1 routes are configured but not mapped: call app.MapReverseProxy()", Assert.Single(app.Logs.GetSnapshot(), line => line.Id.Name == "RoutesNotMapped").Message);
    }

    [Fact]
    public async Task Configured_routes_take_the_conventions_and_the_prefix_of_their_group()
    {
        await using var app = await StartAsync(
            proxy => proxy.AddConfigSource(new InMemoryProxyConfigSource([Route("r", "c", "/x")], [Cluster("c", "http://code.test")])),
            app => app.MapGroup("/api").WithMetadata("group").MapReverseProxy().WithMetadata(new Uri("http://own")));

        Assert.Equal("code.test", await app.Client.GetStringAsync("/api/x"));
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync("/x")).StatusCode);
        var metadata = app.Services.GetRequiredService<Microsoft.AspNetCore.Routing.EndpointDataSource>().Endpoints.Single().Metadata;
        Assert.Equal("group", metadata.GetMetadata<string>());
        Assert.Equal("own", metadata.GetMetadata<Uri>()!.Host);
        Assert.Equal("r", metadata.GetMetadata<RouteConfig>()!.RouteId);
    }

    private static RouteConfig Route(string id, string cluster, string path) => new() { RouteId = id, ClusterId = cluster, Match = new() { Path = path } };

    private static ClusterConfig Cluster(string id, string address) => new() { ClusterId = id, Destinations = [new() { Address = address }] };

    private static Task<ProxyApp> StartAsync(Action<ReverseProxyBuilder> proxy, Action<WebApplication> map) => ProxyApp.StartAsync(
        services =>
        {
            proxy(services.AddReverseProxy());
            var destinations = new TestDestinations();
            foreach (var host in new[] { "code.test", "json.test", "memory.test" })
                destinations.Map($"http://{host}", request => new(HttpStatusCode.OK) { Content = new StringContent(request.RequestUri!.Host) });
            services.AddProxyTestDestinations(destinations);
        },
        map);

    private sealed class ThrowingSource : IProxyConfigSource
    {
        public ProxyConfig GetConfig() => throw new IOException("out of order");
    }
}
