using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ProxyKit.Tests.FastCgi;

public class FastCgiConnectionConfigTests
{
    [Fact]
    public async Task Steps_and_JSON_say_the_same()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy()
                .AddCluster("code", c => c.To("fastcgi://a").WithFastCgiConnections(4).WithFastCgiConnections(f =>
                {
                    f.KeepConnections = true;
                    f.QueueLimit = 50;
                    f.QueueTimeout = TimeSpan.FromSeconds(3);
                    f.IdleTimeout = TimeSpan.FromSeconds(5);
                    f.StandardError = LogLevel.Error;
                    f.FailOnStandardError = true;
                }))
                .AddCluster("code-defaults", c => c.To("fastcgi://a").WithFastCgiConnections(4))
                .LoadFromConfig(Misconfigured.Json("""
                    { 'Clusters': {
                        'json': { 'Destinations': { 'a': { 'Address': 'fastcgi://a' } }, 'FastCgi': {
                            'KeepConnections': true, 'MaxConnections': 4, 'QueueLimit': 50, 'QueueTimeout': '00:00:03', 'IdleTimeout': '00:00:05',
                            'StandardError': 'Error', 'FailOnStandardError': true } },
                        'json-defaults': { 'Destinations': { 'a': { 'Address': 'fastcgi://a' } }, 'FastCgi': { 'MaxConnections': 4 } },
                        'none': { 'Destinations': { 'a': { 'Address': 'fastcgi://a' } } } } }
                    """)),
            app => app.MapProxy("/", "code"));

        var connections = app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters.ToDictionary(c => c.ClusterId, c => c.FastCgi);
        Assert.Equal(
            new()
            {
                KeepConnections = true, MaxConnections = 4, QueueLimit = 50, QueueTimeout = TimeSpan.FromSeconds(3), IdleTimeout = TimeSpan.FromSeconds(5),
                StandardError = LogLevel.Error, FailOnStandardError = true,
            }, connections["code"]);
        Assert.Equal(connections["code"], connections["json"]);
        Assert.Equal(
            new() { MaxConnections = 4, QueueLimit = 1000, QueueTimeout = TimeSpan.FromSeconds(10), IdleTimeout = TimeSpan.FromMinutes(1), StandardError = LogLevel.Warning },
            connections["code-defaults"]);
        Assert.Equal(connections["code-defaults"], connections["json-defaults"]);
        Assert.Null(connections["none"]);
    }

    [Fact]
    public async Task What_is_wrong_is_said_all_at_once()
    {
        var errors = await Misconfigured.JsonErrorsAsync("""
            { 'Clusters': { 'c': { 'Destinations': { 'a': { 'Address': 'fastcgi://a' } }, 'FastCgi': {
                'MaxConnections': 0, 'QueueLimit': -1, 'QueueTimeout': '00:00:00', 'IdleTimeout': '25.00:00:00' } } } }
            """);

        Assert.Equal(
        [
            "Cluster 'c': FastCgi.MaxConnections is 0; it must be at least 1.",
            "Cluster 'c': FastCgi.QueueLimit is -1; it must be 0 to 1000000.",
            "Cluster 'c': FastCgi.QueueTimeout is 00:00:00; it must be positive and at most 24 days. For no queue set QueueLimit to 0.",
            "Cluster 'c': FastCgi.IdleTimeout is 25.00:00:00; it must be positive and at most 24 days, or -00:00:00.0010000 for no limit.",
        ], errors);
    }

    [Theory]
    [InlineData("'Destinations': { 'a': { 'Address': 'fastcgi://a' } }, 'FastCgi': { 'KeepConnections': true }",
        "FastCgi.KeepConnections needs FastCgi.MaxConnections: a kept connection occupies a php-fpm worker as long as it idles, so without a limit below pm.max_children requests wait for workers that nobody uses.")]
    [InlineData("'Destinations': { 'a': { 'Address': 'fastcgi://a' }, 'b': { 'Address': 'http://b' } }",
        "the destinations 'fastcgi://a' and 'http://b' do not go together: all destinations of a cluster speak FastCGI, or none does.")]
    [InlineData("'Destinations': { 'a': { 'Address': 'fastcgi://a', 'Health': 'http://a:81' } }",
        "destination 'a': Health 'http://a:81' and Address 'fastcgi://a' must both be fastcgi:// or neither.")]
    [InlineData("'Destinations': { 'a': { 'Address': 'http://a', 'Health': 'fastcgi://a' } }",
        "destination 'a': Health 'fastcgi://a' and Address 'http://a' must both be fastcgi:// or neither.")]
    [InlineData("'Destinations': { 'a': { 'Address': 'http://a' } }, 'FastCgi': { 'MaxConnections': 1 }",
        "FastCgi is for destinations with fastcgi://, and 'http://a' is none.")]
    [InlineData("'Destinations': { 'a': { 'Address': 'fastcgi://a' } }, 'HttpRequest': { 'Version': '2' }",
        "HttpRequest.Version is 2.0, but its destinations speak FastCGI, not HTTP.")]
    [InlineData("'Destinations': { 'a': { 'Address': 'fastcgi://a' } }, 'HttpRequest': { 'VersionPolicy': 'RequestVersionExact' }",
        "HttpRequest.VersionPolicy is RequestVersionExact, but its destinations speak FastCGI, not HTTP.")]
    [InlineData("'Destinations': { 'a': { 'Address': 'fastcgi://a' } }, 'HttpClient': { 'MaxConnectionsPerServer': 5 }",
        "HttpClient is for destinations that speak HTTP. Connections to FastCGI applications are set in FastCgi: HttpClient.MaxConnectionsPerServer is FastCgi.MaxConnections there.")]
    [InlineData("'Destinations': { 'a': { 'Address': 'fastcgi://a' } }, 'FastCgi': { 'MaxConnections': 1, 'QueueTimeout': '00:00:30' }, 'Timeouts': { 'FirstByte': '00:00:20' }",
        "FastCgi.QueueTimeout (00:00:30) is longer than Timeouts.FirstByte (00:00:20), which includes it. Shorten QueueTimeout, or lengthen FirstByte.")]
    public async Task What_does_not_go_together_is_an_error(string cluster, string error) =>
        Assert.Equal([$"Cluster 'c': {error}"], await Misconfigured.JsonErrorsAsync($"{{ 'Clusters': {{ 'c': {{ {cluster} }} }} }}"));

    [Fact]
    public async Task An_endless_idle_time_and_no_queue_are_allowed()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy(),
            app => app.MapProxy("/", "fastcgi://a", "fastcgi://unix:/run/b.sock").WithFastCgiConnections(f =>
            {
                f.MaxConnections = 1;
                f.IdleTimeout = Timeout.InfiniteTimeSpan;
                f.QueueLimit = 0;
            }));
    }

    [Fact]
    public async Task The_forwarder_for_an_apps_own_endpoints_says_what_FastCGI_needs()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy(),
            app => app.MapGet("/", static (Microsoft.AspNetCore.Http.HttpContext context, IProxyForwarder forwarder) => forwarder.ForwardAsync(context, "fastcgi://a")));

        var error = await Assert.ThrowsAsync<ArgumentException>(() => app.Client.GetAsync("/"));
        Assert.StartsWith("'fastcgi://a' speaks FastCGI, which needs a route or a cluster: app.MapProxy(…, \"fastcgi://a\").", error.Message, StringComparison.Ordinal);
    }
}
