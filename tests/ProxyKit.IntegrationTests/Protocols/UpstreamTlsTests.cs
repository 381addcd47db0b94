using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Protocols;

public class UpstreamTlsTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_certificate_that_nobody_vouches_for_is_502_and_logged(bool proxyStatus)
    {
        await using var upstream = await StartAsync();
        await using var proxy = await StartProxyAsync(route =>
        {
            route.WithDestination(upstream.Url);
            if (proxyStatus)
                route.WithProxyStatus();
        });
        using var http = proxy.CreateClient(Wire.Http1);

        var response = await http.GetAsync("/");

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal(proxyStatus, response.Headers.TryGetValues("Proxy-Status", out var status) && status.Single().EndsWith("error=tls_protocol_error", StringComparison.Ordinal));
        Assert.Empty(await response.Content.ReadAsStringAsync());
        var record = await proxy.LoggedAsync("RequestFailed");
        Assert.Contains(": Tls: ", record.Message);
        Assert.Contains("certificate", record.Message);
    }

    [Fact]
    public async Task Hosts_that_clients_make_up_leave_a_bounded_number_of_connections()
    {
        var open = 0;
        await using var upstream = await KestrelApp.StartAsync(
            app => app.Run(context => context.Response.WriteAsync("ok")),
            listen: listen =>
            {
                listen.Use(next => async connection =>
                {
                    Interlocked.Increment(ref open);
                    try
                    {
                        await next(connection);
                    }
                    finally
                    {
                        Interlocked.Decrement(ref open);
                    }
                });
                listen.UseHttps(Certificates.Loopback);
            });
        await using var proxy = await KestrelApp.StartProxyAsync(
            upstream.Url.Replace("http:", "https:", StringComparison.Ordinal),
            route => route.WithHttpClient(h => h.DangerousAcceptAnyServerCertificate = true).WithTransforms(t => t.UseOriginalHost(true)));
        using var client = new HttpClient();

        for (var i = 0; i < 150; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, proxy.Url) { Headers = { Host = $"host-{i}.example" } };
            using var response = await client.SendAsync(request);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        // 100 names are kept; HttpClient may have opened a second connection for some of them.
        await Peers.EventuallyAsync(() => Volatile.Read(ref open) <= 120);
    }

    [Fact]
    public async Task A_configured_authority_is_trusted()
    {
        await using var upstream = await StartAsync();
        await using var proxy = await StartProxyAsync(route => route.WithDestination(upstream.Url).WithHttpClient(c => c.TrustedCertificateAuthorities = Peers.AuthorityFile.Value));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal("ok", await http.GetStringAsync("/"));
    }

    [Fact]
    public async Task A_configured_authority_does_not_vouch_for_other_names()
    {
        await using var upstream = await StartAsync();
        await using var proxy = await StartProxyAsync(route => route
            .WithDestination(upstream.Url, d => d.Host = "elsewhere.example")
            .WithHttpClient(c => c.TrustedCertificateAuthorities = Peers.AuthorityFile.Value));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal(HttpStatusCode.BadGateway, (await http.GetAsync("/")).StatusCode);
    }

    [Fact]
    public async Task Any_certificate_is_accepted_when_that_is_configured()
    {
        await using var upstream = await StartAsync();
        await using var proxy = await StartProxyAsync(route => route.WithDestination(upstream.Url).WithHttpClient(c => c.DangerousAcceptAnyServerCertificate = true));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal("ok", await http.GetStringAsync("/"));
    }

    [Theory]
    [InlineData(null, "localhost")]
    [InlineData("shop.example", "shop.example")]
    [InlineData("shop.example:8443", "shop.example")]
    public async Task The_server_name_in_the_handshake_is_the_destinations_host(string? host, string expected)
    {
        var certificate = host is null ? Certificates.Loopback : Certificates.Issue("shop.example");
        string? name = null;
        await using var upstream = await StartAsync(https => https.ServerCertificateSelector = (_, requested) =>
        {
            name = requested;
            return certificate;
        });
        await using var proxy = await StartProxyAsync(route => route
            .WithDestination($"https://localhost:{upstream.Port}", d => d.Host = host)
            .WithHttpClient(c => c.TrustedCertificateAuthorities = Peers.AuthorityFile.Value));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal("ok", await http.GetStringAsync("/"));
        Assert.Equal(expected, name);
    }

    [Theory]
    [InlineData("pem")]
    [InlineData("key")]
    [InlineData("pfx")]
    public async Task A_client_certificate_is_shown(string format)
    {
        var folder = Directory.CreateTempSubdirectory("proxykit-mtls-").FullName;
        using var certificate = Certificates.Issue("the-proxy");
        var path = Path.Combine(folder, format == "pfx" ? "client.pfx" : "client.pem");
        var key = Path.Combine(folder, "client.key");
        var keyPem = certificate.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem();
        if (format == "pfx")
            await File.WriteAllBytesAsync(path, certificate.Export(X509ContentType.Pkcs12, "secret"));
        else
            await File.WriteAllTextAsync(path, certificate.ExportCertificatePem() + (format == "pem" ? "\n" + keyPem : ""));
        await File.WriteAllTextAsync(key, keyPem);

        await using var upstream = await StartAsync(
            https =>
            {
                https.ServerCertificate = Certificates.Loopback;
                https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
                https.ClientCertificateValidation = (shown, _, _) => shown.Thumbprint == certificate.Thumbprint;
            },
            context => context.Response.WriteAsync(context.Connection.ClientCertificate!.Subject));
        await using var proxy = await StartProxyAsync(route => route.WithDestination(upstream.Url).WithHttpClient(c =>
        {
            c.TrustedCertificateAuthorities = Peers.AuthorityFile.Value;
            c.ClientCertificate = new() { Path = path, KeyPath = format == "key" ? key : null, Password = format == "pfx" ? "secret" : null };
        }));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal("CN=the-proxy", await http.GetStringAsync("/"));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task An_upstream_that_demands_a_client_certificate_and_gets_none_is_502()
    {
        await using var upstream = await StartAsync(https =>
        {
            https.ServerCertificate = Certificates.Loopback;
            https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
            https.ClientCertificateValidation = (_, _, _) => true;
        });
        await using var proxy = await StartProxyAsync(route => route.WithDestination(upstream.Url).WithHttpClient(c => c.TrustedCertificateAuthorities = Peers.AuthorityFile.Value));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal(HttpStatusCode.BadGateway, (await http.GetAsync("/")).StatusCode);
    }

    [Fact]
    public async Task A_TLS_version_can_be_demanded()
    {
        await using var upstream = await StartAsync(
            https => https.ServerCertificate = Certificates.Loopback,
            context => context.Response.WriteAsync($"{context.Features.Get<ITlsHandshakeFeature>()!.Protocol}"));
        await using var proxy = await StartProxyAsync(route => route.WithDestination(upstream.Url).WithHttpClient(c =>
        {
            c.TrustedCertificateAuthorities = Peers.AuthorityFile.Value;
            c.SslProtocols = SslProtocols.Tls12;
        }));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal("Tls12", await http.GetStringAsync("/"));
    }

    [Fact]
    public async Task An_upstream_that_does_not_speak_TLS_is_502()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var silent = await StartProxyAsync(route => route.WithDestination($"https://127.0.0.1:{upstream.Port}").WithTimeouts(t => t.Connect = t.FirstByte = TimeSpan.FromMilliseconds(300)));
        using var http = silent.CreateClient(Wire.Http1);

        // The upstream waits for a request that never comes: the handshake counts as connecting.
        Assert.Equal(HttpStatusCode.GatewayTimeout, (await http.GetAsync("/")).StatusCode);
    }

    private static Task<KestrelApp> StartAsync(Action<HttpsConnectionAdapterOptions>? https = null, RequestDelegate? answer = null) => KestrelApp.StartAsync(
        app => app.Run(answer ?? (context => context.Response.WriteAsync("ok"))),
        listen: listen => listen.UseHttps(https ?? (o => o.ServerCertificate = Certificates.Loopback)));

    private static Task<KestrelApp> StartProxyAsync(Action<ProxyRouteBuilder> route) =>
        KestrelApp.StartAsync(app => route(app.MapProxy("/{**path}")), services => services.AddReverseProxy());
}
