using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Configuration;

namespace ProxyKit.Tests.Health;

/// <summary>Health checks in code and in JSON.</summary>
public class HealthCheckConfigTests
{
    [Fact]
    public void YARPs_section_loads_unchanged()
    {
        var cluster = Read("""
            {
              'HealthCheck': {
                'AvailableDestinationsPolicy': 'HealthyOrPanic',
                'Active': { 'Enabled': 'true', 'Interval': '00:00:20', 'Timeout': '00:00:05', 'Policy': 'ConsecutiveFailures', 'Path': '/api/health', 'Query': '?foo=bar' }
              },
              'Metadata': { 'ConsecutiveFailuresHealthPolicy.Threshold': '3' },
              'Destinations': { 'd': { 'Address': 'https://localhost:10000/', 'Health': 'http://localhost:3500/' } }
            }
            """);

        Assert.Equal(
            new HealthCheckConfig
            {
                AvailableDestinationsPolicy = AvailableDestinationsPolicy.HealthyOrPanic,
                Active = new() { Enabled = true, Interval = TimeSpan.FromSeconds(20), Timeout = TimeSpan.FromSeconds(5), Path = "/api/health", Query = "?foo=bar", Fall = 3 },
            },
            cluster.HealthCheck);
        Assert.Equal("http://localhost:3500/", Assert.Single(cluster.Destinations).Health);
    }

    [Theory]
    [InlineData("{ 'Active': { 'Fall': 4 } }", "3", 4)]
    [InlineData("{ 'Active': { 'Enabled': true } }", "2.5", 3)]
    [InlineData("{ 'Active': { 'Enabled': true } }", null, 2)]
    public void YARPs_threshold_is_Fall_where_that_is_not_given(string check, string? threshold, int fall)
    {
        var metadata = threshold is null ? "{}" : $"{{ 'ConsecutiveFailuresHealthPolicy.Threshold': '{threshold}' }}";

        Assert.Equal(fall, Read($"{{ 'HealthCheck': {check}, 'Metadata': {metadata} }}").HealthCheck.Active.Fall);
    }

    [Fact]
    public void Every_setting_is_the_same_in_code_and_in_JSON()
    {
        var json = Read("""
            {
              'HealthCheck': {
                'AvailableDestinationsPolicy': 'HealthyOrPanic', 'PanicThreshold': 40, 'SlowStart': '00:00:30',
                'Active': {
                  'Enabled': true, 'Probe': 'Http', 'Interval': '00:00:01', 'IntervalWhenDown': '00:00:02', 'Jitter': 0.25, 'Timeout': '00:00:03', 'Rise': 4, 'Fall': 5,
                  'StartupWait': '00:00:06', 'Path': '/a', 'Query': 'b=c', 'Method': 'POST', 'Headers': { 'X': 'y' }, 'Host': 'example.com', 'ExpectedStatus': '200,301',
                  'ExpectedBody': 'ok', 'Version': '2', 'VersionPolicy': 'RequestVersionExact'
                }
              }
            }
            """);

        var code = Build(c => c.WithHealthChecks(h =>
        {
            h.AvailableDestinationsPolicy = AvailableDestinationsPolicy.HealthyOrPanic;
            h.PanicThreshold = 40;
            h.SlowStart = TimeSpan.FromSeconds(30);
            h.Passive.Enabled = null;
            h.Active.Interval = TimeSpan.FromSeconds(1);
            h.Active.IntervalWhenDown = TimeSpan.FromSeconds(2);
            h.Active.Jitter = 0.25;
            h.Active.Timeout = TimeSpan.FromSeconds(3);
            h.Active.Rise = 4;
            h.Active.Fall = 5;
            h.Active.StartupWait = TimeSpan.FromSeconds(6);
            h.Active.Path = "/a";
            h.Active.Query = "b=c";
            h.Active.Method = "POST";
            h.Active.Headers["X"] = "y";
            h.Active.Host = "example.com";
            h.Active.ExpectedStatus = "200,301";
            h.Active.ExpectedBody = "ok";
            h.Active.Version = new(2, 0);
            h.Active.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        }));

        Assert.Equal(json.HealthCheck, code.HealthCheck);
        Assert.Equal(code.HealthCheck, Build(c => c.WithHealthChecks(h => { }), code).HealthCheck with { Passive = code.HealthCheck.Passive }); // calls add up
        Assert.Equal(
            Read("{ 'HealthCheck': { 'Active': { 'Enabled': true, 'Probe': 'Grpc', 'GrpcService': 'orders' } } }").HealthCheck.Active,
            Build(c => c.WithHealthChecks(h => (h.Active.Probe, h.Active.GrpcService) = (HealthProbe.Grpc, "orders"))).HealthCheck.Active);
        Assert.Equal("up", Read("{ 'HealthCheck': { 'Active': { 'ExpectedBodyPattern': 'up' } } }").HealthCheck.Active.ExpectedBodyPattern);
    }

    [Fact]
    public void The_step_alone_asks_for_a_connection_and_watches_requests()
    {
        var check = Build(c => c.WithHealthChecks()).HealthCheck;

        Assert.Equal(new ActiveHealthCheckConfig { Enabled = true, Probe = HealthProbe.Tcp }, check.Active);
        Assert.True(check.Passive.Enabled);
    }

    [Fact]
    public void The_step_with_a_path_asks_for_it_whatever_steps_there_were_before()
    {
        var check = Build(c => c.WithHealthChecks().WithHealthChecks("/healthz")).HealthCheck;

        Assert.Equal(new ActiveHealthCheckConfig { Enabled = true, Path = "/healthz" }, check.Active);
        Assert.True(check.Passive.Enabled);
        Assert.Equal(check, Build(c => c.WithHealthChecks().WithHealthChecks(h => h.Active.Path = "/healthz")).HealthCheck);
    }

    [Fact]
    public async Task A_step_on_a_route_concerns_its_own_cluster()
    {
        await using var app = await ProxyApp.StartAsync(new Recorder(), route => route.WithHealthChecks("/healthz"));

        Assert.Equal("/healthz", Assert.Single(app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters).HealthCheck.Active.Path);
    }

    [Theory]
    [InlineData("{ 'PanicThreshold': 101 }", "Cluster 'c': HealthCheck.PanicThreshold is 101; it is a percentage, 0 to 100.")]
    [InlineData("{ 'SlowStart': '2.00:00:00' }", "Cluster 'c': HealthCheck.SlowStart is 2.00:00:00; it must be 00:00:00 (off) to 1.00:00:00.")]
    [InlineData("{ 'AvailableDestinationsPolicy': 'Some' }", "ReverseProxy:Clusters:c:HealthCheck:AvailableDestinationsPolicy: 'Some' is not allowed; it must be HealthyAndUnknown, HealthyOrPanic.")]
    [InlineData("{ 'Active': { 'Interval': '00:00:00' } }", "Cluster 'c': HealthCheck.Active.Interval is 00:00:00; it must be positive and at most 24 days.")]
    [InlineData("{ 'Active': { 'IntervalWhenDown': '-00:00:01' } }", "Cluster 'c': HealthCheck.Active.IntervalWhenDown is -00:00:01; it must be positive and at most 24 days.")]
    [InlineData("{ 'Active': { 'Timeout': '25.00:00:00' } }", "Cluster 'c': HealthCheck.Active.Timeout is 25.00:00:00; it must be positive and at most 24 days.")]
    [InlineData("{ 'Active': { 'StartupWait': '-00:00:01' } }", "Cluster 'c': HealthCheck.Active.StartupWait is -00:00:01; it must be 00:00:00 (not at all) to 24 days.")]
    [InlineData("{ 'Active': { 'Jitter': 0.6 } }", "Cluster 'c': HealthCheck.Active.Jitter is 0.6; it must be 0 to 0.5.")]
    [InlineData("{ 'Active': { 'Jitter': 'much' } }", "ReverseProxy:Clusters:c:HealthCheck:Active:Jitter: 'much' is not allowed; it must be a number.")]
    [InlineData("{ 'Active': { 'Rise': 0 } }", "Cluster 'c': HealthCheck.Active.Rise is 0; it must be at least 1.")]
    [InlineData("{ 'Active': { 'Fall': 0 } }", "Cluster 'c': HealthCheck.Active.Fall is 0; it must be at least 1.")]
    [InlineData("{ 'Active': { 'Policy': 'Mine' } }", "ReverseProxy:Clusters:c:HealthCheck:Active:Policy: 'Mine' is not allowed; it must be ConsecutiveFailures, whose thresholds are Rise and Fall.")]
    [InlineData("{ 'Active': { 'Path': 'up' } }", "Cluster 'c': HealthCheck.Active.Path 'up' must begin with a slash and hold no query, fragment or space; the query has a key of its own, Query.")]
    [InlineData("{ 'Active': { 'Path': '/up?a=b' } }", "Cluster 'c': HealthCheck.Active.Path '/up?a=b' must begin with a slash and hold no query, fragment or space; the query has a key of its own, Query.")]
    [InlineData("{ 'Active': { 'Query': 'a b' } }", "Cluster 'c': HealthCheck.Active.Query 'a b' must hold no fragment or space.")]
    [InlineData("{ 'Active': { 'Method': 'G T' } }", "Cluster 'c': HealthCheck.Active.Method 'G T' is not a method name.")]
    [InlineData("{ 'Active': { 'Host': 'a/b' } }", "Cluster 'c': HealthCheck.Active.Host 'a/b' is not a host name.")]
    [InlineData("{ 'Active': { 'Headers': { 'a b': 'c' } } }", "Cluster 'c': HealthCheck.Active.Headers: 'a b' is not a header name.")]
    [InlineData("{ 'Active': { 'Headers': { 'Host': 'c' } } }", "Cluster 'c': HealthCheck.Active.Headers: 'Host' cannot be set here; it has a key of its own, Host.")]
    [InlineData("{ 'Active': { 'Headers': { 'content-length': '5' } } }", "Cluster 'c': HealthCheck.Active.Headers: 'content-length' cannot be set here.")]
    [InlineData("{ 'Active': { 'Headers': { 'X': 'a\\nb' } } }", "Cluster 'c': HealthCheck.Active.Headers: the value of 'X' holds control characters.")]
    [InlineData("{ 'Active': { 'ExpectedStatus': '200-' } }", "Cluster 'c': HealthCheck.Active.ExpectedStatus '200-' is not allowed; it must be status codes and ranges of them from 100 to 599, such as 200-299,404.")]
    [InlineData("{ 'Active': { 'ExpectedBody': 'a', 'ExpectedBodyPattern': 'b' } }", "Cluster 'c': HealthCheck.Active: ExpectedBody ('a') and ExpectedBodyPattern ('b') exclude each other.")]
    [InlineData("{ 'Active': { 'ExpectedBody': 'a', 'Method': 'HEAD' } }", "Cluster 'c': HealthCheck.Active: the answer to HEAD has no body; ExpectedBody and ExpectedBodyPattern need another Method.")]
    [InlineData("{ 'Active': { 'Version': '1.5' } }", "Cluster 'c': HealthCheck.Active.Version '1.5' is not an HTTP version. Allowed are 1.0, 1.1, 2 and 3.")]
    [InlineData("{ 'Active': { 'Probe': 'Tcp', 'Path': '/up' } }", "Cluster 'c': HealthCheck.Active.Path is for Probe Http; here it is Tcp.")]
    [InlineData("{ 'Active': { 'Probe': 'Tcp', 'Headers': { 'X': 'y' } } }", "Cluster 'c': HealthCheck.Active: Headers and Host are not for Probe Tcp, which sends nothing.")]
    [InlineData("{ 'Active': { 'Probe': 'Grpc', 'ExpectedStatus': '200' } }", "Cluster 'c': HealthCheck.Active.ExpectedStatus is for Probe Http; here it is Grpc.")]
    [InlineData("{ 'Active': { 'GrpcService': 'x' } }", "Cluster 'c': HealthCheck.Active.GrpcService is for Probe Grpc; here it is Http.")]
    public async Task What_is_wrong_is_said_at_start_up(string check, string error)
    {
        Assert.Equal([error], await Misconfigured.JsonErrorsAsync($"{{ 'Clusters': {{ 'c': {{ 'HealthCheck': {check} }} }} }}"));
    }

    [Fact]
    public async Task A_bad_pattern_threshold_or_address_is_said_too()
    {
        var errors = await Misconfigured.JsonErrorsAsync("""
            {
              'Clusters': {
                'c': {
                  'HealthCheck': { 'Active': { 'ExpectedBodyPattern': '(' } },
                  'Metadata': { 'ConsecutiveFailuresHealthPolicy.Threshold': 'few' },
                  'Destinations': { 'd': { 'Address': 'http://a', 'Health': 'a:80' } }
                }
              }
            }
            """);

        Assert.Equal(3, errors.Count);
        Assert.Equal("ReverseProxy:Clusters:c:HealthCheck:Active: the cluster's Metadata 'ConsecutiveFailuresHealthPolicy.Threshold' is 'few'; it must be a positive number.", errors[0]);
        Assert.StartsWith("Cluster 'c': destination 'd': Health 'a:80' is not an address.", errors[1], StringComparison.Ordinal);
        Assert.StartsWith("Cluster 'c': HealthCheck.Active.ExpectedBodyPattern '(' is not a regular expression: ", errors[2], StringComparison.Ordinal);
    }

    private static ClusterConfig Read(string json)
    {
        var config = new ConfigurationConfigSource(Misconfigured.Json($"{{ 'Clusters': {{ 'c': {json} }} }}")).GetConfig();
        Assert.Empty(config.Errors);
        return Assert.Single(config.Clusters);
    }

    private static ClusterConfig Build(Action<ClusterBuilder> configure, ClusterConfig? start = null)
    {
        var builder = new ClusterBuilder("c");
        if (start is not null)
            builder.ConfigureCluster("start", _ => start);
        configure(builder);
        return builder.Config;
    }
}
