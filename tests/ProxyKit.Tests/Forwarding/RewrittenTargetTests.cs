using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Forwarding;

/// <summary>What a middleware in front of the route makes of the target is not the client's text any more, and is not trusted more.</summary>
public class RewrittenTargetTests
{
    private readonly Recorder _upstream = new() { Answer = _ => new(HttpStatusCode.OK) };

    [Theory]
    [InlineData("?a=b\r\nX-Evil: 1")]
    [InlineData("?a=b c")]
    [InlineData("?a=é")]
    public async Task A_query_that_could_end_the_request_line_is_502_and_never_sent(string query)
    {
        await using var app = await StartAsync(context => context.Request.QueryString = new QueryString(query));

        Assert.Equal(HttpStatusCode.BadGateway, (await app.Client.GetAsync("/x")).StatusCode);
        Assert.Empty(_upstream.Requests);
    }

    [Fact]
    public async Task A_path_that_a_middleware_has_set_is_encoded()
    {
        await using var app = await StartAsync(context => context.Request.Path = "/a b\r\nX-Evil: 1");

        await app.Client.GetAsync("/x");

        Assert.Equal("/a%20b%0D%0AX-Evil:%201", _upstream.Last.Target);
    }

    private Task<ProxyApp> StartAsync(Action<HttpContext> rewrite) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            var destinations = new TestDestinations();
            destinations.Map(ProxyApp.Upstream, _upstream.Handle);
            services.AddProxyTestDestinations(destinations);
        },
        app =>
        {
            app.Use((context, next) =>
            {
                rewrite(context);
                return next(context);
            });
            app.UseRouting();
            app.MapProxy("/{**path}", ProxyApp.Upstream);
        });
}
