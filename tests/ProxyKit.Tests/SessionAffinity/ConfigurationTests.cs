using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.SessionAffinity;

public class ConfigurationTests
{
    [Fact]
    public async Task A_section_of_YARPs_loads_unchanged()
    {
        // Of YARP's documentation.
        var config = await LoadAsync("""
            'Enabled': true,
            'Policy': 'HashCookie',
            'FailurePolicy': 'Redistribute',
            'AffinityKeyName': 'Key1',
            'Cookie': {
              'Domain': 'localhost', 'Expiration': '03:00:00', 'HttpOnly': true, 'IsEssential': true, 'MaxAge': '1.00:00:00', 'Path': 'mypath', 'SameSite': 'Strict', 'SecurePolicy': 'Always'
            }
            """);

        Assert.Equal(
            new SessionAffinityConfig
            {
                Enabled = true,
                Policy = "HashCookie",
                AffinityKeyName = "Key1",
                Cookie = new()
                {
                    Domain = "localhost",
                    Expiration = TimeSpan.FromHours(3),
                    MaxAge = TimeSpan.FromDays(1),
                    Path = "mypath",
                    SameSite = SameSiteMode.Strict,
                    SecurePolicy = CookieSecurePolicy.Always,
                },
            },
            config);
    }

    [Fact]
    public async Task Code_and_JSON_make_the_same()
    {
        var json = await LoadAsync("""
            'Enabled': true, 'Policy': 'Learn', 'AffinityKeyName': 'SID', 'FailurePolicy': 'return503error', 'Cookie': { 'MaxAge': '01:00:00', 'SlidingExpiration': true },
            'Learn': { 'MaxSessions': 5, 'IdleTimeout': '00:05:00' }
            """);

        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy(),
            app => app.MapProxy("/", "http://a")
                .WithSessionAffinity("SID")
                .WithSessionAffinity(o =>
                {
                    o.Policy = SessionAffinityPolicies.Learn;
                    o.FailurePolicy = SessionAffinityFailurePolicy.Return503Error;
                    o.Cookie.MaxAge = TimeSpan.FromHours(1);
                    o.Cookie.SlidingExpiration = true;
                    o.Learn.MaxSessions = 5;
                    o.Learn.IdleTimeout = TimeSpan.FromMinutes(5);
                }));

        Assert.Equal(json, app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters[0].SessionAffinity);
    }

    [Fact]
    public async Task It_is_off_unless_switched_on_and_then_nothing_is_needed()
    {
        Assert.False((await LoadAsync("'Policy': 'Cookie'")).Enabled);
        Assert.True((await LoadAsync("'Enabled': 'true'")).Enabled);
    }

    [Theory]
    [InlineData("'Policy':'HashCokie'", "Cluster 'c': there is no session affinity policy 'HashCokie'. Did you mean 'HashCookie'?")]
    [InlineData("'Policy':'Cookie'", "Cluster 'c': SessionAffinity.Policy 'Cookie' encrypts with data protection: call builder.Services.AddDataProtection(), or take HashCookie, which needs no keys.")]
    [InlineData("'Policy':'CustomHeader'", "Cluster 'c': SessionAffinity.AffinityKeyName is missing; the policy 'CustomHeader' needs the name of a header.")]
    [InlineData("'Policy':'learn'", "Cluster 'c': SessionAffinity.AffinityKeyName is missing; the policy 'learn' needs the name of the application's session cookie.")]
    [InlineData("'AffinityKeyName':'a b'", "Cluster 'c': SessionAffinity.AffinityKeyName 'a b' is not a token (letters, digits and !#$%&'*+-.^_`|~).")]
    [InlineData("'Policy':'CustomHeader','AffinityKeyName':'Connection'", "Cluster 'c': SessionAffinity.AffinityKeyName 'Connection' is a header with a meaning of its own; it must be one that nothing else uses, such as X-Session-Affinity.")]
    [InlineData("'Policy':'CustomHeader','AffinityKeyName':'cookie'", "Cluster 'c': SessionAffinity.AffinityKeyName 'cookie' is a header with a meaning of its own; it must be one that nothing else uses, such as X-Session-Affinity.")]
    [InlineData("'Secret':'short'", "Cluster 'c': SessionAffinity.Secret has 5 characters; it must have at least 16.")]
    [InlineData("'Policy':'ArrCookie','Secret':'0123456789abcdef'", "Cluster 'c': SessionAffinity.Secret has no effect with the policy 'ArrCookie'; it is for HashCookie and CustomHeader.")]
    [InlineData("'Cookie':{'Domain':'a;b'}", "Cluster 'c': SessionAffinity.Cookie.Domain 'a;b' must not be empty, nor hold a space, a control, a comma or a semicolon.")]
    [InlineData("'Cookie':{'Path':'/a b'}", "Cluster 'c': SessionAffinity.Cookie.Path '/a b' must not be empty, nor hold a space, a control, a comma or a semicolon.")]
    [InlineData("'Cookie':{'MaxAge':'00:00:00'}", "Cluster 'c': SessionAffinity.Cookie.MaxAge is 00:00:00; it must be positive.")]
    [InlineData("'Cookie':{'Expiration':'-01:00:00'}", "Cluster 'c': SessionAffinity.Cookie.Expiration is -01:00:00; it must be positive.")]
    [InlineData("'Cookie':{'SlidingExpiration':true}", "Cluster 'c': SessionAffinity.Cookie.SlidingExpiration needs MaxAge or Expiration; without them the cookie lives as long as the browser's session.")]
    [InlineData("'Cookie':{'SameSite':'None','SecurePolicy':'None'}", "Cluster 'c': SessionAffinity.Cookie.SameSite is None with SecurePolicy None; browsers refuse that. SecurePolicy must be Always or SameAsRequest.")]
    [InlineData("'Learn':{'MaxSessions':5}", "Cluster 'c': SessionAffinity.Learn has no effect with the policy 'HashCookie'; it is for Learn.")]
    [InlineData("'Policy':'Learn','AffinityKeyName':'S','Learn':{'MaxSessions':0}", "Cluster 'c': SessionAffinity.Learn.MaxSessions is 0; it must be 1 to 10000000.")]
    [InlineData("'Policy':'Learn','AffinityKeyName':'S','Learn':{'IdleTimeout':'00:00:00'}", "Cluster 'c': SessionAffinity.Learn.IdleTimeout is 00:00:00; it must be positive.")]
    [InlineData("'FailurePolicy':'Return502'", "ReverseProxy:Clusters:c:SessionAffinity:FailurePolicy: 'Return502' is not allowed; it must be Redistribute, Return503Error.")]
    [InlineData("'CookieName':'x'", "ReverseProxy:Clusters:c:SessionAffinity:CookieName is not a known key.")]
    [InlineData("'Cookie':{'Name':'x'}", "ReverseProxy:Clusters:c:SessionAffinity:Cookie:Name is not a known key.")]
    [InlineData("'Learn':{'Size':'x'}", "ReverseProxy:Clusters:c:SessionAffinity:Learn:Size is not a known key.")]
    public async Task What_is_wrong_is_said(string keys, string expected)
    {
        var errors = await Misconfigured.JsonErrorsAsync($"{{'Clusters':{{'c':{{'SessionAffinity':{{'Enabled':true,{keys}}}}}}}}}");

        Assert.StartsWith(expected, Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task On_a_route_of_a_shared_cluster_the_step_says_where_it_belongs()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy().AddCluster("c", c => c.To("http://a")), app => app.MapProxy("/", "c").WithSessionAffinity());

        Assert.StartsWith("Route '/': WithSessionAffinity concerns the cluster, and 'c' is shared.", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public void The_secret_does_not_get_into_logs() =>
        Assert.DoesNotContain("0123456789abcdef", new ClusterConfig { ClusterId = "c", SessionAffinity = new() { Secret = "0123456789abcdef" } }.ToString(), StringComparison.Ordinal);

    private static async Task<SessionAffinityConfig> LoadAsync(string keys)
    {
        var section = Misconfigured.Json($"{{'Clusters':{{'c':{{'SessionAffinity':{{{keys}}}}}}}}}");
        await using var app = await ProxyApp.StartAsync(services => services.AddReverseProxy().LoadFromConfig(section), app => app.MapReverseProxy());
        return app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters[0].SessionAffinity!;
    }
}
