using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.Health;

/// <summary>Passive health checks and circuit breakers in code and in JSON are the same; what is wrong with them is said at start-up.</summary>
public class PassiveHealthConfigurationTests
{
    [Fact]
    public async Task Steps_set_what_they_say_and_leave_the_rest()
    {
        var cluster = await CodeAsync(c => c
            .WithOutlierEjection(o => o.Factor = 3)
            .WithPassiveHealthChecks(p => (p.ReactivationPeriod, p.MaxEjectedPercent, p.FailureStatuses) = (TimeSpan.FromSeconds(30), 20, "500-599"))
            .WithPassiveHealthChecks(2)
            .WithCircuitBreaker(b => b.BreakDuration = TimeSpan.FromSeconds(9))
            .WithCircuitBreaker(b => b.ProbeRequests = 4));

        Assert.Equal(
            new PassiveHealthCheckConfig
            {
                Enabled = true,
                ConsecutiveFailures = 2,
                FailureStatuses = "500-599",
                ReactivationPeriod = TimeSpan.FromSeconds(30),
                MaxEjectedPercent = 20,
                OutlierEjection = new() { Factor = 3 },
            },
            cluster.HealthCheck.Passive);
        Assert.Equal(new CircuitBreakerConfig { BreakDuration = TimeSpan.FromSeconds(9), ProbeRequests = 4 }, cluster.CircuitBreaker);
    }

    [Fact]
    public async Task Steps_without_settings_are_the_defaults()
    {
        var cluster = await CodeAsync(c => c.WithPassiveHealthChecks().WithCircuitBreaker());
        var outliers = await CodeAsync(c => c.WithOutlierEjection());
        var none = await CodeAsync(_ => { });

        Assert.Equal(new PassiveHealthCheckConfig { Enabled = true }, cluster.HealthCheck.Passive);
        Assert.Equal(new CircuitBreakerConfig(), cluster.CircuitBreaker);
        Assert.Equal(new PassiveHealthCheckConfig { Enabled = true, OutlierEjection = new() }, outliers.HealthCheck.Passive);
        Assert.Null(none.HealthCheck.Passive.Enabled);
        Assert.Null(none.CircuitBreaker);
    }

    [Fact]
    public async Task The_step_for_all_health_checks_has_the_passive_settings_too()
    {
        var cluster = await CodeAsync(c => c.WithPassiveHealthChecks(7).WithHealthChecks(h => h.Passive.MaxEjectedPercent = 30));

        Assert.Equal(new PassiveHealthCheckConfig { Enabled = true, ConsecutiveFailures = 7, MaxEjectedPercent = 30 }, cluster.HealthCheck.Passive);
    }

    [Fact]
    public async Task Every_key_is_read_from_json()
    {
        var cluster = await JsonAsync(
            """
            'HealthCheck':{'Passive':{'Enabled':true,'Policy':'consecutiveFailures','ConsecutiveFailures':7,'FailureRate':0.25,'Window':'00:00:20','MinimumRequests':11,
              'FailureStatuses':'500','OutlierEjection':{'Interval':'00:00:05','Factor':2.5,'Tolerance':'0.1','MinimumDestinations':3,'MinimumRequests':12,'FailureStatuses':'400-599'},
              'ReactivationPeriod':'00:00:02','MaxReactivationPeriod':'00:00:03','MaxEjectedPercent':'25'}},
            'CircuitBreaker':{'FailureRatio':0.75,'SamplingDuration':'00:00:07','MinimumThroughput':8,'BreakDuration':'00:00:09','ProbeRequests':10,'FailureStatuses':'503'}
            """);

        Assert.Equal(
            new PassiveHealthCheckConfig
            {
                Enabled = true,
                Policy = PassiveHealthPolicy.ConsecutiveFailures,
                ConsecutiveFailures = 7,
                FailureRate = 0.25,
                Window = TimeSpan.FromSeconds(20),
                MinimumRequests = 11,
                FailureStatuses = "500",
                OutlierEjection = new()
                {
                    Interval = TimeSpan.FromSeconds(5), Factor = 2.5, Tolerance = 0.1, MinimumDestinations = 3, MinimumRequests = 12, FailureStatuses = "400-599",
                },
                ReactivationPeriod = TimeSpan.FromSeconds(2),
                MaxReactivationPeriod = TimeSpan.FromSeconds(3),
                MaxEjectedPercent = 25,
            },
            cluster.HealthCheck.Passive);
        Assert.Equal(
            new CircuitBreakerConfig
            {
                FailureRatio = 0.75, SamplingDuration = TimeSpan.FromSeconds(7), MinimumThroughput = 8, BreakDuration = TimeSpan.FromSeconds(9), ProbeRequests = 10, FailureStatuses = "503",
            },
            cluster.CircuitBreaker);
    }

    [Theory]
    [InlineData("", 0.3)]
    [InlineData("'FailureRate':0.4,", 0.4)]
    public async Task A_section_of_yarp_loads_unchanged(string ours, double rate)
    {
        var cluster = await JsonAsync("'HealthCheck':{'Passive':{" + ours + "'Enabled':'true','Policy':'TransportFailureRate','ReactivationPeriod':'00:02:00'}}");
        var withLimit = await JsonAsync(
            "'HealthCheck':{'Passive':{" + ours + "'Enabled':true,'Policy':'TransportFailureRate'}},'Metadata':{'TransportFailureRateHealthPolicy.RateLimit':'0.5'}");

        Assert.Equal(
            new PassiveHealthCheckConfig { Enabled = true, Policy = PassiveHealthPolicy.TransportFailureRate, FailureRate = rate, ReactivationPeriod = TimeSpan.FromMinutes(2) },
            cluster.HealthCheck.Passive);
        Assert.Equal(ours.Length == 0 ? 0.5 : 0.4, withLimit.HealthCheck.Passive.FailureRate);
    }

    [Theory]
    [InlineData("'Metadata':{'TransportFailureRateHealthPolicy.RateLimit':'1.5'},'HealthCheck':{'Passive':{'Enabled':true}}",
        "ReverseProxy:Clusters:c:HealthCheck:Passive: the cluster's Metadata 'TransportFailureRateHealthPolicy.RateLimit' is '1.5'; it must be above 0 and at most 1.")]
    [InlineData("'HealthCheck':{'Passive':{'Policy':'Mine'}}", "HealthCheck:Passive:Policy: 'Mine' is not allowed; it must be Any, ConsecutiveFailures, TransportFailureRate.")]
    [InlineData("'HealthCheck':{'Passive':{'ConsecutiveFailures':-1}}", "HealthCheck.Passive.ConsecutiveFailures is -1; it must be at least 1, or 0 to switch it off.")]
    [InlineData("'HealthCheck':{'Passive':{'FailureRate':1.01}}", "HealthCheck.Passive.FailureRate is 1.01; it must be 0 to 1, 0 to switch it off.")]
    [InlineData("'HealthCheck':{'Passive':{'Window':'00:00:00'}}", "HealthCheck.Passive.Window is 00:00:00; it must be 00:00:00.1 to 01:00:00.")]
    [InlineData("'HealthCheck':{'Passive':{'Window':'02:00:00'}}", "HealthCheck.Passive.Window is 02:00:00; it must be")]
    [InlineData("'HealthCheck':{'Passive':{'MinimumRequests':0}}", "HealthCheck.Passive.MinimumRequests is 0; it must be at least 1.")]
    [InlineData("'HealthCheck':{'Passive':{'FailureStatuses':'5xx'}}", "HealthCheck.Passive.FailureStatuses '5xx' is not allowed; it must be status codes and ranges of them from 100 to 599, such as 200-299,404.")]
    [InlineData("'HealthCheck':{'Passive':{'ReactivationPeriod':'00:00:00'}}", "HealthCheck.Passive.ReactivationPeriod is 00:00:00; it must be 00:00:00.001 to 24 hours.")]
    [InlineData("'HealthCheck':{'Passive':{'MaxReactivationPeriod':'2.00:00:00'}}", "HealthCheck.Passive.MaxReactivationPeriod is 2.00:00:00; it must be")]
    [InlineData("'HealthCheck':{'Passive':{'MaxEjectedPercent':101}}", "HealthCheck.Passive.MaxEjectedPercent is 101; it must be 0 to 100.")]
    [InlineData("'HealthCheck':{'Passive':{'Enabled':true,'ConsecutiveFailures':0,'FailureRate':0}}", "HealthCheck.Passive is enabled, but nothing can eject a destination: with Policy Any, ConsecutiveFailures and FailureRate are 0.")]
    [InlineData("'HealthCheck':{'Passive':{'Enabled':true,'Policy':'ConsecutiveFailures','ConsecutiveFailures':0}}", "with Policy ConsecutiveFailures, ConsecutiveFailures is 0.")]
    [InlineData("'HealthCheck':{'Passive':{'Enabled':true,'Policy':'TransportFailureRate','FailureRate':0}}", "with Policy TransportFailureRate, FailureRate is 0.")]
    [InlineData("'HealthCheck':{'Passive':{'OutlierEjection':{'Interval':'00:00:00.05'}}}", "HealthCheck.Passive.OutlierEjection.Interval is 00:00:00.0500000; it must be")]
    [InlineData("'HealthCheck':{'Passive':{'OutlierEjection':{'Factor':0}}}", "OutlierEjection.Factor is 0; it must be above 0 and at most 10.")]
    [InlineData("'HealthCheck':{'Passive':{'OutlierEjection':{'Tolerance':-0.5}}}", "OutlierEjection.Tolerance is -0.5; it must be 0 to 1.")]
    [InlineData("'HealthCheck':{'Passive':{'OutlierEjection':{'MinimumDestinations':1}}}", "OutlierEjection.MinimumDestinations is 1; it must be at least 2.")]
    [InlineData("'HealthCheck':{'Passive':{'OutlierEjection':{'MinimumRequests':0}}}", "OutlierEjection.MinimumRequests is 0; it must be at least 1.")]
    [InlineData("'HealthCheck':{'Passive':{'OutlierEjection':{'FailureStatuses':'600'}}}", "OutlierEjection.FailureStatuses '600' is not allowed")]
    [InlineData("'CircuitBreaker':{'FailureRatio':0}", "CircuitBreaker.FailureRatio is 0; it must be above 0 and at most 1.")]
    [InlineData("'CircuitBreaker':{'SamplingDuration':'00:00:00.4'}", "CircuitBreaker.SamplingDuration is 00:00:00.4000000; it must be 00:00:00.5 to 24 hours.")]
    [InlineData("'CircuitBreaker':{'BreakDuration':'2.00:00:00'}", "CircuitBreaker.BreakDuration is 2.00:00:00; it must be 00:00:00.5 to 24 hours.")]
    [InlineData("'CircuitBreaker':{'MinimumThroughput':1}", "CircuitBreaker.MinimumThroughput is 1; it must be at least 2.")]
    [InlineData("'CircuitBreaker':{'ProbeRequests':0}", "CircuitBreaker.ProbeRequests is 0; it must be at least 1.")]
    [InlineData("'CircuitBreaker':{'FailureStatuses':''}", "CircuitBreaker.FailureStatuses '' is not allowed")]
    public async Task A_mistake_names_the_value_and_what_is_allowed(string keys, string expected)
    {
        var error = Assert.Single(await Misconfigured.JsonErrorsAsync($"{{'Clusters':{{'c':{{{keys}}}}}}}"));

        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Contains(error.StartsWith("ReverseProxy:", StringComparison.Ordinal) ? ":c:" : "Cluster 'c'", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_bounds_themselves_are_allowed()
    {
        await CodeAsync(c => c.WithCircuitBreaker(b =>
        {
            (b.FailureRatio, b.MinimumThroughput, b.SamplingDuration, b.BreakDuration) = (1, 2, TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(0.5));
        }));
        await CodeAsync(c => c.WithCircuitBreaker(b => (b.FailureRatio, b.SamplingDuration, b.BreakDuration) = (0.001, TimeSpan.FromHours(24), TimeSpan.FromHours(24))));
        await CodeAsync(c => c.WithPassiveHealthChecks(p => (p.FailureRate, p.Window, p.ReactivationPeriod, p.MaxReactivationPeriod) = (1, TimeSpan.FromSeconds(0.1), TimeSpan.FromHours(24), TimeSpan.FromMilliseconds(1))));
    }

    private static async Task<ClusterConfig> CodeAsync(Action<ClusterBuilder> configure)
    {
        await using var app = await ProxyApp.StartAsync(services => services.AddReverseProxy().AddCluster("c", c => configure(c.To("http://a.test"))), _ => { });
        return app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters[0];
    }

    private static async Task<ClusterConfig> JsonAsync(string keys)
    {
        await using var app = await ProxyApp.StartAsync(services => services.AddReverseProxy().LoadFromConfig(Misconfigured.Json($"{{'Clusters':{{'c':{{{keys}}}}}}}")), app => app.MapReverseProxy());
        return app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters[0];
    }
}
