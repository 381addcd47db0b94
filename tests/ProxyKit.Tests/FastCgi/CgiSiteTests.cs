using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.FastCgi;

/// <summary>Which requests reach the application, and the parameters that users add.</summary>
public sealed class CgiSiteTests : IDisposable
{
    private readonly SiteFolder _site = new("index.php", "x.php", "uploads/evil.jpg", "evil.php.jpg", "admin/x.php", "../outside.php");

    public void Dispose() => _site.Dispose();

    [Fact]
    public async Task The_log_shows_a_path_as_it_was_written()
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        await app.GetAsync("/%E2%80%AEgpj.php/%E2%80%A8x");

        var line = Assert.Single(app.Proxy.Logs.GetSnapshot(), record => record.Id.Name == "RequestRejected").Message;
        Assert.Contains("/%E2%80%AEgpj.php/%E2%80%A8x", line);
        Assert.DoesNotContain(line, c => c > '~');
    }

    [Theory]
    [InlineData("/x.php", 200)]
    [InlineData("/x.php/info", 200)]
    [InlineData("/", 200)]
    [InlineData("/uploads/evil.jpg/x.php", 404)]
    [InlineData("/uploads/evil.jpg", 404)]
    [InlineData("/evil.php.jpg", 404)]
    [InlineData("/x.php.", 404)]
    [InlineData("/x.php%20", 404)]
    [InlineData("/x.php::$DATA", 404)]
    [InlineData("/nope.php", 404)]
    [InlineData("/x.php/%0aAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 400)]
    [InlineData("/x.php/%0d%0aX-Evil:1", 400)]
    [InlineData("/uploads/../../../../etc/x.php", 404)]
    [InlineData("/uploads/../../outside.php", 404)]
    [InlineData("/..%2Foutside.php", 400)]
    [InlineData("/..%5Coutside.php", 404)]
    [InlineData("/admin%2Fx.php", 404)]
    [InlineData("//admin/x.php", 404)]
    [InlineData("/%FF.php", 404)]
    public async Task Only_scripts_are_run(string target, int status)
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        Assert.Equal(status, await app.GetAsync(target));

        Assert.Equal(status == 200 ? 1 : 0, app.Requests.Count);
    }

    [Fact]
    public async Task What_leads_out_of_the_site_is_resolved_before_it_is_told()
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        Assert.Equal(200, await app.GetAsync("/uploads/../../../../x.php/a"));

        Assert.Equal((_site["x.php"], "/x.php", _site["a"]), (app["SCRIPT_FILENAME"], app["SCRIPT_NAME"], app["PATH_TRANSLATED"]));
        Assert.DoesNotContain("..", app["DOCUMENT_URI"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_log_says_what_was_looked_for_and_the_client_is_not_told()
    {
        var page = Path.Combine(_site.Root, "404.html");
        File.WriteAllText(page, "Not here.");
        await using var app = await CgiApp.StartAsync(_site.Root, route: route => route.WithProxyStatus().WithErrorPage("404", page));

        var answer = await app.Proxy.GetRawAsync("/blog/nope.php");

        Assert.Equal(404, answer.Response.StatusCode);
        Assert.Equal("Not here.", await new StreamReader(answer.Response.Body).ReadToEndAsync(TestContext.Current.CancellationToken));
        Assert.EndsWith("error=http_request_error", answer.Response.Headers["Proxy-Status"].ToString());
        Assert.DoesNotContain(answer.Response.Headers, header => header.Value.ToString().Contains(_site.Root, StringComparison.Ordinal));
        var line = Assert.Single(app.Proxy.Logs.GetSnapshot(), record => record.Id.Name == "RequestRejected");
        Assert.Contains("/blog/nope.php", line.Message, StringComparison.Ordinal);
        Assert.Contains(_site.Root, line.Message, StringComparison.Ordinal);
        Assert.Equal(ProxyError.RequestRejected, (await app.Proxy.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task A_WebSocket_over_HTTP2_is_refused_and_an_upgrade_is_ignored()
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        Assert.Equal(200, await app.GetAsync("/x.php", context => (context.Request.Headers.Connection, context.Request.Headers.Upgrade) = ("Upgrade", "websocket")));
        Assert.False(app.Requests[^1].Headers.Contains("Upgrade"));

        Assert.Equal(501, await app.GetAsync("/x.php", context =>
        {
            (context.Request.Protocol, context.Request.Method) = ("HTTP/2", "CONNECT");
            context.Features.Set<IHttpExtendedConnectFeature>(new ExtendedConnect());
        }));
    }

    [Fact]
    public async Task Parameters_are_added_replaced_and_taken_away()
    {
        await using var app = await CgiApp.StartAsync(site =>
        {
            site.Root = _site.Root;
            site.SetParameter("APP_ENV", "production")
                .SetParameter("SERVER_NAME", "fixed.example")
                .SetParameter("PHP_VALUE", "memory_limit=64M\nupload_max_filesize=8M")
                .SetParameter("front_controller_active", "true")
                .SetParameter("REMOTE_HOST", "")
                .SetParameter("HTTP_X_SECRET", "")
                .SetParameter("CONTENT_TYPE", "");
        });

        await app.GetAsync("/x.php");

        Assert.Equal(("production", "fixed.example", "true"), (app["APP_ENV"], app["SERVER_NAME"], app["front_controller_active"]));
        Assert.Equal("memory_limit=64M\nupload_max_filesize=8M", app["PHP_VALUE"]);
        // The handler sends none that is empty, and makes none in its place.
        Assert.Equal(("", "", ""), (app["REMOTE_HOST"], app["HTTP_X_SECRET"], app["CONTENT_TYPE"]));
    }

    [Fact]
    public async Task A_parameter_can_be_made_for_each_request()
    {
        await using var app = await CgiApp.StartAsync(site =>
        {
            site.Root = _site.Root;
            site.SetParameter("TENANT", "none")
                .SetParameter("TENANT", context => context.Request.Host.Host)
                .SetParameter("SERVER_SOFTWARE", _ => null)
                .SetParameter("HTTPS", context => context.Request.Host.Host == "a.example" ? "on" : null);
        });

        await app.GetAsync("/x.php", context => context.Request.Host = new("a.example"));
        Assert.Equal(("a.example", "on", ""), (app["TENANT"], app["HTTPS"], app["SERVER_SOFTWARE"]));

        await app.GetAsync("/x.php", context => context.Request.Host = new("b.example"));
        Assert.Equal(("b.example", ""), (app["TENANT"], app["HTTPS"]));
    }

    [Fact]
    public async Task The_later_of_two_values_counts_and_steps_add_up()
    {
        await using var app = await CgiApp.StartAsync(_site.Root, route: route => route
            .WithFastCgi(site => site.SetParameter("A", "1").SetParameter("B", _ => "2"))
            .WithFastCgi(site => site.SetParameter("B", "3").SetParameter("A", _ => "4")));

        await app.GetAsync("/x.php");

        Assert.Equal(("4", "3", _site["x.php"]), (app["A"], app["B"], app["SCRIPT_FILENAME"]));
    }

    [Fact]
    public async Task A_parameter_that_cannot_be_made_is_502()
    {
        await using var app = await CgiApp.StartAsync(site => site.SetParameter("A", _ => throw new InvalidOperationException("no tenant")));

        Assert.Equal(502, await app.GetAsync("/x.php"));

        Assert.Empty(app.Requests);
        Assert.Equal(ProxyError.RequestCreation, (await app.Proxy.OutcomeAsync()).Error);
        Assert.Contains(app.Proxy.Logs.GetSnapshot(), record => record.Message.Contains("no tenant", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_attempt_tells_the_same()
    {
        await using var app = await CgiApp.StartAsync(_site.Root, route: route => route.WithDestination("fastcgi://php-2.test:9000").WithRetries(2));

        for (var i = 0; i < 4; i++)
            Assert.Equal(200, await app.GetAsync("/x.php", context => context.Request.Host = new("shop.example"))); // php-2 is not there

        Assert.All(app.Requests, request => Assert.Equal("shop.example", request.Headers.Host));
        Assert.Equal(_site["x.php"], app["SCRIPT_FILENAME"]);
    }

    [Fact]
    public async Task A_site_in_JSON_is_a_site()
    {
        var settings = $$"""
            { 'Routes': { 'php': { 'ClusterId': 'php', 'Match': { 'Path': '/{**path}' }, 'FastCgi': {
                'Root': '{{_site.Root}}', 'Index': 'home.phtml', 'Extensions': [ '.phtml' ], 'ResolveRoot': true, 'SymbolicLinks': 'WithinRoot', 'Parameters': { 'APP_ENV': 'test' } } } },
              'Clusters': { 'php': { 'Destinations': { 'one': { 'Address': '{{CgiApp.Address}}' } } } } }
            """;
        _site.Add("home.phtml");
        await using var app = await CgiApp.StartAsync(proxy => proxy.LoadFromConfig(Misconfigured.Json(settings)), app => app.MapReverseProxy());

        Assert.Equal(200, await app.GetAsync("/"));
        Assert.Equal(404, await app.GetAsync("/x.php"));
        Assert.Equal(("/home.phtml", "test"), (app["SCRIPT_NAME"], app["APP_ENV"]));
    }

    private sealed class ExtendedConnect : IHttpExtendedConnectFeature
    {
        public bool IsExtendedConnect => true;

        public string? Protocol => "websocket";

        public ValueTask<Stream> AcceptAsync() => throw new NotSupportedException();
    }
}
