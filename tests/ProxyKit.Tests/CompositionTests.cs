using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ProxyKit.Testing;

namespace ProxyKit.Tests;

/// <summary>ASP.NET Core's own steps hold for proxy routes as for any endpoint.</summary>
public class CompositionTests
{
    private readonly TestDestinations _destinations = new();
    private readonly TestDestination _upstream;

    public CompositionTests() => _upstream = _destinations.Map(ProxyApp.Upstream, _ => new(HttpStatusCode.OK) { Content = new StringContent("hello") });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Authorization_is_enforced_whether_in_code_or_in_configuration(bool json)
    {
        await using var app = await StartAsync(
            services =>
            {
                services.AddAuthentication("header").AddScheme<AuthenticationSchemeOptions, HeaderAuthentication>("header", null);
                services.AddAuthorization(o => o.AddPolicy("admins", p => p.RequireClaim("role", "admin")));
            },
            json, "'AuthorizationPolicy':'admins'", route => route.RequireAuthorization("admins"));

        Assert.Equal(HttpStatusCode.Unauthorized, (await app.Client.GetAsync("/")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(app, "X-Role", "guest")).StatusCode);
        Assert.Equal(0, _upstream.Requests);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(app, "X-Role", "admin")).StatusCode);
    }

    [Theory]
    [InlineData("default", HttpStatusCode.Unauthorized)]
    [InlineData("anonymous", HttpStatusCode.OK)]
    public async Task The_default_and_anonymous_policies_have_names_of_their_own(string policy, HttpStatusCode expected)
    {
        await using var app = await StartAsync(
            services =>
            {
                services.AddAuthentication("header").AddScheme<AuthenticationSchemeOptions, HeaderAuthentication>("header", null);
                services.AddAuthorization(o => o.FallbackPolicy = new Microsoft.AspNetCore.Authorization.AuthorizationPolicyBuilder("header").RequireAuthenticatedUser().Build());
            },
            json: true, $"'AuthorizationPolicy':'{policy}'");

        Assert.Equal(expected, (await app.Client.GetAsync("/")).StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Rate_limits_are_enforced_whether_in_code_or_in_configuration(bool json)
    {
        await using var app = await StartAsync(
            services => services.AddRateLimiter(o => o.AddPolicy("once", _ => RateLimitPartition.GetConcurrencyLimiter("", _ => new() { PermitLimit = 1 }))),
            json, "'RateLimiterPolicy':'once'", route => route.RequireRateLimiting("once"), app => app.UseRateLimiter());
        _upstream.Stall().Times(1);

        var first = app.Client.GetAsync("/");
        await ProxyApp.ReachedAsync(_upstream);
        var second = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, second.StatusCode);
        _upstream.Recover();
        Assert.Equal(HttpStatusCode.GatewayTimeout, (await app.AdvanceUntilAsync(first, TimeSpan.FromSeconds(10))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/")).StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Cors_preflights_are_answered_by_the_app_whether_in_code_or_in_configuration(bool json)
    {
        await using var app = await StartAsync(
            services => services.AddCors(o => o.AddPolicy("shop", p => p.WithOrigins("https://shop.test").WithMethods("PUT"))),
            json, "'CorsPolicy':'shop'", route => route.RequireCors("shop"), app => app.UseCors());

        var preflight = new HttpRequestMessage(HttpMethod.Options, "/");
        preflight.Headers.Add("Origin", "https://shop.test");
        preflight.Headers.Add("Access-Control-Request-Method", "PUT");
        var answer = await app.Client.SendAsync(preflight);
        var actual = await GetAsync(app, "Origin", "https://shop.test");

        Assert.Equal("PUT", answer.Headers.GetValues("Access-Control-Allow-Methods").Single());
        Assert.Equal("https://shop.test", actual.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.Equal(1, _upstream.Requests);
    }

    [Fact]
    public async Task A_host_that_is_not_required_is_not_found()
    {
        await using var app = await StartAsync(_ => { }, json: false, "", route => route.RequireHost("*.shop.test"));

        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync("http://other.test/")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("http://a.shop.test/")).StatusCode);
    }

    [Fact]
    public async Task A_request_timeout_of_the_app_ends_the_request_as_its_policy_says()
    {
        await using var app = await StartAsync(
            services => services.AddRequestTimeouts(o => o.AddPolicy("soon", new Microsoft.AspNetCore.Http.Timeouts.RequestTimeoutPolicy { Timeout = TimeSpan.FromMilliseconds(1), TimeoutStatusCode = 418 })),
            json: false, "", route => route.WithRequestTimeout("soon"), app => app.UseRequestTimeouts());
        _upstream.Stall();

        Assert.Equal(418, (int)(await app.Client.GetAsync("/")).StatusCode);
        Assert.Equal(ProxyError.TotalTimeout, (await app.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task A_timeout_policy_that_would_do_nothing_is_an_error()
    {
        await using var app = await StartAsync(
            services => services.AddRequestTimeouts(o => o.AddPolicy("soon", TimeSpan.FromMinutes(1))),
            json: true, "'TimeoutPolicy':'soon'");

        var exception = await Assert.ThrowsAsync<InvalidOperationException>(() => app.Client.GetAsync("/"));

        Assert.Contains("app.UseRequestTimeouts()", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_largest_request_body_is_told_to_the_server()
    {
        await using var app = await StartAsync(_ => { }, json: true, "'MaxRequestBodySize':'1234'");

        var endpoint = app.Services.GetRequiredService<Microsoft.AspNetCore.Routing.EndpointDataSource>().Endpoints.Single();

        Assert.Equal(1234, endpoint.Metadata.GetMetadata<Microsoft.AspNetCore.Http.Metadata.IRequestSizeLimitMetadata>()!.MaxRequestBodySize);
    }

    private static Task<HttpResponseMessage> GetAsync(ProxyApp app, string header, string value)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Add(header, value);
        return app.Client.SendAsync(request);
    }

    private Task<ProxyApp> StartAsync(Action<IServiceCollection> add, bool json, string key, Action<ProxyRouteBuilder>? route = null, Action<WebApplication>? use = null) =>
        ProxyApp.StartAsync(
            services =>
            {
                add(services);
                var proxy = services.AddReverseProxy();
                if (json)
                    proxy.LoadFromConfig(Misconfigured.Json($"{{'Routes':{{'all':{{'ClusterId':'c','Match':{{'Path':'/{{**path}}'}},{key}}}}},'Clusters':{{'c':{{'Destinations':{{'d':{{'Address':'{ProxyApp.Upstream}'}}}}}}}}}}"));
                services.AddProxyTestDestinations(_destinations);
            },
            app =>
            {
                app.UseRouting();
                use?.Invoke(app);
                if (app.Services.GetService<Microsoft.AspNetCore.Authentication.IAuthenticationSchemeProvider>() is not null)
                    app.UseAuthentication();
                if (app.Services.GetService<Microsoft.AspNetCore.Authorization.IAuthorizationHandlerProvider>() is not null)
                    app.UseAuthorization();
                if (json)
                    app.MapReverseProxy();
                else
                    route!(app.MapProxy("/{**path}", ProxyApp.Upstream));
            });

    private sealed class HeaderAuthentication(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
            Request.Headers["X-Role"].ToString() is { Length: > 0 } role
                ? AuthenticateResult.Success(new(new ClaimsPrincipal(new ClaimsIdentity([new Claim("role", role)], "header")), "header"))
                : AuthenticateResult.NoResult());
    }
}
