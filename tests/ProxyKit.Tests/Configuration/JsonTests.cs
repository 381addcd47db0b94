using System.Net;
using System.Security.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.Configuration;

/// <summary>A section in YARP's shape becomes the same records that code makes.</summary>
public class JsonTests
{
    private const string Everything =
        """
        {
          '$schema': 'https://example.test/schema.json',
          'Routes': {
            'all': {
              'ClusterId': 'main',
              'Order': -3,
              'Match': {
                'Path': '/shop/{**rest}',
                'Methods': [ 'GET', 'POST' ],
                'Hosts': [ 'shop.test', '*.shop.test:8080' ],
                'Headers': [
                  { 'Name': 'X-Kind', 'Values': [ 'a', 'b' ], 'Mode': 'HeaderPrefix', 'IsCaseSensitive': true },
                  { 'Name': 'X-There', 'Mode': 'Exists' }
                ],
                'QueryParameters': [
                  { 'Name': 'q', 'Values': [ '1' ], 'Mode': 'contains', 'IsCaseSensitive': 'True' },
                  { 'Name': 'r', 'Mode': 'Exists' }
                ]
              },
              'AuthorizationPolicy': 'anonymous',
              'RateLimiterPolicy': 'disable',
              'OutputCachePolicy': 'short',
              'CorsPolicy': 'disable',
              'Timeout': '00:00:20',
              'MaxRequestBodySize': 1000000,
              'Metadata': { 'Team': 'web' },
              'Transforms': [ { 'PathRemovePrefix': '/shop' }, { 'RequestHeader': 'X-A', 'Append': '1' } ]
            },
            'less': { 'ClusterId': 'other', 'Match': { 'Hosts': [ 'other.test' ] }, 'TimeoutPolicy': 'Disable' }
          },
          'Clusters': {
            'main': {
              'Destinations': {
                'one': { 'Address': 'https://10.0.0.1:8443/base', 'Host': 'shop.internal', 'Metadata': { 'Zone': 'a' } },
                'two': { 'Address': 'http://10.0.0.2' }
              },
              'HttpClient': {
                'SslProtocols': [ 'Tls12', 'Tls13' ],
                'MaxConnectionsPerServer': '10',
                'DangerousAcceptAnyServerCertificate': true,
                'RequestHeaderEncoding': 'utf-8',
                'ResponseHeaderEncoding': 'us-ascii',
                'EnableMultipleHttp2Connections': false,
                'WebProxy': { 'Address': 'http://proxy.test:3128', 'BypassOnLocal': true, 'UseDefaultCredentials': true }
              },
              'HttpRequest': { 'ActivityTimeout': '00:00:40', 'Version': '2', 'VersionPolicy': 'RequestVersionExact', 'AllowResponseBuffering': true },
              'Metadata': { 'Owner': 'us' }
            },
            'other': {
              'Destinations': [ { 'Address': 'http://10.0.0.3' } ],
              'Timeouts': { 'Connect': '00:00:02', 'FirstByte': '00:00:05', 'Idle': '00:01:00', 'Total': '-00:00:00.0010000' }
            }
          }
        }
        """;

    [Fact]
    public async Task A_section_in_YARPs_shape_becomes_the_same_records_that_code_makes()
    {
        await using var app = await StartAsync(Everything);
        var monitor = app.Services.GetRequiredService<ProxyConfigMonitor>();

        var all = new RouteConfig
        {
            RouteId = "all",
            ClusterId = "main",
            Order = -3,
            Match = new()
            {
                Path = "/shop/{**rest}",
                Methods = ["GET", "POST"],
                Hosts = ["shop.test", "*.shop.test:8080"],
                Headers = [new() { Name = "X-Kind", Values = ["a", "b"], Mode = HeaderMatchMode.HeaderPrefix, IsCaseSensitive = true }, new() { Name = "X-There", Mode = HeaderMatchMode.Exists }],
                QueryParameters = [new() { Name = "q", Values = ["1"], Mode = QueryParameterMatchMode.Contains, IsCaseSensitive = true }, new() { Name = "r", Mode = QueryParameterMatchMode.Exists }],
            },
            AuthorizationPolicy = "anonymous",
            RateLimiterPolicy = "disable",
            OutputCachePolicy = "short",
            CorsPolicy = "disable",
            Timeout = TimeSpan.FromSeconds(20),
            MaxRequestBodySize = 1_000_000,
            Metadata = new([new("Team", "web")]),
            Transforms = TransformBuilder.Build(t => t.RemovePathPrefix("/shop").AppendRequestHeader("X-A", "1")),
        };
        var less = new RouteConfig { RouteId = "less", ClusterId = "other", Match = new() { Hosts = ["other.test"] }, TimeoutPolicy = "Disable" };
        Assert.Equal([all, less], monitor.Routes);
        var main = new ClusterConfig
        {
            ClusterId = "main",
            Destinations =
            [
                new() { Name = "one", Address = "https://10.0.0.1:8443/base", Host = "shop.internal", Metadata = new([new("zone", "a")]) },
                new() { Name = "two", Address = "http://10.0.0.2" },
            ],
            HttpClient = new()
            {
                SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                MaxConnectionsPerServer = 10,
                DangerousAcceptAnyServerCertificate = true,
                RequestHeaderEncoding = "utf-8",
                ResponseHeaderEncoding = "us-ascii",
                EnableMultipleHttp2Connections = false,
                WebProxy = new() { Address = new("http://proxy.test:3128"), BypassOnLocal = true, UseDefaultCredentials = true },
            },
            HttpRequest = new() { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, AllowResponseBuffering = true },
            Timeouts = new() { Idle = TimeSpan.FromSeconds(40), FirstByte = TimeSpan.FromSeconds(40) },
            Metadata = new([new("Owner", "us")]),
        };
        var other = new ClusterConfig
        {
            ClusterId = "other",
            Destinations = [new() { Name = "0", Address = "http://10.0.0.3" }],
            Timeouts = new() { Connect = TimeSpan.FromSeconds(2), FirstByte = TimeSpan.FromSeconds(5), Idle = TimeSpan.FromMinutes(1), Total = Timeout.InfiniteTimeSpan },
        };
        Assert.Equal([main, other], monitor.Clusters);
    }

    [Fact]
    public async Task What_only_ProxyKit_has_stands_beside_it()
    {
        var page = Path.GetTempFileName();
        await using var app = await StartAsync(
            """
            {'Routes':{'r':{'ClusterId':'c','Match':{'Path':'/'},'Upgrades':['websocket','tcp'],'ErrorPages':{'502':'PAGE'},'ProxyStatus':true,'AccessLog':true}},
             'Clusters':{'c':{'Destinations':{'d':{'Address':'http://a'}},'HttpClient':{'PooledConnectionIdleTimeout':'00:00:10','PooledConnectionLifetime':'00:05:00','MaxResponseHeadersLength':16}}}}
            """.Replace("PAGE", page.Replace('\\', '/'), StringComparison.Ordinal));

        var monitor = app.Services.GetRequiredService<ProxyConfigMonitor>();
        var route = Assert.Single(monitor.Routes);
        Assert.Equal(["websocket", "tcp"], route.Upgrades);
        Assert.Equal(page.Replace('\\', '/'), route.ErrorPages["502"]);
        Assert.True(route is { ProxyStatus: true, AccessLog: true });
        Assert.Equal(
            new HttpClientConfig { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(10), PooledConnectionLifetime = TimeSpan.FromMinutes(5), MaxResponseHeadersLength = 16 },
            Assert.Single(monitor.Clusters).HttpClient);
        File.Delete(page);
    }

    [Fact]
    public async Task Routes_and_clusters_may_be_lists_that_name_themselves()
    {
        await using var app = await StartAsync("{'Routes':[{'RouteId':'r','ClusterId':'c','Match':{'Path':'/'}}],'Clusters':[{'ClusterId':'c','Destinations':{'d':{'Address':'http://a'}}}]}");

        var monitor = app.Services.GetRequiredService<ProxyConfigMonitor>();
        Assert.Equal("r", Assert.Single(monitor.Routes).RouteId);
        Assert.Equal("c", Assert.Single(monitor.Clusters).ClusterId);
    }

    [Fact]
    public async Task No_upgrades_is_an_empty_list()
    {
        await using var app = await ProxyApp.StartAsync(services => services.AddReverseProxy(), app => app.MapProxy("/", "http://a").WithUpgrades());

        Assert.Empty(Assert.Single(app.Services.GetRequiredService<ProxyConfigMonitor>().Routes).Upgrades);
    }

    [Fact]
    public async Task An_activity_timeout_and_an_idle_timeout_exclude_each_other() =>
        Assert.Equal(
            "ReverseProxy:Clusters:c: HttpRequest:ActivityTimeout and Timeouts:Idle are the same limit; only one may be given.",
            Assert.Single(await Misconfigured.JsonErrorsAsync("{'Clusters':{'c':{'HttpRequest':{'ActivityTimeout':'00:00:30'},'Timeouts':{'Idle':'00:00:30'}}}}")));

    [Fact]
    public async Task A_short_activity_timeout_shortens_what_it_includes()
    {
        await using var app = await StartAsync("{'Clusters':{'c':{'HttpRequest':{'ActivityTimeout':'00:00:05'}}}}");

        var seconds = TimeSpan.FromSeconds(5);
        Assert.Equal(new TimeoutConfig { Connect = seconds, FirstByte = seconds, Idle = seconds }, Assert.Single(app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters).Timeouts);
    }

    [Fact]
    public async Task The_root_of_the_configuration_can_be_the_section()
    {
        var root = new ConfigurationBuilder().AddInMemoryCollection([new("Clusters:c:Destinations:d:Address", "http://a"), new("Logging:LogLevel:Default", "None")]).Build();
        await using var app = await ProxyApp.StartAsync(services => services.AddReverseProxy().LoadFromConfig(root), app => app.MapReverseProxy());

        Assert.Equal("c", Assert.Single(app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters).ClusterId);
    }

    private static Task<ProxyApp> StartAsync(string json) =>
        ProxyApp.StartAsync(
            services =>
            {
                services.AddOutputCache();
                services.AddReverseProxy().LoadFromConfig(Misconfigured.Json(json));
            },
            app => app.MapReverseProxy());
}
