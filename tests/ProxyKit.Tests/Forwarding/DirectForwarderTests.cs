using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Forwarding;

/// <summary>The forwarder in an endpoint of the app's own.</summary>
public class DirectForwarderTests
{
    private static readonly ValueList<Transform> s_transforms = TransformBuilder.Build(t => t.SetRequestHeader("X-A", "1").RemovePathPrefix("/own"));

    private readonly Recorder _upstream = new() { Answer = _ => new(HttpStatusCode.OK) { Content = new StringContent("hello") } };

    [Fact]
    public async Task It_forwards_as_a_route_does()
    {
        await using var app = await StartAsync((forwarder, context) => forwarder.ForwardAsync(context, ProxyApp.Upstream + "/base"));

        var context = await app.GetRawAsync("/a%2Fb?q=%zz");

        Assert.Equal("hello", await new StreamReader(context.Response.Body).ReadToEndAsync());
        Assert.Equal("/base/a%2Fb?q=%zz", _upstream.Last.Target);
        Assert.Equal("localhost", _upstream.Last["X-Forwarded-Host"]);
        Assert.NotNull(_upstream.Last["Via"]);
    }

    [Fact]
    public async Task It_takes_transforms()
    {
        await using var app = await StartAsync((forwarder, context) => forwarder.ForwardAsync(context, ProxyApp.Upstream, s_transforms));

        await app.Client.GetAsync("/own/x");

        Assert.Equal("/x", _upstream.Last.Target);
        Assert.Equal("1", _upstream.Last["X-A"]);
    }

    [Fact]
    public async Task Transforms_that_are_invalid_are_refused()
    {
        var invalid = TransformBuilder.Build(t => t.SetRequestHeader("Content-Length", "1").SetRequestHeader("X-A", "1\r\nX-B: 2"));
        await using var app = await StartAsync((forwarder, context) => forwarder.ForwardAsync(context, ProxyApp.Upstream, invalid));

        var error = await Assert.ThrowsAsync<ArgumentException>(() => app.Client.GetAsync("/"));

        Assert.Contains("'Content-Length' cannot be set", error.Message, StringComparison.Ordinal);
        Assert.Contains("'X-A' holds a control character", error.Message, StringComparison.Ordinal);
        Assert.Empty(_upstream.Requests);
    }

    [Fact]
    public async Task It_leaves_the_outcome_on_the_context_and_has_written_the_error()
    {
        ProxyContext? outcome = null;
        await using var app = await StartAsync(async (forwarder, context) =>
        {
            await forwarder.ForwardAsync(context, "http://unmapped.test");
            outcome = context.GetProxyContext();
        });

        Assert.Equal(HttpStatusCode.BadGateway, (await app.Client.GetAsync("/")).StatusCode);
        Assert.Equal(ProxyError.Connect, outcome!.Error);
        Assert.Equal("http://unmapped.test", outcome.Destination!.Name);
    }

    [Theory]
    [InlineData("upstream.test")]
    [InlineData("ftp://upstream.test")]
    [InlineData("")]
    public async Task An_address_that_is_none_is_an_argument_error(string address)
    {
        await using var app = await StartAsync((forwarder, context) => forwarder.ForwardAsync(context, address));

        Assert.Contains("is not a destination address", (await Assert.ThrowsAsync<ArgumentException>(() => app.Client.GetAsync("/"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_response_that_has_started_cannot_be_forwarded_to()
    {
        await using var app = await StartAsync(async (forwarder, context) =>
        {
            await context.Response.StartAsync();
            await Assert.ThrowsAsync<InvalidOperationException>(() => forwarder.ForwardAsync(context, ProxyApp.Upstream));
            await context.Response.WriteAsync("own");
        });

        Assert.Equal("own", await app.Client.GetStringAsync("/"));
        Assert.Empty(_upstream.Requests);
    }

    [Fact]
    public async Task A_request_that_has_been_answered_with_a_status_cannot_be_forwarded()
    {
        await using var app = await StartAsync(async (forwarder, context) =>
        {
            context.Response.StatusCode = 418;
            await Assert.ThrowsAsync<InvalidOperationException>(() => forwarder.ForwardAsync(context, ProxyApp.Upstream));
        });

        Assert.Equal(418, (int)(await app.Client.GetAsync("/")).StatusCode);
        Assert.Empty(_upstream.Requests);
    }

    [Fact]
    public async Task Addresses_and_transforms_beyond_what_is_kept_are_forwarded_to_as_well()
    {
        await using var app = await StartAsync((forwarder, context) => forwarder.ForwardAsync(
            context, $"{ProxyApp.Upstream}{context.Request.Path}", TransformBuilder.Build(t => t.SetPath("/x"))));

        for (var i = 0; i < 1100; i++)
            await app.Client.GetAsync($"/{i}");

        Assert.Equal("/1099/x", _upstream.Last.Target);
    }

    private Task<ProxyApp> StartAsync(Func<IProxyForwarder, HttpContext, Task> endpoint) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            var destinations = new TestDestinations();
            destinations.Map(ProxyApp.Upstream, _upstream.Handle);
            services.AddProxyTestDestinations(destinations);
        },
        app => app.Run(context => endpoint(app.Services.GetRequiredService<IProxyForwarder>(), context)));
}
