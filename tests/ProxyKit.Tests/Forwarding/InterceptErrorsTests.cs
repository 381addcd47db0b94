using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Forwarding;

/// <summary>Answers in the place of the upstream's errors.</summary>
public sealed class InterceptErrorsTests : IDisposable
{
    private readonly string _page = Path.GetTempFileName();
    private Func<HttpResponseMessage> _make = () => new();

    public void Dispose() => File.Delete(_page);

    [Theory]
    [InlineData("404,500-599", 404, true)]
    [InlineData("404,500-599", 502, true)]
    [InlineData("404,500-599", 403, false)]
    [InlineData("404,500-599", 200, false)]
    [InlineData(null, 418, true)]
    [InlineData(null, 399, false)]
    public async Task Those_that_are_asked_for_have_the_routes_page(string? statuses, int status, bool isIntercepted)
    {
        await File.WriteAllTextAsync(_page, "our page");
        await using var app = await StartAsync(route => (statuses is null ? route.WithInterceptErrors() : route.WithInterceptErrors(statuses)).WithErrorPage("default", _page));
        Answer(status);

        var response = await app.Client.GetAsync("/");

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(isIntercepted ? "our page" : "the upstream's own", await response.Content.ReadAsStringAsync());
        Assert.Equal(!isIntercepted, response.Headers.Contains("X-Upstream"));
        Assert.Equal(ProxyError.None, (await app.OutcomeAsync()).Error); // it has answered, after all
    }

    [Fact]
    public async Task Without_a_page_there_is_no_body_and_the_apps_status_code_pages_can_make_one()
    {
        Answer(404);
        await using (var app = await StartAsync(route => route.WithInterceptErrors("404")))
            Assert.Empty(await (await app.Client.GetAsync("/")).Content.ReadAsStringAsync());

        Answer(404);
        await using (var app = await StartAsync(route => route.WithInterceptErrors("404"), app => app.UseStatusCodePages("text/plain", "status {0}")))
            Assert.Equal("status 404", await (await app.Client.GetAsync("/")).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task HEAD_has_the_pages_headers_only()
    {
        await File.WriteAllTextAsync(_page, "our page");
        await using var app = await StartAsync(route => route.WithInterceptErrors().WithErrorPage("404", _page));
        Answer(404);

        var response = await app.Client.SendAsync(new(HttpMethod.Head, "/"));

        Assert.Equal(8, response.Content.Headers.ContentLength);
        Assert.Empty(await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task What_a_status_says_nothing_without_is_kept()
    {
        await using var app = await StartAsync(route => route.WithInterceptErrors().WithProxyStatus());
        Answer(401, ("WWW-Authenticate", "Basic realm=\"a\""), ("Allow", "GET"), ("Retry-After", "7"), ("Set-Cookie", "a=b"));

        var response = await app.Client.GetAsync("/");

        Assert.Equal("Basic realm=\"a\"", response.Headers.WwwAuthenticate.ToString());
        Assert.Equal(["GET"], response.Content.Headers.Allow);
        Assert.Equal("7", response.Headers.RetryAfter!.ToString());
        Assert.False(response.Headers.Contains("Set-Cookie"));
        Assert.EndsWith("; received-status=401", Assert.Single(response.Headers.GetValues("Proxy-Status")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_is_retried_is_intercepted_at_the_end_only()
    {
        await using var app = await StartAsync(route => route.WithInterceptErrors().WithRetries(1));
        var requests = 0;
        Answer(503, () => requests++);

        var response = await app.AdvanceUntilAsync(app.Client.GetAsync("/"), TimeSpan.FromMilliseconds(100));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsStringAsync());
        Assert.Equal(2, requests);
    }

    [Fact]
    public async Task An_intercepted_error_names_no_file()
    {
        await using var app = await StartAsync(route => route.WithInterceptErrors().WithInternalRedirect("/files/", Path.GetDirectoryName(_page)!));
        Answer(403, ("X-Accel-Redirect", "/files/" + Path.GetFileName(_page)));

        Assert.Equal(HttpStatusCode.Forbidden, (await app.Client.GetAsync("/")).StatusCode); // as nginx
    }

    [Theory]
    [InlineData("200")]
    [InlineData("300-599")]
    [InlineData("5xx")]
    [InlineData("404;500")]
    public async Task What_is_no_error_is_refused_at_start_up(string statuses)
    {
        var error = Assert.Single(await Misconfigured.ErrorsAsync(app => app.MapProxy("/shop", ProxyApp.Upstream).WithInterceptErrors(statuses)));

        Assert.Contains($"Route '/shop': InterceptErrors '{statuses}' is not allowed; it must be status codes and ranges of them from 400 to 599", error, StringComparison.Ordinal);
    }

    private void Answer(int status, params (string Name, string Value)[] headers) => Answer(status, () => { }, headers);

    private void Answer(int status, Action asked, params (string Name, string Value)[] headers) => _make = () =>
    {
        asked();
        var response = new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent("the upstream's own") };
        response.Headers.Add("X-Upstream", "here");
        foreach (var (name, value) in headers)
        {
            if (!response.Headers.TryAddWithoutValidation(name, value))
                response.Content.Headers.TryAddWithoutValidation(name, value);
        }
        return response;
    };

    private Task<ProxyApp> StartAsync(Action<ProxyRouteBuilder> route, Action<WebApplication>? use = null) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            var destinations = new TestDestinations();
            destinations.Map(ProxyApp.Upstream, _ => _make());
            services.AddProxyTestDestinations(destinations);
        },
        app =>
        {
            use?.Invoke(app);
            route(app.MapProxy("/{**path}", ProxyApp.Upstream));
        });
}
