using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.Testing;

namespace Shop.Gateway.Tests;

/// <summary>The gateway as Program.cs makes it, without a socket: its upstreams are in memory, and its clock is the test's.</summary>
internal sealed class Gateway : WebApplicationFactory<Program>
{
    public TestDestinations Upstreams { get; } = new();

    public FakeTimeProvider Time { get; } = new();

    protected override void ConfigureWebHost(IWebHostBuilder builder) => builder.ConfigureTestServices(services =>
    {
        services.AddProxyTestDestinations(Upstreams);
        services.AddSingleton<TimeProvider>(Time);
        services.AddAuthentication("test").AddScheme<AuthenticationSchemeOptions, TestUser>("test", _ => { });
    });

    /// <summary>A client that has signed in.</summary>
    public HttpClient CreateCustomer()
    {
        var client = CreateClient();
        client.DefaultRequestHeaders.Add("Test-User", "alice");
        return client;
    }

    // Whoever the header says.
    private sealed class TestUser(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
            Request.Headers["Test-User"] is [{ } name]
                ? AuthenticateResult.Success(new(new(new ClaimsIdentity([new(ClaimTypes.Name, name)], "test")), "test"))
                : AuthenticateResult.NoResult());
    }
}
