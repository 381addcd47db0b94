using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>An HTTP/2 upstream that resets the stream, or sends GOAWAY, while the client still uploads (RFC 9113 §5.4.2, §6.8, §8.7).</summary>
public class StreamResetTests
{
    private const int NoError = 0, InternalError = 2, RefusedStream = 7, Cancel = 8, EnhanceYourCalm = 11;

    [Theory]
    [InlineData(Cancel)]
    [InlineData(InternalError)]
    [InlineData(NoError)]
    [InlineData(EnhanceYourCalm)]
    public async Task A_reset_during_an_upload_is_502_and_the_destinations_failure(int code)
    {
        await using var upstream = ResettingAfter(3, code);
        await using var proxy = await ProxyAsync(upstream, HttpProtocols.Http1);
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        var response = await client.ReadUntilAsync("\r\n\r\n");

        Assert.Equal(502, Raw.Status(response));
        await AssertBlamedAsync(proxy);
    }

    [Fact]
    public async Task A_reset_during_an_upload_over_HTTP2_is_502_too()
    {
        await using var upstream = ResettingAfter(3, Cancel);
        await using var proxy = await ProxyAsync(upstream, HttpProtocols.Http2);
        using var upload = Upload.Start(proxy, HttpProtocols.Http2, "abc");

        using var response = await upload.Response;

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        await AssertBlamedAsync(proxy);
    }

    [Fact]
    public async Task Resets_during_uploads_eject_the_destination()
    {
        await using var bad = ResettingAfter(3, Cancel);
        await using var worse = ResettingAfter(3, Cancel);
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}", bad.Url, worse.Url).WithUpstream(Protocols.Wire.H2C).WithPassiveHealthChecks(3),
            services => services.AddReverseProxy());
        var control = proxy.Services.GetRequiredService<IProxyControl>();
        var cluster = proxy.Services.GetRequiredService<ProxyConfigMonitor>().Clusters[0].ClusterId;

        for (var i = 0; i < 12; i++)
        {
            using var client = await RawClient.ConnectAsync(proxy.Port);
            await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
            Assert.InRange(Raw.Status(await client.ReadUntilAsync("\r\n\r\n")), 502, 503);
        }

        Assert.Contains(control.GetDestinations(cluster), d => d.EjectedUntil is not null);
    }

    [Theory]
    [InlineData("retries")]
    [InlineData("buffering")]
    [InlineData("gRPC")]
    public async Task A_request_that_was_not_processed_is_sent_again_beside_other_features(string feature)
    {
        await using var upstream = new Http2Upstream(async stream =>
        {
            await stream.CompleteAsync();
            await (stream.Index == 0 ? RefuseAsync(stream, "reset") : stream.RespondAsync(200, stream.Body));
        });
        await using var proxy = await ProxyAsync(upstream, HttpProtocols.Http2, route => _ = feature switch
        {
            "retries" => route.WithRetries(2),
            "buffering" => route.WithRequestBuffering(),
            _ => route,
        });
        using var client = new HttpClient { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var content = new StringContent("abc");
        if (feature == "gRPC")
            content.Headers.ContentType = new("application/grpc");

        using var response = await client.PostAsync(proxy.Url, content);

        Assert.Equal("abc", await response.Content.ReadAsStringAsync());
        Assert.Equal(2, upstream.Streams.Count);
        Assert.DoesNotContain(proxy.Logs.GetSnapshot(), r => r.Id.Name is "RequestFailed" or "AttemptFailed");
    }

    [Theory]
    [InlineData("reset", "POST", HttpProtocols.Http1)]
    [InlineData("reset", "PUT", HttpProtocols.Http1)]
    [InlineData("reset", "POST", HttpProtocols.Http2)]
    [InlineData("goaway", "POST", HttpProtocols.Http1)]
    [InlineData("goaway", "POST", HttpProtocols.Http2)]
    [InlineData("goaway with an error", "POST", HttpProtocols.Http1)]
    public async Task A_request_that_was_not_processed_is_sent_again_with_its_body(string how, string method, HttpProtocols client)
    {
        await using var upstream = new Http2Upstream(async stream =>
        {
            if (stream.Index == 0)
            {
                await stream.ReceivedAsync(3);
                await RefuseAsync(stream, how);
                return;
            }
            await stream.CompleteAsync();
            await stream.RespondAsync(200, stream.Body);
        });
        await using var proxy = await ProxyAsync(upstream, client);
        using var upload = Upload.Start(proxy, client, "abc", method);

        await WaitAsync(() => upstream.Streams.Count == 2);
        await upload.Content.WriteAsync("def");
        upload.Content.End();
        using var response = await upload.Response;

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("abcdef", await response.Content.ReadAsStringAsync());
        Assert.Equal(2, upstream.Streams.Count);
        Assert.DoesNotContain(proxy.Logs.GetSnapshot(), r => r.Id.Name == "RequestFailed");
    }

    [Theory]
    [InlineData("reset")]
    [InlineData("goaway")]
    public async Task A_request_that_was_not_processed_is_sent_again_before_its_body_has_come(string how)
    {
        await using var upstream = new Http2Upstream(async stream =>
        {
            if (stream.Index == 0)
            {
                await RefuseAsync(stream, how);
                return;
            }
            await stream.CompleteAsync();
            await stream.RespondAsync(200, stream.Body);
        });
        await using var proxy = await ProxyAsync(upstream, HttpProtocols.Http1);
        using var upload = Upload.Start(proxy, HttpProtocols.Http1, "");

        await WaitAsync(() => upstream.Streams.Count == 2);
        await upload.Content.WriteAsync("abc");
        upload.Content.End();
        using var response = await upload.Response;

        Assert.Equal("abc", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("reset")]
    [InlineData("goaway")]
    public async Task A_whole_small_body_is_sent_again_too(string how)
    {
        await using var upstream = new Http2Upstream(async stream =>
        {
            await stream.CompleteAsync();
            await (stream.Index == 0 ? RefuseAsync(stream, how) : stream.RespondAsync(200, stream.Body));
        });
        await using var proxy = await ProxyAsync(upstream, HttpProtocols.Http1);
        using var client = new HttpClient();

        using var response = await client.PostAsync(proxy.Url, new StringContent("abc"));

        Assert.Equal("abc", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_body_that_is_too_long_to_be_kept_is_not_sent_again()
    {
        await using var upstream = ResettingAfter(100_000, RefusedStream);
        await using var proxy = await ProxyAsync(upstream, HttpProtocols.Http1);
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync($"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{new string('a', 100_000)}");
        var response = await client.ReadUntilAsync("\r\n\r\n");

        Assert.Equal(502, Raw.Status(response));
        await AssertBlamedAsync(proxy);
    }

    private static Http2Upstream ResettingAfter(int bytes, int code) => new(async stream =>
    {
        await stream.ReceivedAsync(bytes);
        await stream.ResetAsync(code);
    });

    private static async Task AssertBlamedAsync(KestrelApp proxy)
    {
        var failed = await proxy.LoggedAsync("RequestFailed");
        Assert.Matches("Request(BodyDestination)?:", failed.Message); // by which of the two it is noticed first
        Assert.DoesNotContain(proxy.Logs.GetSnapshot(), r => r.Id.Name == "ClientAborted");
    }

    private static Task RefuseAsync(Http2UpstreamStream stream, string how) => how switch
    {
        "reset" => stream.ResetAsync(RefusedStream),
        "goaway" => stream.Connection.GoAwayAsync(last: 0),
        _ => stream.Connection.GoAwayAsync(last: 0, EnhanceYourCalm),
    };

    private static Task<KestrelApp> ProxyAsync(Http2Upstream upstream, HttpProtocols client, Action<ProxyRouteBuilder>? route = null) => KestrelApp.StartAsync(
        app =>
        {
            var builder = app.MapProxy("/{**path}", upstream.Url).WithUpstream(Protocols.Wire.H2C);
            route?.Invoke(builder);
        },
        services => services.AddReverseProxy(), client);

    private static Task WaitAsync(Func<bool> condition) => Peers.EventuallyAsync(condition);

    private sealed class Upload : IDisposable
    {
        private readonly HttpClient _client = new() { Timeout = Peers.Patience };

        public required LiveContent Content { get; init; }

        public Task<HttpResponseMessage> Response { get; private set; } = null!;

        public static Upload Start(KestrelApp proxy, HttpProtocols protocol, string start, string method = "POST")
        {
            var upload = new Upload { Content = new() };
            var request = new HttpRequestMessage(new(method), proxy.Url)
            {
                Content = upload.Content,
                Version = protocol == HttpProtocols.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            };
            upload.Response = upload.SendAsync(request, start);
            return upload;
        }

        private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, string start)
        {
            var sending = _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            if (start.Length > 0)
                await Content.WriteAsync(start);
            return await sending;
        }

        public void Dispose()
        {
            Content.End();
            _client.Dispose();
        }
    }
}
