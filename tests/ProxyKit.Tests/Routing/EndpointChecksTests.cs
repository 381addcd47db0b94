using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.Routing;

/// <summary>What is asked for on a route and not in force is an error at start-up.</summary>
public class EndpointChecksTests
{
    [Fact]
    public async Task A_rate_limit_without_its_middleware_is_an_error()
    {
        var errors = await ErrorsAsync(
            static services => services.AddRateLimiter(static o => o.AddFixedWindowLimiter("shop", static w => (w.PermitLimit, w.Window) = (1, TimeSpan.FromMinutes(1)))),
            static app => app.MapProxy("/a", "http://a.test").RequireRateLimiting("shop"));

        Assert.Equal("""Route '/a': RequireRateLimiting("shop") has no effect without builder.Services.AddRateLimiter(…) and app.UseRateLimiter().""", Assert.Single(errors));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_rate_limit_with_its_middleware_is_none(bool ownOptions)
    {
        await using var app = await ProxyApp.StartAsync(
            services => Services(services).AddRateLimiter(static o => o.AddFixedWindowLimiter("shop", static w => (w.PermitLimit, w.Window) = (1, TimeSpan.FromMinutes(1)))),
            app =>
            {
                if (ownOptions)
                    app.UseRateLimiter(new RateLimiterOptions().AddConcurrencyLimiter("shop", static o => (o.PermitLimit, o.QueueProcessingOrder) = (1, QueueProcessingOrder.OldestFirst)));
                else
                    app.UseRateLimiter();
                app.MapProxy("/a", "http://a.test").RequireRateLimiting("shop");
            });
    }

    [Fact]
    public async Task A_policy_without_its_services_is_an_error()
    {
        var errors = await ErrorsAsync(static _ => { }, static app =>
        {
            app.MapProxy("/a", "http://a.test").RequireAuthorization("operators");
            app.MapProxy("/b", "http://a.test").RequireCors("any");
        });

        Assert.Equal(
            ["""Route '/a': RequireAuthorization("operators") needs builder.Services.AddAuthorization().""", "Route '/b': RequireCors needs builder.Services.AddCors()."], errors);
    }

    [Fact]
    public async Task An_unknown_authorization_policy_is_an_error()
    {
        var errors = await ErrorsAsync(static services => services.AddAuthorization(), static app => app.MapProxy("/a", "http://a.test").RequireAuthorization("operators"));

        Assert.Contains("there is no authorization policy 'operators'", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_caches_on_one_route_are_an_error()
    {
        var errors = await ErrorsAsync(static services => services.AddOutputCache(), static app => app.MapProxy("/a", "http://a.test").WithCache().CacheOutput());

        Assert.Contains("WithCache and CacheOutput", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/shop/{**path}", "/shop/{**path}")]
    [InlineData("/shop/{**path}", "/Shop/{**rest}")]
    [InlineData("/shop/{id}", "shop/{name}")]
    public async Task Two_routes_that_match_the_same_requests_are_an_error(string first, string second)
    {
        var errors = await ErrorsAsync(static _ => { }, app =>
        {
            app.MapProxy(first, "http://a.test");
            app.MapProxy(second, "http://b.test");
        });

        Assert.Contains(errors, e => e.Contains("match the same requests", StringComparison.Ordinal) || e.Contains("configured twice", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Routes_that_differ_in_anything_that_is_matched_are_none()
    {
        await using var app = await ProxyApp.StartAsync(services => Services(services), static app =>
        {
            app.MapProxy("/shop/{id:int}", "http://a.test");
            app.MapProxy("/shop/{id}", "http://a.test");
            app.MapProxy("/host/{id}", "http://a.test").RequireHost("a.example");
            app.MapProxy("/host/{name}", "http://a.test");
        });
    }

    [Fact]
    public async Task A_cluster_without_destinations_is_an_error()
    {
        var errors = await ErrorsAsync(static services => services.AddReverseProxy().AddCluster("empty", static _ => { }), static app => app.MapProxy("/a", "empty"));

        Assert.StartsWith("Route '/a': its cluster 'empty' has no destination.", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http//localhost:5001", "http://localhost:5001")]
    [InlineData("https:/shop.test", "https://shop.test")]
    [InlineData("shop.test:8080", "http://shop.test:8080")]
    public async Task An_address_with_a_misspelt_scheme_gets_the_right_hint(string address, string hint)
    {
        var errors = await ErrorsAsync(static _ => { }, app => app.MapProxy("/a", address));

        Assert.Contains(errors, e => e.Contains($"{hint}.", StringComparison.Ordinal) && !e.Contains("http://http", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_address_may_serve_several_hosts()
    {
        await using var app = await ProxyApp.StartAsync(services => Services(services), static app => app.MapProxy("/a")
            .WithDestination("http://a.test", static d => (d.Name, d.Host) = ("one", "one.example"))
            .WithDestination("http://a.test", static d => (d.Name, d.Host) = ("two", "two.example")));
    }

    private static IServiceCollection Services(IServiceCollection services)
    {
        services.AddReverseProxy();
        services.AddProxyTestDestinations(new());
        return services;
    }

    private static async Task<IReadOnlyList<string>> ErrorsAsync(Action<IServiceCollection> configure, Action<WebApplication> map) =>
        (await Assert.ThrowsAsync<ProxyConfigurationException>(() => ProxyApp.StartAsync(services => configure(Services(services)), map))).Errors;
}
