using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Forwarding;

public sealed class ErrorPageTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxykit");
    private readonly TestDestinations _destinations = new();
    private readonly TestDestination _upstream;

    public ErrorPageTests() => _upstream = _destinations.Map(ProxyApp.Upstream, _ => new(HttpStatusCode.OK) { Content = new StringContent("hello") });

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("502 5xx default", "502")]
    [InlineData("503 5xx default", "5xx")]
    [InlineData("5XX", "5XX")]
    [InlineData("4xx default", "default")]
    [InlineData("4xx 503", "")]
    public async Task The_most_specific_page_answers(string pages, string expected)
    {
        await using var app = await StartAsync(route =>
        {
            foreach (var page in pages.Split(' '))
                route.WithErrorPage(page, Page(page, "html"));
        });
        _upstream.Refuse();

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal(expected, await response.Content.ReadAsStringAsync());
        if (expected.Length > 0)
        {
            Assert.Equal("text/html", response.Content.Headers.ContentType!.ToString());
            Assert.Equal("no-store", response.Headers.CacheControl!.ToString());
        }
    }

    [Fact]
    public async Task A_pages_type_is_its_files()
    {
        await using var app = await StartAsync(route => route.WithErrorPage("default", Page("{}", "json")));
        _upstream.Refuse();

        Assert.Equal("application/json", (await app.Client.GetAsync("/")).Content.Headers.ContentType!.ToString());
    }

    [Fact]
    public async Task HEAD_gets_a_pages_headers_only()
    {
        await using var app = await StartAsync(route => route.WithErrorPage("502", Page("page", "html")));
        _upstream.Refuse();

        var response = await app.Client.SendAsync(new(HttpMethod.Head, "/"));

        Assert.Equal(4, response.Content.Headers.ContentLength);
        Assert.Empty(await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_later_page_for_the_same_status_takes_its_place()
    {
        await using var app = await StartAsync(route => route.WithErrorPage("502", Page("one", "html")).WithErrorPage("502", Page("two", "html")));
        _upstream.Refuse();

        Assert.Equal("two", await (await app.Client.GetAsync("/")).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_upstreams_own_errors_pass_as_they_are()
    {
        await using var app = await StartAsync(route => route.WithErrorPage("default", Page("ours", "html")));
        _destinations.Map(ProxyApp.Upstream, _ => new(HttpStatusCode.BadGateway) { Content = new StringContent("theirs") });

        Assert.Equal("theirs", await (await app.Client.GetAsync("/")).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Refused_requests_get_a_page_too()
    {
        await using var app = await StartAsync(route => route.WithErrorPage("4xx", Page("refused", "html")));

        var context = await app.GetRawAsync("/", c => c.Request.Method = "TRACE");

        Assert.Equal("refused", await new StreamReader(context.Response.Body).ReadToEndAsync());
    }

    [Fact]
    public async Task Without_pages_the_apps_status_code_pages_fill_the_body()
    {
        await using var app = await StartAsync(_ => { }, app => app.UseStatusCodePages("text/plain", "status {0}"));
        _upstream.Refuse();

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal("status 502", await response.Content.ReadAsStringAsync());
    }

    private string Page(string text, string extension)
    {
        var path = Path.Combine(_folder.FullName, $"{Guid.NewGuid():n}.{extension}");
        File.WriteAllText(path, text);
        return path;
    }

    private Task<ProxyApp> StartAsync(Action<ProxyRouteBuilder> route, Action<WebApplication>? use = null) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            services.AddProxyTestDestinations(_destinations);
        },
        app =>
        {
            use?.Invoke(app);
            route(app.MapProxy("/{**path}", ProxyApp.Upstream));
        });
}
