using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.HttpOverrides;

namespace ProxyKit.Tests.FastCgi;

/// <summary>What a script is told.</summary>
public sealed class CgiParametersTests : IDisposable
{
    private readonly SiteFolder _site = new("index.php", "x.php", "blog/index.php", "blog/x.php", "ünï.php");

    public void Dispose() => _site.Dispose();

    [Fact]
    public async Task A_request_has_all_parameters_and_each_once()
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        Assert.Equal(200, await app.GetAsync("/x.php/a/b?c=d&e=%20", context =>
        {
            context.Request.Host = new("example.com:8080");
            context.Request.Protocol = "HTTP/1.1";
            Connect(context, "192.0.2.7", 40000, "198.51.100.1", 8080);
        }));

        var expected = new Dictionary<string, string>
        {
            ["SCRIPT_FILENAME"] = _site["x.php"],
            ["SCRIPT_NAME"] = "/x.php",
            ["DOCUMENT_URI"] = "/x.php/a/b",
            ["DOCUMENT_ROOT"] = _site.Root,
            ["PATH_INFO"] = "/a/b",
            ["PATH_TRANSLATED"] = _site["a/b"],
            ["REQUEST_METHOD"] = "GET",
            ["REQUEST_URI"] = "/x.php/a/b?c=d&e=%20",
            ["QUERY_STRING"] = "c=d&e=%20",
            ["REQUEST_SCHEME"] = "http",
            ["SERVER_PROTOCOL"] = "HTTP/1.1",
            ["SERVER_NAME"] = "example.com",
            ["SERVER_PORT"] = "8080",
            ["SERVER_ADDR"] = "198.51.100.1",
            ["SERVER_SOFTWARE"] = "ProxyKit",
            ["GATEWAY_INTERFACE"] = "CGI/1.1",
            ["REDIRECT_STATUS"] = "200",
            ["REMOTE_ADDR"] = "192.0.2.7",
            ["REMOTE_HOST"] = "192.0.2.7",
            ["REMOTE_PORT"] = "40000",
        };
        Assert.Equal(expected.OrderBy(p => p.Key, StringComparer.Ordinal), app.Parameters.OrderBy(p => p.Key, StringComparer.Ordinal));
        Assert.Equal("example.com:8080", app.Requests[^1].Headers.Host);
    }

    [Fact]
    public async Task Each_parameter_is_there_once()
    {
        await using var app = await CgiApp.StartAsync(_site.Root, route: route => route.WithFastCgi(site => site
            .SetParameter("SERVER_NAME", "configured").SetParameter("APP", "first").SetParameter("APP", _ => "second")));

        await app.GetAsync("/x.php/a", context =>
        {
            Connect(context, "192.0.2.7", 40000, "198.51.100.1", 443);
            context.Request.Scheme = "https";
            context.User = new(new ClaimsIdentity([new(ClaimTypes.Name, "ada")], "Basic"));
        });

        Assert.Equal(24, app.Parameters.Count);
        Assert.Equal(24, app.Parameters.DistinctBy(p => p.Key).Count());
        Assert.Equal(("configured", "second"), (app["SERVER_NAME"], app["APP"]));
    }

    [Theory]
    [InlineData("/x.php")]
    [InlineData("/")]
    public async Task Without_path_info_there_is_none_and_nothing_is_translated(string target)
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        await app.GetAsync(target);

        Assert.Null(app["PATH_INFO"]); // not an empty one: CVE-2019-11043
        Assert.Null(app["PATH_TRANSLATED"]);
        Assert.Equal("", app["QUERY_STRING"]);
    }

    [Fact]
    public async Task A_path_info_with_a_backslash_is_not_translated()
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        await app.GetAsync("/x.php/..%5C..%5Cetc");

        Assert.Equal("/..\\..\\etc", app["PATH_INFO"]);
        Assert.Null(app["PATH_TRANSLATED"]);
    }

    [Fact]
    public async Task Without_a_root_the_path_is_all_path_info()
    {
        await using var app = await CgiApp.StartAsync(site: null);

        await app.GetAsync("/a%20b/c.php/d?e");

        Assert.Equal("", app["SCRIPT_NAME"]);
        Assert.Equal("/a b/c.php/d", app["PATH_INFO"]);
        Assert.Equal("/a b/c.php/d", app["DOCUMENT_URI"]);
        Assert.Equal("/a%20b/c.php/d?e", app["REQUEST_URI"]);
        Assert.Equal("e", app["QUERY_STRING"]);
        Assert.Null(app["SCRIPT_FILENAME"]);
        Assert.Null(app["DOCUMENT_ROOT"]);
        Assert.Null(app["PATH_TRANSLATED"]);
    }

    [Theory]
    [InlineData("/x.php/%C3%BC%2Fb?q=%C3%BC", "/x.php/%C3%BC%2Fb?q=%C3%BC", "/ü/b")]
    [InlineData("/x%2Ephp/a", "/x%2Ephp/a", "/a")]
    [InlineData("/blog/../x.php/a", "/blog/../x.php/a", "/a")]
    [InlineData("http://example.com/x.php/a?b", "/x.php/a?b", "/a")]
    public async Task The_request_URI_is_as_the_client_sent_it(string raw, string requestUri, string pathInfo)
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        // As Kestrel does it: dot segments resolved, an absolute target taken apart.
        var path = raw.StartsWith("http", StringComparison.Ordinal) ? "/x.php/a?b" : raw.Replace("/blog/..", "", StringComparison.Ordinal);
        Assert.Equal(200, await app.GetAsync(path, context => context.Features.Get<IHttpRequestFeature>()!.RawTarget = raw));

        Assert.Equal(requestUri, app["REQUEST_URI"]);
        Assert.Equal(pathInfo, app["PATH_INFO"]);
    }

    [Theory]
    [InlineData("http://example.com", "/")]
    [InlineData("http://example.com?a", "/?a")]
    public async Task An_absolute_target_may_have_no_path(string raw, string requestUri)
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        await app.GetAsync("/", context => context.Features.Get<IHttpRequestFeature>()!.RawTarget = raw);

        Assert.Equal(requestUri, app["REQUEST_URI"]);
    }

    [Theory]
    [InlineData("HTTP/1.0", "HTTP/1.0")]
    [InlineData("HTTP/1.1", "HTTP/1.1")]
    [InlineData("HTTP/2", "HTTP/2.0")]
    [InlineData("HTTP/3", "HTTP/3.0")]
    public async Task The_protocol_has_a_minor_version(string protocol, string expected)
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        await app.GetAsync("/x.php", context => context.Request.Protocol = protocol);

        Assert.Equal(expected, app["SERVER_PROTOCOL"]);
    }

    [Theory]
    [InlineData("example.com", "example.com", "8080")]
    [InlineData("example.com:81", "example.com", "8080")] // the client's word is not the port
    [InlineData("192.0.2.1:81", "192.0.2.1", "8080")]
    [InlineData("[2001:db8::1]:81", "[2001:db8::1]", "8080")]
    [InlineData("[2001:db8::1]", "[2001:db8::1]", "8080")]
    [InlineData("bücher.example:81", "xn--bcher-kva.example", "8080")]
    public async Task The_servers_name_is_the_host_without_its_port(string host, string name, string port)
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        await app.GetAsync("/x.php", context =>
        {
            context.Request.Host = new(host);
            Connect(context, "192.0.2.7", 40000, "198.51.100.1", 8080);
        });

        Assert.Equal((name, port), (app["SERVER_NAME"], app["SERVER_PORT"]));
    }

    [Theory]
    [InlineData("198.51.100.1", "198.51.100.1")]
    [InlineData("2001:db8::2", "[2001:db8::2]")]
    [InlineData(null, "localhost")]
    public async Task Without_a_host_the_server_is_called_by_its_address(string? local, string name)
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        Assert.Equal(200, await app.GetAsync("/x.php", context =>
        {
            context.Request.Host = default;
            context.Connection.LocalIpAddress = local is null ? null : IPAddress.Parse(local);
        }));

        Assert.Equal(name, app["SERVER_NAME"]);
        Assert.Equal(name, app.Requests[^1].Headers.Host);
    }

    [Theory]
    [InlineData("::ffff:192.0.2.7", "192.0.2.7")]
    [InlineData("2001:db8::7", "2001:db8::7")]
    [InlineData("fe80::7%3", "fe80::7")]
    public async Task Addresses_are_plain(string remote, string expected)
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        await app.GetAsync("/x.php", context => Connect(context, remote, 40000, remote, 80));

        Assert.Equal((expected, expected), (app["REMOTE_ADDR"], app["SERVER_ADDR"]));
    }

    [Fact]
    public async Task A_client_on_a_Unix_socket_is_not_taken_for_loopback()
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        await app.GetAsync("/x.php", context => (context.Connection.RemoteIpAddress, context.Connection.LocalIpAddress) = (null, null));

        Assert.Equal("unix:", app["REMOTE_ADDR"]);
        Assert.Null(app["REMOTE_PORT"]);
        Assert.Null(app["SERVER_ADDR"]);
        Assert.Equal("80", app["SERVER_PORT"]);
    }

    [Fact]
    public async Task TLS_is_told()
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        await app.GetAsync("/x.php", context =>
        {
            context.Request.Scheme = "https";
            context.Features.Set<ITlsConnectionFeature>(new TlsConnectionFeature());
            Connect(context, "192.0.2.7", 40000, "198.51.100.1", 8443);
        });

        Assert.Equal(("on", "https", "8443"), (app["HTTPS"], app["REQUEST_SCHEME"], app["SERVER_PORT"]));
    }

    [Fact]
    public async Task An_authenticated_user_is_told()
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        await app.GetAsync("/x.php", context => context.User = new(new ClaimsIdentity([new(ClaimTypes.Name, "ada")], "Negotiate")));
        Assert.Equal(("ada", "Negotiate"), (app["REMOTE_USER"], app["AUTH_TYPE"]));

        await app.GetAsync("/x.php", context => context.User = new(new ClaimsIdentity([new(ClaimTypes.Name, "ada")])));
        Assert.Equal((null, null), (app["REMOTE_USER"], app["AUTH_TYPE"]));
    }

    [Fact]
    public async Task Header_fields_go_along_and_make_no_parameters_of_other_names()
    {
        await using var app = await CgiApp.StartAsync(_site.Root);

        await app.GetAsync("/x.php", context =>
        {
            context.Request.Headers.Authorization = "Basic YTpi";
            context.Request.Headers["Proxy"] = "http://evil.example";
            context.Request.Headers["SCRIPT_FILENAME"] = "/etc/passwd";
            context.Request.Headers["X-Forwarded-Proto"] = "https";
        });

        Assert.Equal("Basic YTpi", app.Requests[^1].Headers.Authorization?.ToString());
        Assert.False(app.Requests[^1].Headers.Contains("Proxy"));
        Assert.Equal(_site["x.php"], app["SCRIPT_FILENAME"]);
        Assert.DoesNotContain(app.Parameters, p => p.Key.StartsWith("HTTP", StringComparison.Ordinal));
    }

    // REMOTE_ADDR, HTTPS and HTTP_HOST say all of it; with both, applications make links with two ports.
    [Fact]
    public async Task A_script_is_sent_forwarding_headers_only_if_the_route_asks_for_them()
    {
        await using var app = await CgiApp.StartAsync(_site.Root);
        await using var asking = await CgiApp.StartAsync(_site.Root, route: r => r.WithTransforms(t => t.UseXForwarded(ForwardedHeaderAction.Set)));

        foreach (var site in new[] { app, asking })
        {
            await site.GetAsync("/x.php", context =>
            {
                Connect(context, "127.0.0.1", 40000, "127.0.0.1", 5000);
                context.Request.Headers["X-Forwarded-For"] = "192.0.2.7";
                context.Request.Headers["X-Forwarded-Proto"] = "https";
            });
        }

        Assert.DoesNotContain(app.Requests[^1].Headers, h => h.Key.StartsWith("X-Forwarded", StringComparison.OrdinalIgnoreCase) || h.Key == "Via");
        Assert.Equal(["127.0.0.1"], asking.Requests[^1].Headers.GetValues("X-Forwarded-For"));
    }

    [Fact]
    public async Task A_transforms_method_and_query_go_to_the_script()
    {
        await using var app = await CgiApp.StartAsync(_site.Root, route: r => r.WithTransforms(t => t.SetQuery("a", "b").ChangeMethod("GET", "POST")));

        await app.GetAsync("/x.php?c=d");

        Assert.Equal(("POST", "c=d&a=b", "/x.php?c=d"), (app["REQUEST_METHOD"], app["QUERY_STRING"], app["REQUEST_URI"]));
    }

    [Theory]
    [InlineData("/app/x.php/a?b", "/app/x.php", "/a")]
    [InlineData("/app/", "/app/index.php", null)]
    [InlineData("/app/blog/", "/app/blog/index.php", null)]
    [InlineData("/app/%C3%BCn%C3%AF.php", "/app/ünï.php", null)]
    public async Task A_path_base_stands_before_the_scripts_name(string target, string name, string? pathInfo)
    {
        await using var app = await CgiApp.StartAsync(_site.Root, before: a => a.UsePathBase("/app").UseRouting());

        Assert.Equal(200, await app.GetAsync(target));

        Assert.Equal((name, pathInfo, target), (app["SCRIPT_NAME"], app["PATH_INFO"], app["REQUEST_URI"]));
        Assert.Equal(_site.Root + name["/app".Length..], app["SCRIPT_FILENAME"]);
        Assert.Equal(name + pathInfo, app["DOCUMENT_URI"]);
    }

    [Theory]
    [InlineData("/app/x.php/a", "/app/x.php")]
    [InlineData("/app/blog/x.php", "/app/blog/x.php")]
    [InlineData("/app/", "/app/index.php")]
    public async Task So_does_what_a_transform_has_taken_off(string target, string name)
    {
        await using var app = await CgiApp.StartAsync(_site.Root, route: r => r.WithTransforms(t => t.RemovePathPrefix("/app")));

        Assert.Equal(200, await app.GetAsync(target));

        Assert.Equal((name, target), (app["SCRIPT_NAME"], app["REQUEST_URI"]));
        Assert.Equal(_site.Root + name["/app".Length..], app["SCRIPT_FILENAME"]);
    }

    [Fact]
    public async Task A_path_that_a_transform_has_set_is_the_scripts_own()
    {
        await using var app = await CgiApp.StartAsync(_site.Root, route: r => r.WithTransforms(t => t.SetPath("/index.php")));

        await app.GetAsync("/some/page");

        Assert.Equal(("/index.php", "/some/page"), (app["SCRIPT_NAME"], app["REQUEST_URI"]));
    }

    [Fact]
    public async Task A_group_is_a_part_of_the_path()
    {
        await using var app = await CgiApp.StartAsync(site: null, before: a => a.MapGroup("/blog").MapProxy("/{**path}", CgiApp.Address).WithFastCgi(_site.Root));

        Assert.Equal(200, await app.GetAsync("/blog/x.php"));

        Assert.Equal(("/blog/x.php", _site["blog/x.php"]), (app["SCRIPT_NAME"], app["SCRIPT_FILENAME"]));
    }

    [Fact]
    public async Task The_forwarded_headers_middleware_has_the_last_word()
    {
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.All };
        await using var app = await CgiApp.StartAsync(_site.Root, before: a => a.UseForwardedHeaders(options));

        await app.GetAsync("/x.php", context =>
        {
            Connect(context, "127.0.0.1", 40000, "127.0.0.1", 5000);
            context.Request.Headers["X-Forwarded-For"] = "192.0.2.7:1234";
            context.Request.Headers["X-Forwarded-Proto"] = "https";
            context.Request.Headers["X-Forwarded-Host"] = "shop.example";
        });

        Assert.Equal(("192.0.2.7", "1234"), (app["REMOTE_ADDR"], app["REMOTE_PORT"]));
        Assert.Equal(("on", "https", "443", "shop.example"), (app["HTTPS"], app["REQUEST_SCHEME"], app["SERVER_PORT"], app["SERVER_NAME"]));
        Assert.Equal("shop.example", app.Requests[^1].Headers.Host);
    }

    [Theory]
    [InlineData(true, "/x.php", "front.example")]
    [InlineData(false, "/x.php", "client.example")]
    public async Task A_destinations_own_host_goes_before_the_clients(bool configured, string target, string host)
    {
        await using var app = await CgiApp.StartAsync(_site.Root, route: r =>
        {
            if (configured)
                r.ConfigureCluster("test", c => c with { Destinations = [c.Destinations[0] with { Host = "front.example" }] });
        });

        await app.GetAsync(target, context => context.Request.Host = new("client.example"));

        Assert.Equal(host, app.Requests[^1].Headers.Host);
    }

    private static void Connect(HttpContext context, string remote, int remotePort, string local, int localPort) =>
        (context.Connection.RemoteIpAddress, context.Connection.RemotePort, context.Connection.LocalIpAddress, context.Connection.LocalPort) =
        (IPAddress.Parse(remote), remotePort, IPAddress.Parse(local), localPort);
}
