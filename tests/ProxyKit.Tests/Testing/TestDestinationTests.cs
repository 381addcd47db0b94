using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Testing;

/// <summary>The tests of a library's users need no socket.</summary>
public class TestDestinationTests
{
    private readonly TestDestinations _destinations = new();

    [Fact]
    public async Task A_TestServer_can_be_an_upstream()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        await using var upstream = builder.Build();
        upstream.MapPost("/echo/{x}", async context =>
        {
            var read = await new StreamReader(context.Request.Body).ReadToEndAsync();
            await context.Response.WriteAsync($"{read} {context.Request.ContentLength} {context.Request.Path}");
        });
        await upstream.StartAsync();
        _destinations.Map("http://api.test:8080/base", upstream.GetTestServer().CreateHandler());
        await using var app = await StartAsync("http://api.test:8080");

        var response = await app.Client.PostAsync("/echo/a%2Fb", new StringContent("ping"));
        Assert.Equal("ping 4 /echo/a%2Fb", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task An_address_that_is_not_mapped_refuses_connections()
    {
        _destinations.Map("http://other.test", _ => new(HttpStatusCode.OK));
        await using var app = await StartAsync("http://api.test");

        Assert.Equal(HttpStatusCode.BadGateway, (await app.Client.GetAsync("/")).StatusCode);
        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.Connect, FailureClass.NothingSent), (outcome.Error, outcome.FailureClass));
        Assert.Contains("No test destination is mapped for api.test. Mapped are: other.test.", outcome.Exception!.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://api.test")]
    [InlineData("http://unix:/run/app.sock")]
    [InlineData("http://[::1]:5000")]
    public async Task Any_address_can_be_mapped(string address)
    {
        _destinations.Map(address, _ => new(HttpStatusCode.OK));
        await using var app = await StartAsync(address);

        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/")).StatusCode);
    }

    [Fact]
    public void What_is_no_address_cannot() =>
        Assert.Contains("'api.test' is not a destination address", Assert.Throws<ArgumentException>(() => _destinations.Map("api.test", _ => new(HttpStatusCode.OK))).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_fault_holds_for_as_many_requests_as_it_is_told()
    {
        var upstream = _destinations.Map("http://api.test", _ => new(HttpStatusCode.OK)).Respond(HttpStatusCode.ServiceUnavailable).Times(2);
        await using var app = await StartAsync("http://api.test");

        foreach (var expected in new[] { 503, 503, 200, 200 })
            Assert.Equal(expected, await StatusAsync(app));
        Assert.Equal(4, upstream.Requests);
    }

    [Fact]
    public async Task A_fault_ends_on_command()
    {
        var upstream = _destinations.Map("http://api.test", _ => new(HttpStatusCode.OK)).Refuse();
        await using var app = await StartAsync("http://api.test");

        Assert.Equal(502, await StatusAsync(app));
        upstream.Recover();
        Assert.Equal(200, await StatusAsync(app));
        upstream.Reset();
        Assert.Equal(502, await StatusAsync(app));
    }

    [Theory]
    [InlineData(4, false)]
    [InlineData(5, true)]
    [InlineData(6, true)]
    public async Task A_reset_after_more_than_there_is_breaks_nothing(long bytes, bool whole)
    {
        _destinations.Map("http://api.test", _ => new(HttpStatusCode.OK) { Content = new StringContent("hello") }).ResetAfter(bytes);
        await using var app = await StartAsync("http://api.test");

        if (whole)
            Assert.Equal("hello", await app.Client.GetStringAsync("/"));
        else
            await Assert.ThrowsAnyAsync<Exception>(() => app.Client.GetStringAsync("/"));
    }

    [Fact]
    public async Task Faults_reach_direct_forwarding_too()
    {
        _destinations.Map("http://api.test", _ => new(HttpStatusCode.OK)).Respond(HttpStatusCode.Conflict);
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(_destinations);
            },
            app => app.Run(async context => await app.Services.GetRequiredService<IProxyForwarder>().ForwardAsync(context, "http://api.test")));

        Assert.Equal(409, await StatusAsync(app));
    }

    [Fact]
    public void Nonsense_is_refused()
    {
        var upstream = _destinations.Map("http://api.test", _ => new(HttpStatusCode.OK));

        Assert.Throws<ArgumentOutOfRangeException>(() => upstream.Times(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => upstream.ResetAfter(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => upstream.StallAfter(-1));
    }

    private static async Task<int> StatusAsync(ProxyApp app) => (int)(await app.Client.GetAsync("/")).StatusCode;

    private Task<ProxyApp> StartAsync(string address) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            services.AddProxyTestDestinations(_destinations);
        },
        app => app.MapProxy("/{**path}", address));
}
