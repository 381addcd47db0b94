using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.Configuration;

/// <summary>What is wrong is said at start-up, all of it, with the route, the value and what is allowed.</summary>
public class MisuseTests
{
    private static readonly string NoPattern = "/{x";

    [Fact]
    public async Task A_cluster_is_suggested_though_a_route_has_its_name_and_one_of_a_route_in_code_is_not()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy().LoadFromConfig(Misconfigured.Json(
                "{'Routes':{'shop':{'ClusterId':'shp','Match':{'Path':'/shop'}}},'Clusters':{'shop':{'Destinations':{'d':{'Address':'http://shop'}}}}}")),
            app =>
            {
                app.MapProxy("/shp", "http://own");
                app.MapReverseProxy();
            });

        Assert.Equal("Route 'shop': there is no cluster 'shp'. Did you mean 'shop'?", Assert.Single(errors));
    }

    [Fact]
    public async Task All_errors_are_reported_at_once()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy(o => o.TrustedProxies.Add("everyone"))
                .AddCluster("orders", c => c.To("ftp://orders"))
                .AddCluster("orders", c => c.To("http://orders")),
            app =>
            {
                app.MapProxy("/a", "http://");
                app.MapProxy("/b", "ordres");
                app.MapProxy("/c", "orders").WithTimeouts(t => t.Idle = TimeSpan.FromSeconds(1));
                app.MapProxy(NoPattern, "http://ok");
                app.MapProxy("/d", "http://ok").WithTransforms(t => t.SetRequestHeader("a b", "x"));
            });

        Assert.Equal(8, errors.Count);
        Assert.Contains(errors, e => e.Contains("'everyone'", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.Contains("'ftp://orders'", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.Contains("'orders' is configured twice", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.Contains("'http://'", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.Contains("Did you mean 'orders'?", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.Contains("WithTimeouts", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.Contains("'/{x' is not a route pattern", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.Contains("'a b' is not a header name", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://")]
    [InlineData("http://a b")]
    [InlineData("ftp://host")]
    [InlineData("http://user:secret@host")]
    [InlineData("http://host?query")]
    [InlineData("http://host#fragment")]
    [InlineData("http://host:0")]
    [InlineData("http://host:99999")]
    [InlineData("http://unix:/")]
    [InlineData("http://unix:/run/app.sock:base")]
    [InlineData("http://host\r\n")]
    public async Task An_address_that_is_none_is_named_with_the_forms_that_are(string address)
    {
        var error = Assert.Single(await Misconfigured.ErrorsAsync(app => app.MapProxy("/shop", address)));

        Assert.StartsWith("Cluster '/shop'", error, StringComparison.Ordinal);
        Assert.Contains($"'{address}' is not a destination address", error, StringComparison.Ordinal);
        Assert.Contains("http://host[:port][/base], https://host[:port][/base], http://unix:/path/to/socket[:/base], fastcgi://host[:port] or fastcgi://unix:/path/to/socket", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://host")]
    [InlineData("HTTPS://Host:8443/base/path")]
    [InlineData("http://[::1]:5000")]
    [InlineData("http://10.0.0.1/")]
    [InlineData("http://unix:/run/app.sock")]
    [InlineData("http://unix:/run/app.sock:/base")]
    public async Task An_address_of_each_allowed_form_is_taken(string address)
    {
        await using var app = await ProxyApp.StartAsync(services => services.AddReverseProxy(), app => app.MapProxy("/", address));

        Assert.Equal(address, app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters[0].Destinations[0].Address);
    }

    [Fact]
    public async Task An_unknown_cluster_far_from_any_name_lists_the_names()
    {
        var error = Assert.Single(await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy().AddCluster("orders", c => c.To("http://a")).AddCluster("stock", c => c.To("http://b")),
            app => app.MapProxy("/shop", "somethingelse")));

        Assert.Equal("Route '/shop': there is no cluster 'somethingelse'. Known are orders, stock.", error);
    }

    [Fact]
    public async Task A_cluster_step_on_a_shared_cluster_says_where_it_belongs()
    {
        var error = Assert.Single(await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy().AddCluster("orders", c => c.To("http://a")),
            app => app.MapProxy("/shop", "orders").WithDestination("http://b")));

        Assert.Contains("Route '/shop': WithDestination", error, StringComparison.Ordinal);
        Assert.Contains("AddCluster(\"orders\", c => c.WithDestination(", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_destination_twice_is_an_error() =>
        Assert.Contains("is there twice", Assert.Single(await Misconfigured.ErrorsAsync(app => app.MapProxy("/a", "http://x", "http://X"))), StringComparison.Ordinal);

    [Fact]
    public async Task A_name_among_several_addresses_is_an_error() =>
        Assert.Contains("'orders' is not a destination address", Assert.Single(await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy().AddCluster("orders", c => c.To("http://a")),
            app => app.MapProxy("/a", "http://x", "orders"))), StringComparison.Ordinal);

    [Theory]
    [InlineData("10.0.0.0/33")]
    [InlineData("localhost")]
    [InlineData("")]
    public async Task A_trusted_proxy_must_be_an_address_or_a_network(string entry)
    {
        var error = Assert.Single(await Misconfigured.ErrorsAsync(services => services.AddReverseProxy(o => o.TrustedProxies.Add(entry)), _ => { }));

        Assert.Equal($"ReverseProxyOptions.TrustedProxies: '{entry}' is not an IP address (10.0.0.7), a network (10.0.0.0/8) or unix.", error);
    }

    [Theory]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("a,b")]
    public async Task A_pseudonym_must_be_a_token(string pseudonym) =>
        Assert.Contains($"'{pseudonym}' is not a token", Assert.Single(await Misconfigured.ErrorsAsync(services => services.AddReverseProxy(o => o.Pseudonym = pseudonym), _ => { })), StringComparison.Ordinal);

    public static TheoryData<string, Action<ProxyRouteBuilder>, string> RouteMistakes => new()
    {
        { "timeout of nothing", r => r.WithTimeout(TimeSpan.Zero), "Timeout is 00:00:00; it must be positive" },
        { "timeout that is for ever", r => r.WithTimeout(TimeSpan.MaxValue), "it must be positive and at most 24 days" },
        { "time of an attempt that is for ever", r => r.WithRetries(o => o.PerTryTimeout = TimeSpan.MaxValue), "it must be positive and at most 24 days" },
        { "error page without file", r => r.WithErrorPage("502", "/no/such/file.html"), "the file '/no/such/file.html' for 502 does not exist" },
        { "error page for a success", r => r.WithErrorPage("200", typeof(MisuseTests).Assembly.Location), "'200' is not a status of 4xx or 5xx" },
        { "upgrade that is no token", r => r.WithUpgrades("web socket"), "'web socket' is not a protocol name" },
        { "method that is no token", r => r.WithMatch(m => m.Methods.Add("G ET")), "'G ET' is not a method name" },
        { "header match without name", r => r.WithMatch(m => m.Headers.Add(new() { Name = "a:b", Values = ["x"] })), "'a:b' is not a header name" },
        { "header match without values", r => r.WithMatch(m => m.Headers.Add(new() { Name = "X-A" })), "'X-A' needs Values with Mode ExactHeader" },
        { "header existence with values", r => r.WithMatch(m => m.Headers.Add(new() { Name = "X-A", Mode = HeaderMatchMode.NotExists, Values = ["x"] })), "'X-A' must not have Values with Mode NotExists" },
        { "query match without values", r => r.WithMatch(m => m.QueryParameters.Add(new() { Name = "q", Mode = QueryParameterMatchMode.Prefix })), "'q' needs Values with Mode Prefix" },
        { "query existence with values", r => r.WithMatch(m => m.QueryParameters.Add(new() { Name = "q", Mode = QueryParameterMatchMode.Exists, Values = ["x"] })), "'q' must not have Values with Mode Exists" },
        { "query match without name", r => r.WithMatch(m => m.QueryParameters.Add(new() { Name = "", Values = ["x"] })), "a name is missing" },
        { "connect longer than first byte", r => r.WithTimeouts(t => (t.Connect, t.FirstByte) = (TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(5))), "Timeouts.Connect (00:00:06) is longer than Timeouts.FirstByte (00:00:05)" },
        { "connect without end", r => r.WithTimeouts(t => t.Connect = Timeout.InfiniteTimeSpan), "is longer than Timeouts.FirstByte (00:01:40)" },
        { "negative idle timeout", r => r.WithTimeouts(t => t.Idle = TimeSpan.FromSeconds(-5)), "Timeouts.Idle is -00:00:05; it must be positive" },
        { "total timeout of a month", r => r.WithTimeouts(t => t.Total = TimeSpan.FromDays(30)), "Timeouts.Total is 30.00:00:00; it must be positive and at most 24 days" },
        { "unknown HTTP version", r => r.WithHttpRequest(h => h.Version = new(1, 2)), "HttpRequest.Version '1.2' is not an HTTP version. Allowed are 1.0, 1.1, 2 and 3." },
        { "no connections", r => r.WithHttpClient(h => h.MaxConnectionsPerServer = 0), "HttpClient.MaxConnectionsPerServer is 0; it must be at least 1" },
        { "no response headers", r => r.WithHttpClient(h => h.MaxResponseHeadersLength = 0), "HttpClient.MaxResponseHeadersLength is 0" },
        { "negative pool time", r => r.WithHttpClient(h => h.PooledConnectionLifetime = TimeSpan.FromSeconds(-2)), "HttpClient.PooledConnectionLifetime is -00:00:02" },
        { "unknown encoding", r => r.WithHttpClient(h => h.RequestHeaderEncoding = "ebcdic"), "'ebcdic' is not an encoding" },
        { "missing authorities", r => r.WithHttpClient(h => h.TrustedCertificateAuthorities = "/no/ca.pem"), "TrustedCertificateAuthorities: the file '/no/ca.pem' does not exist" },
        { "missing certificate", r => r.WithHttpClient(h => h.ClientCertificate = new() { Path = "/no/cert.pem" }), "ClientCertificate.Path: the file '/no/cert.pem' does not exist" },
        { "destination host that is none", r => r.WithDestination("http://b", d => d.Host = "a b"), "Host 'a b' is not a host name" },
        { "bad request header", r => r.WithTransforms(t => t.SetRequestHeader("X:A", "1")), "'X:A' is not a header name" },
        { "control in a request header", r => r.WithTransforms(t => t.AppendRequestHeader("X-A", "1\r\nX-B: 2")), "the value of header 'X-A' holds a control character" },
        { "bad route value header", r => r.WithTransforms(t => t.SetRequestHeaderFromRoute("", "id")), "'' is not a header name" },
        { "bad response header", r => r.WithTransforms(t => t.SetResponseHeader("X A", "1")), "'X A' is not a header name" },
        { "control in a response trailer", r => r.WithTransforms(t => t.SetResponseTrailer("X-A", "\0", ResponseCondition.Always)), "the value of header 'X-A' holds a control character" },
        { "bad allowed header", r => r.WithTransforms(t => t.AllowRequestHeaders("ok", "not ok")), "'not ok' is not a header name" },
        { "bad certificate header", r => r.WithTransforms(t => t.SendClientCertificate("a/b")), "'a/b' is not a header name" },
        { "bad method", r => r.WithTransforms(t => t.ChangeMethod("GET", "PO ST")), "'GET' to 'PO ST' are not both method names" },
        { "path without slash", r => r.WithTransforms(t => t.AddPathPrefix("shop")), "the path 'shop' does not start with a slash" },
        { "removed path without slash", r => r.WithTransforms(t => t.RemovePathPrefix("")), "the path '' does not start with a slash" },
        { "set path without slash", r => r.WithTransforms(t => t.SetPath("x")), "the path 'x' does not start with a slash" },
        { "query without name", r => r.WithTransforms(t => t.RemoveQuery("")), "a query parameter needs a name" },
        { "request length", r => r.WithTransforms(t => t.SetRequestHeader("Content-Length", "1")), "'Content-Length' cannot be set; it follows from the body" },
        { "request coding", r => r.WithTransforms(t => t.AppendRequestHeader("transfer-encoding", "gzip")), "'transfer-encoding' cannot be set" },
        { "request length from a route value", r => r.WithTransforms(t => t.SetRequestHeaderFromRoute("Content-Length", "id")), "'Content-Length' cannot be set" },
        { "response length", r => r.WithTransforms(t => t.SetResponseHeader("Content-Length", "1")), "'Content-Length' cannot be set" },
        { "response coding", r => r.WithTransforms(t => t.AppendResponseHeader("Transfer-Encoding", "chunked", ResponseCondition.Always)), "'Transfer-Encoding' cannot be set" },
        { "trailer length", r => r.WithTransforms(t => t.SetResponseTrailer("Content-Length", "1", ResponseCondition.Always)), "'Content-Length' cannot be set" },
        { "certificate as a length", r => r.WithTransforms(t => t.SendClientCertificate("Content-Length")), "'Content-Length' cannot be set" },
        { "host that is none", r => r.WithTransforms(t => t.SetRequestHeader("Host", "a b")), "'a b' for Host is not a host name" },
        { "host with an injected line", r => r.WithTransforms(t => t.SetRequestHeader("Host", "a:80\r\nX-B: 2")), "for Host is not a host name" },
        { "host with a port that is none", r => r.WithTransforms(t => t.SetRequestHeader("Host", "a:99999")), "'a:99999' for Host is not a host name" },
        { "request value beyond latin-1", r => r.WithTransforms(t => t.SetRequestHeader("X-A", "€")), "the value '€' of header 'X-A' cannot be written in latin-1. Set the cluster's HttpClient.RequestHeaderEncoding to utf-8." },
        { "response value beyond latin-1", r => r.WithTransforms(t => t.SetResponseHeader("X-A", "€")), "HttpClient.ResponseHeaderEncoding to utf-8" },
        { "request value beyond ASCII", r => r.WithHttpClient(h => h.RequestHeaderEncoding = "us-ascii").WithTransforms(t => t.SetRequestHeader("X-A", "é")), "cannot be written in us-ascii" },
        { "encoding that is none for headers", r => r.WithHttpClient(h => h.RequestHeaderEncoding = "utf-16"), "'utf-16' is not an encoding for headers" },
    };

    [Theory(DisableDiscoveryEnumeration = true)]
    [MemberData(nameof(RouteMistakes))]
    public async Task A_mistake_on_a_route_names_it_and_what_is_allowed(string mistake, Action<ProxyRouteBuilder> make, string expected)
    {
        Assert.NotEmpty(mistake);
        var error = Assert.Single(await Misconfigured.ErrorsAsync(app => make(app.MapProxy("/shop", "http://a"))));

        Assert.Contains("'/shop'", error, StringComparison.Ordinal);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_path_pattern_that_is_none_is_reported_with_all_else() =>
        Assert.Contains(
            $"Route '/shop': transform: '{NoPattern}' is not a route pattern",
            Assert.Single(await Misconfigured.ErrorsAsync(app => app.MapProxy("/shop", "http://a").WithTransforms(t => t.SetPathPattern(NoPattern)))),
            StringComparison.Ordinal);

    [Fact]
    public async Task A_route_without_a_destination_is_an_error() =>
        Assert.Contains("Route '/shop' has no destination", Assert.Single(await Misconfigured.ErrorsAsync(app => app.MapProxy("/shop"))), StringComparison.Ordinal);

    [Fact]
    public async Task A_first_byte_limit_shorter_than_the_default_of_connect_is_none()
    {
        await using var app = await ProxyApp.StartAsync(new Recorder(), route => route.WithTimeouts(t => t.FirstByte = TimeSpan.FromSeconds(1)));

        Assert.Equal(TimeSpan.FromSeconds(1), app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters[0].Timeouts.Connect);
    }

    [Theory]
    [InlineData("'AuthorizationPolicy':'x'", "AuthorizationPolicy 'x' needs builder.Services.AddAuthorization()")]
    [InlineData("'CorsPolicy':'x'", "CorsPolicy 'x' needs builder.Services.AddCors()")]
    [InlineData("'RateLimiterPolicy':'x'", "RateLimiterPolicy 'x' needs builder.Services.AddRateLimiter(…)")]
    [InlineData("'OutputCachePolicy':'x'", "OutputCachePolicy 'x' needs builder.Services.AddOutputCache(…)")]
    [InlineData("'TimeoutPolicy':'x'", "there is no request timeout policy 'x'")]
    [InlineData("'Timeout':'00:00:01','TimeoutPolicy':'disable'", "Timeout (00:00:01) and TimeoutPolicy ('disable') exclude each other")]
    [InlineData("'MaxRequestBodySize':-2", "MaxRequestBodySize is -2")]
    public async Task A_policy_that_is_not_there_is_an_error(string keys, string expected)
    {
        var error = Assert.Single(await Misconfigured.JsonErrorsAsync($"{{'Routes':{{'r':{{'ClusterId':'c','Match':{{'Path':'/'}},{keys}}}}},'Clusters':{{'c':{{'Destinations':{{'d':{{'Address':'http://a'}}}}}}}}}}"));

        Assert.Contains("Route 'r'", error, StringComparison.Ordinal);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Policies_are_looked_up_where_the_app_keeps_them()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services =>
            {
                services.AddAuthorization(o => o.AddPolicy("known", p => p.RequireAuthenticatedUser()));
                services.AddCors(o => o.AddPolicy("known", _ => { }));
                services.AddRequestTimeouts(o => o.AddPolicy("known", TimeSpan.FromSeconds(1)));
                services.AddReverseProxy().LoadFromConfig(Misconfigured.Json(
                    """
                    {'Routes':{
                      'good':{'ClusterId':'c','Match':{'Path':'/a'},'AuthorizationPolicy':'known','CorsPolicy':'known','TimeoutPolicy':'known'},
                      'bad':{'ClusterId':'c','Match':{'Path':'/b'},'AuthorizationPolicy':'x','CorsPolicy':'y','TimeoutPolicy':'z'}},
                     'Clusters':{'c':{'Destinations':{'d':{'Address':'http://a'}}}}}
                    """));
            },
            app => app.MapReverseProxy());

        Assert.Equal(
            ["Route 'bad': there is no authorization policy 'x'.", "Route 'bad': there is no CORS policy 'y'.", "Route 'bad': there is no request timeout policy 'z'. Add it with builder.Services.AddRequestTimeouts(…)."],
            errors);
    }
}
