using System.Net;
using System.Net.Quic;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Protocols;

public class HttpVersionTests
{
    private static Task<KestrelApp> StartEchoAsync(Wire wire) => Peers.StartAsync(wire, async context =>
    {
        context.Response.Headers["X-Upstream-Protocol"] = context.Request.Protocol;
        context.Response.Headers["X-Upstream-Scheme"] = context.Request.Scheme;
        await context.Request.Body.CopyToAsync(context.Response.Body);
    });

    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.Http1Tls, Wire.Http1)]
    [InlineData(Wire.H2Tls, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.Http1)]
    [InlineData(Wire.Http1, Wire.H2C)]
    [InlineData(Wire.Http1, Wire.H2Tls)]
    [InlineData(Wire.H2C, Wire.H2C)]
    [InlineData(Wire.H2Tls, Wire.H2Tls)]
    [InlineData(Wire.Http1, Wire.Http1Tls)]
    public async Task A_body_goes_there_and_back_whatever_each_side_speaks(Wire client, Wire upstream)
    {
        await using var echo = await StartEchoAsync(upstream);
        await using var proxy = await Peers.StartProxyAsync(client, echo.Url, r => r.WithUpstream(upstream));
        using var http = proxy.CreateClient(client);
        var bytes = Peers.Bytes(300_000, 1);

        var response = await http.PostAsync("/a?b", new ByteArrayContent(bytes));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(client.Version(), response.Version);
        Assert.Equal(upstream.Version().Major == 2 ? "HTTP/2" : "HTTP/1.1", response.Headers.GetValues("X-Upstream-Protocol").Single());
        Assert.Equal(upstream.IsTls() ? "https" : "http", response.Headers.GetValues("X-Upstream-Scheme").Single());
        Assert.Equal(bytes, await response.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData(HttpProtocols.Http1AndHttp2, "HTTP/2")]
    [InlineData(HttpProtocols.Http1, "HTTP/1.1")]
    public async Task ALPN_chooses_the_version_to_a_TLS_upstream_by_default(HttpProtocols spoken, string expected)
    {
        await using var echo = await KestrelApp.StartAsync(
            app => app.Run(context => context.Response.WriteAsync(context.Request.Protocol)),
            protocols: spoken,
            listen: listen => listen.UseHttps(Certificates.Loopback));
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, echo.Url);
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal(expected, await http.GetStringAsync("/"));
    }

    [Fact]
    public async Task A_version_that_the_upstream_does_not_speak_is_502_when_it_is_asked_for_exactly()
    {
        await using var echo = await StartEchoAsync(Wire.Http1Tls);
        await using var proxy = await Peers.StartProxyAsync(Wire.Http1, echo.Url, r => r.WithUpstream(Wire.H2Tls));
        using var http = proxy.CreateClient(Wire.Http1);

        Assert.Equal(HttpStatusCode.BadGateway, (await http.GetAsync("/")).StatusCode);
    }

    [Fact]
    public async Task HTTP_3_passes_in_and_out()
    {
        if (!QuicListener.IsSupported)
        {
            // Debian has no libmsquic: what is asked for and cannot be had is an error, not another version.
            await using var without = await KestrelApp.StartProxyAsync("https://127.0.0.1:9", route => route
                .WithHttpRequest(r => (r.Version, r.VersionPolicy) = (HttpVersion.Version30, HttpVersionPolicy.RequestVersionExact)));
            using var client = new HttpClient();
            Assert.Equal(HttpStatusCode.BadGateway, (await client.GetAsync(without.Address)).StatusCode);
            return;
        }
        await using var echo = await KestrelApp.StartAsync(
            app => app.Run(context => context.Response.WriteAsync(context.Request.Protocol)),
            protocols: HttpProtocols.Http1AndHttp2AndHttp3,
            listen: listen => listen.UseHttps(Certificates.Loopback));
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}", echo.Url)
                .WithHttpClient(c => c.TrustedCertificateAuthorities = Peers.AuthorityFile.Value)
                .WithHttpRequest(r => (r.Version, r.VersionPolicy) = (HttpVersion.Version30, HttpVersionPolicy.RequestVersionExact)),
            services => services.AddReverseProxy(),
            HttpProtocols.Http1AndHttp2AndHttp3,
            listen => listen.UseHttps(Certificates.Loopback));
        using var http = proxy.CreateClient(Wire.H2Tls);
        http.DefaultRequestVersion = HttpVersion.Version30;

        var response = await http.GetAsync("/");

        Assert.Equal(HttpVersion.Version30, response.Version);
        Assert.Equal("HTTP/3", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(Wire.H2Tls, Wire.H2Tls)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task Request_and_response_stream_both_ways_at_once_over_HTTP_2(Wire client, Wire upstream)
    {
        await using var echo = await Peers.StartAsync(upstream, async context =>
        {
            await context.Response.Body.FlushAsync();
            var buffer = new byte[64];
            int read;
            while ((read = await context.Request.Body.ReadAsync(buffer)) > 0)
            {
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read));
                await context.Response.Body.FlushAsync();
            }
            await context.Response.WriteAsync("end");
        });
        await using var proxy = await Peers.StartProxyAsync(client, echo.Url, r => r.WithUpstream(upstream));
        using var http = proxy.CreateClient(client);
        using var body = new LiveContent();

        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = body, Version = client.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var stream = await response.Content.ReadAsStreamAsync();

        for (var i = 0; i < 20; i++)
        {
            await body.WriteAsync($"{i:d2}");
            Assert.Equal($"{i:d2}", await stream.ReadSomeAsync(2));
        }
        body.End();
        Assert.Equal("end", await stream.ReadSomeAsync(3));
        Assert.Equal(0, await stream.ReadAsync(new byte[1]));
    }

    [Fact]
    public async Task An_answer_before_the_body_has_ended_reaches_an_HTTP_2_client_at_once_over_HTTP_2()
    {
        await using var upstream = await Peers.StartAsync(Wire.H2C, async context =>
        {
            await context.Request.Body.ReadExactlyAsync(new byte[4]);
            context.Response.StatusCode = 403;
            await context.Response.WriteAsync("no");
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.H2C, upstream.Url, r => r.WithUpstream(Wire.H2C));
        using var http = proxy.CreateClient(Wire.H2C);
        using var body = new LiveContent();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = body, Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };

        var sending = http.SendAsync(request);
        await body.WriteAsync("some");
        var response = await sending;

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal("no", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(Wire.H2C, Wire.Http1)]
    [InlineData(Wire.Http1, Wire.Http1)]
    public async Task An_early_answer_of_an_HTTP_1_upstream_in_clear_text_reaches_the_client_at_once(Wire client, Wire upstream)
    {
        await using var peer = await Peers.StartAsync(upstream, async context =>
        {
            await context.Request.Body.ReadExactlyAsync(new byte[4]);
            context.Response.StatusCode = 403;
            await context.Response.WriteAsync("no");
        });
        await using var proxy = await Peers.StartProxyAsync(client, peer.Url);
        if (client == Wire.Http1)
        {
            // HttpClient would not read it before it has sent its own body.
            using var raw = await RawClient.ConnectAsync(proxy.Port);
            await raw.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n");
            Assert.StartsWith("HTTP/1.1 403 ", await raw.ReadUntilAsync("no"));
            return;
        }
        using var http = proxy.CreateClient(client);
        using var body = new LiveContent();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = body, Version = client.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact };

        var sending = http.SendAsync(request);
        await body.WriteAsync("some");

        Assert.Equal(HttpStatusCode.Forbidden, (await sending).StatusCode);
    }

    [Fact]
    public async Task Request_and_response_stream_both_ways_at_once_to_an_HTTP_1_upstream_in_clear_text()
    {
        await using var echo = await StartEchoAsync(Wire.Http1);
        await using var proxy = await Peers.StartProxyAsync(Wire.H2C, echo.Url);
        using var http = proxy.CreateClient(Wire.H2C);
        using var body = new LiveContent();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = body, Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };

        var sending = http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await body.WriteAsync("00");
        using var response = await sending;
        var stream = await response.Content.ReadAsStreamAsync();
        Assert.Equal("00", await stream.ReadSomeAsync(2));
        for (var i = 1; i < 20; i++)
        {
            await body.WriteAsync($"{i:d2}");
            Assert.Equal($"{i:d2}", await stream.ReadSomeAsync(2));
        }
        body.End();
        Assert.Equal(0, await stream.ReadAsync(new byte[1]));
    }

    [Fact]
    public async Task An_early_answer_of_an_HTTP_1_upstream_in_TLS_waits_for_the_end_of_the_body()
    {
        // SocketsHttpHandler reads no response before it has sent the request: over TLS and HTTP/1.1 nothing streams both ways at once.
        var answered = new TaskCompletionSource();
        await using var upstream = await Peers.StartAsync(Wire.Http1Tls, async context =>
        {
            await context.Response.WriteAsync("early");
            await context.Response.Body.FlushAsync();
            answered.TrySetResult();
            await context.Request.Body.CopyToAsync(Stream.Null);
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.H2C, upstream.Url);
        using var http = proxy.CreateClient(Wire.H2C);
        using var body = new LiveContent();

        var sending = http.PostAsync("/", body);
        await answered.Task.WaitAsync(Peers.Patience);
        await body.WriteAsync("some");
        Assert.False(sending.IsCompleted);
        body.End();

        Assert.Equal("early", await (await sending).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_client_that_waits_for_an_early_answer_in_TLS_gets_504_at_the_first_byte_limit_and_no_deadlock()
    {
        await using var upstream = await Peers.StartAsync(Wire.Http1Tls, async context =>
        {
            await context.Response.WriteAsync("early");
            await context.Response.Body.FlushAsync();
            await context.Request.Body.CopyToAsync(Stream.Null);
        });
        await using var proxy = await Peers.StartProxyAsync(Wire.H2C, upstream.Url, r => r.WithTimeouts(t => t.Connect = t.FirstByte = TimeSpan.FromMilliseconds(300)));
        using var http = proxy.CreateClient(Wire.H2C);
        using var body = new LiveContent();

        var response = await http.PostAsync("/", body);

        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
    }
}
