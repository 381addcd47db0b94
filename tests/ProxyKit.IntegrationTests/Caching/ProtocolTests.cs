using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Caching;

using Wire = Protocols.Wire;

public class ProtocolTests
{
    [Theory]
    [InlineData(Wire.Http1, "1.1", "2.0")]
    [InlineData(Wire.Http1, "2.0", "1.1")]
    [InlineData(Wire.H2C, "1.1", "2.0")]
    [InlineData(Wire.H2C, "2.0", "1.1")]
    public async Task What_one_version_of_HTTP_has_stored_another_gets(Wire upstream, string first, string second)
    {
        var count = 0;
        await using var origin = await Peers.StartAsync(upstream, async context =>
        {
            Interlocked.Increment(ref count);
            context.Response.Headers.CacheControl = "max-age=60";
            context.Response.Headers["X-Field"] = "a value";
            await context.Response.WriteAsync("an "); // no length: chunked in the one, frames in the other
            await context.Response.Body.FlushAsync();
            await context.Response.WriteAsync("answer");
        });
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}", origin.Url).WithUpstream(upstream).WithCache(),
            services => services.AddReverseProxy(),
            HttpProtocols.Http1AndHttp2,
            listen => listen.UseHttps(Certificates.Loopback));

        foreach (var version in (string[])[first, second])
        {
            using var http = new HttpClient(Peers.CreateHandler()) { BaseAddress = proxy.Address, DefaultRequestVersion = new(version), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using var response = await http.GetAsync("/");
            Assert.Equal(new Version(version), response.Version);
            Assert.Equal("an answer", await response.Content.ReadAsStringAsync());
            Assert.Equal("a value", Assert.Single(response.Headers.GetValues("X-Field")));
        }
        Assert.Equal(1, count);
    }
}
