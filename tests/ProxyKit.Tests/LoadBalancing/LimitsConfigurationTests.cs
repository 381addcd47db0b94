using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.LoadBalancing;

public class LimitsConfigurationTests
{
    [Fact]
    public async Task Steps_and_JSON_say_the_same()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy()
                .AddCluster("code", c => c.To("http://a").WithConcurrencyLimits(4).WithConcurrencyLimits(l =>
                {
                    l.MaxConcurrentRequests = 10;
                    l.QueueLimit = 50;
                    l.QueueTimeout = TimeSpan.FromSeconds(3);
                    l.RetryAfter = TimeSpan.FromSeconds(1);
                }))
                .AddCluster("code-defaults", c => c.To("http://a").WithConcurrencyLimits(4))
                .LoadFromConfig(Misconfigured.Json("""
                    { 'Clusters': {
                        'json': { 'Destinations': { 'a': { 'Address': 'http://a' } }, 'Limits': {
                            'MaxConcurrentRequests': 10, 'MaxConcurrentRequestsPerDestination': 4, 'QueueLimit': 50, 'QueueTimeout': '00:00:03', 'RetryAfter': '00:00:01' } },
                        'json-defaults': { 'Destinations': { 'a': { 'Address': 'http://a' } }, 'Limits': { 'MaxConcurrentRequestsPerDestination': 4 } },
                        'none': { 'Destinations': { 'a': { 'Address': 'http://a' } } } } }
                    """)),
            app => app.MapProxy("/", "code"));

        var limits = app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters.ToDictionary(c => c.ClusterId, c => c.Limits);
        Assert.Equal(new() { MaxConcurrentRequests = 10, MaxConcurrentRequestsPerDestination = 4, QueueLimit = 50, QueueTimeout = TimeSpan.FromSeconds(3), RetryAfter = TimeSpan.FromSeconds(1) }, limits["code"]);
        Assert.Equal(limits["code"], limits["json"]);
        Assert.Equal(new() { MaxConcurrentRequestsPerDestination = 4, QueueLimit = 1000, QueueTimeout = TimeSpan.FromSeconds(10), RetryAfter = TimeSpan.FromSeconds(10) }, limits["code-defaults"]);
        Assert.Equal(limits["code-defaults"], limits["json-defaults"]);
        Assert.Null(limits["none"]);
    }

    [Fact]
    public async Task Without_limits_nobody_stands_in_the_way()
    {
        await using var app = await ProxyApp.StartAsync(new Recorder());

        await app.Client.GetAsync("/");

        var outcome = await app.OutcomeAsync();
        Assert.Null(outcome.Owner.Limiter);
        Assert.Null(outcome.Destination!.MaxConcurrentRequests);
    }

    [Fact]
    public async Task What_is_wrong_is_said_all_at_once()
    {
        var errors = await Misconfigured.JsonErrorsAsync("""
            { 'Clusters': { 'c': { 'Destinations': { 'a': { 'Address': 'http://a' } }, 'Limits': {
                'MaxConcurrentRequests': 0, 'MaxConcurrentRequestsPerDestination': -1, 'QueueLimit': 1000001, 'QueueTimeout': '00:00:00', 'RetryAfter': '1.00:00:01' } } } }
            """);

        Assert.Equal(
        [
            "Cluster 'c': Limits.MaxConcurrentRequests is 0; it must be at least 1.",
            "Cluster 'c': Limits.MaxConcurrentRequestsPerDestination is -1; it must be at least 1.",
            "Cluster 'c': Limits.QueueLimit is 1000001; it must be 0 to 1000000.",
            "Cluster 'c': Limits.QueueTimeout is 00:00:00; it must be positive and at most 1 day, or -00:00:00.0010000 for none. For no queue set QueueLimit to 0.",
            "Cluster 'c': Limits.RetryAfter is 1.00:00:01; it must be 00:00:00 (no such header) to 1 day.",
        ], errors);
    }

    [Fact]
    public async Task Limits_that_limit_nothing_are_an_error()
    {
        var error = "Cluster 'c': Limits limits nothing. It needs MaxConcurrentRequests, MaxConcurrentRequestsPerDestination, or a destination with MaxConcurrentRequests.";

        Assert.Equal([error], await Misconfigured.JsonErrorsAsync("""{ 'Clusters': { 'c': { 'Destinations': { 'a': { 'Address': 'http://a' } }, 'Limits': { 'QueueLimit': 5 } } } }"""));

        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy().LoadFromConfig(Misconfigured.Json("""
                { 'Clusters': { 'c': { 'Destinations': { 'a': { 'Address': 'http://a', 'MaxConcurrentRequests': 3 } }, 'Limits': { 'QueueLimit': 5 } } } }
                """)),
            app => app.MapProxy("/", "c"));
    }

    [Fact]
    public async Task A_limit_below_one_in_code_is_said_with_all_else_that_is_wrong() =>
        Assert.Equal(
            ["Cluster '/': Limits.MaxConcurrentRequestsPerDestination is 0; it must be at least 1."],
            await Misconfigured.ErrorsAsync(app => app.MapProxy("/", "http://a").WithConcurrencyLimits(0)));
}
