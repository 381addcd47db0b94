using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Configuration;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>Interim responses (RFC 9110 §15.2) reach the client that asked, before the final one, and nobody else.</summary>
public class InterimResponseTests
{
    private const string Hint = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task They_are_passed_on_as_they_come(bool isCached, bool isMore)
    {
        var mayEnd = new TaskCompletionSource();
        await using var wire = await WireProxy.StartAsync(
            new RawUpstream(async connection =>
            {
                await connection.ReadRequestAsync();
                await connection.SendAsync(Hint);
                await mayEnd.Task.WaitAsync(connection.Stopping);
                await connection.SendAsync("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 199 Whatever\r\nX-My: é\r\n\r\nHTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nok");
            }),
            route: r =>
            {
                if (isCached)
                    r.WithCache();
                if (isMore)
                    r.WithBuffering().WithCompression().WithRetries();
            },
            options: o => o.Pseudonym = "px");
        using var client = await wire.ConnectAsync();

        await client.SendAsync(Get);
        Assert.Equal("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nVia: 1.1 px\r\n\r\n", await client.ReadUntilAsync("\r\n\r\n"));
        mayEnd.SetResult();
        var rest = await client.ReadUntilAsync("ok");

        Assert.StartsWith("HTTP/1.1 102 Processing\r\nVia: 1.1 px\r\n\r\nHTTP/1.1 199 Whatever\r\nX-My: é\r\nVia: 1.1 px\r\n\r\nHTTP/1.1 200 OK\r\n", rest);
        var final = Raw.Final(rest);
        Assert.Equal(["1"], Raw.Values(final, "X-Own"));
        Assert.False(Raw.Has(final, "Link") || Raw.Has(final, "X-My"));

        if (isCached)
        {
            await client.SendAsync(Get);
            var hit = await client.ReadUntilAsync("ok");
            Assert.StartsWith("HTTP/1.1 200 OK\r\n", hit); // only the final response is stored
            Assert.False(Raw.Has(hit, "Link"));
            Assert.Single(wire.Upstream.Requests);
        }
    }

    [Fact]
    public async Task They_say_no_more_than_a_final_response_may()
    {
        await using var wire = await WireProxy.StartAsync(
            new RawUpstream(
                "HTTP/1.1 103 Early Hints\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nServer: internal\r\nX-Secret: 1\r\nX-Set: theirs\r\nSet-Cookie: a=b\r\nLocation: http://10.0.0.1/\r\n"
                + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nX-Accel-Redirect: /x\r\nVia: 1.1 inner\r\nLink: <a>\r\nLink: <b>\r\nX-Control: a\u0001b\rc\r\n\r\n" + WireProxy.Ok),
            route: r => r.WithTransforms(t => t.RemoveResponseHeader("X-Secret").SetResponseHeader("X-Set", "ours")),
            options: o => o.Pseudonym = "px");

        var response = await wire.GetAsync("/");

        Assert.Equal("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\nLink: <b>\r\nX-Control: a b c\r\nVia: 1.1 inner, 1.1 px\r\n", Raw.Head(response));
        Assert.Equal(200, Raw.Status(Raw.Final(response)));
        Assert.Equal("ours", Raw.Value(Raw.Final(response), "X-Set"));
    }

    [Fact]
    public async Task A_list_of_allowed_headers_is_theirs_too()
    {
        await using var wire = await WireProxy.StartAsync(
            new RawUpstream("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\nX-Other: 1\r\n\r\n" + WireProxy.Ok),
            route: r => r.WithTransforms(t => t.AllowResponseHeaders("Link")), options: o => o.Pseudonym = "px");

        Assert.Equal("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\nVia: 1.1 px\r\n", Raw.Head(await wire.GetAsync("/")));
    }

    [Fact]
    public async Task What_the_cache_keeps_for_itself_does_not_stand_in_them()
    {
        await using var wire = await WireProxy.StartAsync(
            new RawUpstream("HTTP/1.1 103 Early Hints\r\nCache-Tag: a\r\nSurrogate-Control: max-age=9\r\n\r\n" + WireProxy.Ok), route: r => r.WithCache(c => c.SurrogateControl = true), options: o => o.Pseudonym = "px");

        Assert.Equal("HTTP/1.1 103 Early Hints\r\nVia: 1.1 px\r\n", Raw.Head(await wire.GetAsync("/")));
    }

    [Theory]
    [InlineData("HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", true)]
    [InlineData("a client that waits for a 100", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", true)]
    [InlineData("turned off", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false)]
    public async Task Whoever_is_not_to_have_them_has_the_final_response_alone(string row, string request, bool isOn)
    {
        await using var wire = await WireProxy.StartAsync(
            new RawUpstream(async connection =>
            {
                await connection.ReadHeadAsync();
                await connection.SendAsync(Hint + WireProxy.Ok);
            }),
            options: o => o.RelayInterimResponses = isOn);

        var response = await wire.SendAsync(request);

        Assert.True(Raw.Status(response) == 200, $"{row}: {response}");
        Assert.Equal(1, Raw.Responses(response));
    }

    [Fact]
    public async Task Over_HTTP2_the_final_response_comes_alone()
    {
        await using var upstream = new RawUpstream(Hint + WireProxy.Ok);
        await using var proxy = await KestrelApp.StartProxyAsync(upstream.Url, protocols: HttpProtocols.Http2);
        using var client = new HttpClient { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };

        Assert.Equal("ok", await client.GetStringAsync(proxy.Url));
    }

    [Fact]
    public async Task Over_TLS_they_are_encrypted_as_all_else()
    {
        await using var upstream = RawUpstream.KeepAlive(Hint + WireProxy.Ok);
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}", upstream.Url), services => services.AddReverseProxy(), listen: o => o.UseHttps(Certificates.Loopback));
        using var raw = await RawClient.ConnectAsync(proxy.Port);
        await using var tls = new SslStream(new System.Net.Sockets.NetworkStream(raw.Socket));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, _, _, _) => true });

        for (var i = 0; i < 3; i++)
        {
            await tls.WriteAsync(Encoding.Latin1.GetBytes(Get));
            var text = "";
            var buffer = new byte[4096];
            while (!text.EndsWith("ok", StringComparison.Ordinal))
                text += Encoding.Latin1.GetString(buffer, 0, await tls.ReadAsync(buffer).AsTask().WaitAsync(TimeSpan.FromSeconds(10)));
            Assert.StartsWith("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n", text);
            Assert.Equal(2, Raw.Responses(text));
            Assert.Equal(200, Raw.Status(Raw.Final(text)));
        }
    }

    [Fact]
    public async Task Requests_in_a_pipeline_have_each_their_own()
    {
        var count = 0;
        await using var wire = await WireProxy.StartAsync(new RawUpstream(async connection =>
        {
            while (true)
            {
                await connection.ReadRequestAsync();
                var n = Interlocked.Increment(ref count);
                await connection.SendAsync($"HTTP/1.1 103 Early Hints\r\nX-N: {n}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-N: {n}\r\n\r\nok");
            }
        }));

        var all = await wire.SendAsync(string.Concat(Enumerable.Repeat(Get, 20)) + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        var heads = all.Split("HTTP/1.1 ", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(Enumerable.Range(1, 21).SelectMany(n => new[] { $"103 {n}", $"200 {n}" }), heads.Select(h => $"{h[..3]} {Raw.Value("HTTP/1.1 " + h, "X-N")}"));
    }

    [Theory]
    [InlineData(64 * 1024)]
    [InlineData(0)]
    public async Task What_is_too_much_is_left_out(int buffer)
    {
        var reply = string.Concat(Enumerable.Range(0, 30).Select(i => $"HTTP/1.1 103 Early Hints\r\nX-Long: {new string('a', 4000)}\r\n\r\n")) + WireProxy.Ok;
        await using var upstream = new RawUpstream(reply);
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}", upstream.Url), services => services.Configure<SocketTransportOptions>(o => o.MaxWriteBufferSize = buffer).AddReverseProxy());

        var response = await RawClient.SendAsync(proxy.Port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.InRange(response.Length, 4000, 17 * 1024);
        Assert.Equal("ok", Raw.Body(Raw.Final(response)));
    }

    [Fact]
    public async Task They_come_while_the_request_is_still_being_sent()
    {
        await using var wire = await WireProxy.StartAsync(new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 102 Processing\r\n\r\n");
            await connection.ReadUntilAsync("end");
            await connection.SendAsync(WireProxy.Ok);
        }));
        using var client = await wire.ConnectAsync();

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nthe");
        Assert.StartsWith("HTTP/1.1 102 Processing\r\n", await client.ReadUntilAsync("\r\n\r\n"));
        await client.SendAsync("end");

        Assert.StartsWith("HTTP/1.1 200 OK\r\n", await client.ReadUntilAsync("ok"));
    }

    [Fact]
    public async Task An_attempt_that_fails_after_one_is_made_again()
    {
        await using var bad = new RawUpstream(Hint);
        await using var good = RawUpstream.KeepAlive(Hint + WireProxy.Ok);
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}", bad.Url, good.Url).WithRetries().WithLoadBalancing(LoadBalancingPolicies.RoundRobin), services => services.AddReverseProxy());

        for (var i = 0; i < 4; i++)
        {
            var response = await RawClient.SendAsync(proxy.Port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            Assert.Equal("ok", Raw.Body(Raw.Final(response)));
            Assert.StartsWith("HTTP/1.1 103 Early Hints\r\n", response);
        }
        Assert.NotEmpty(bad.Requests);
    }

    [Fact]
    public async Task A_failure_after_one_is_a_502_after_it()
    {
        await using var wire = await WireProxy.StartAsync(new RawUpstream(Hint + "nonsense\r\n\r\n"));

        var response = await wire.GetAsync("/");

        Assert.StartsWith("HTTP/1.1 103 Early Hints\r\n", response);
        Assert.Equal(2, Raw.Responses(response));
        Assert.Equal(502, Raw.Status(Raw.Final(response)));
    }

    [Fact]
    public async Task The_loser_of_a_hedge_can_say_nothing_any_more()
    {
        var hints = string.Concat(Enumerable.Range(0, 30).Select(i => $"HTTP/1.1 103 Early Hints\r\nX-N: {i}\r\n\r\n"));
        var isHedged = new SemaphoreSlim(0);
        await using var loser = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await isHedged.WaitAsync(connection.Stopping);
            await connection.SendAsync(hints);
            await connection.ClosedAsync();
        });
        await using var winner = new RawUpstream(async connection =>
        {
            while (true)
            {
                await connection.ReadRequestAsync();
                isHedged.Release();
                await connection.SendAsync(WireProxy.Ok);
            }
        });
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}", loser.Url, winner.Url).WithHedging(TimeSpan.FromMilliseconds(5)).WithLoadBalancing(LoadBalancingPolicies.First),
            services => services.AddReverseProxy());
        using var client = await RawClient.ConnectAsync(proxy.Port);

        for (var i = 0; i < 40; i++)
        {
            await client.SendAsync(Get);
            Assert.Equal("ok", Raw.Body(Raw.Final(await client.ReadUntilAsync("ok"))));
        }
        Assert.NotEmpty(loser.Requests); // on a busy machine some hedges win before the loser has read its request
    }

    [Fact]
    public async Task A_cached_request_that_outlives_its_client_says_nothing_to_the_next_on_the_connection()
    {
        var isLate = new TaskCompletionSource();
        await using var upstream = new RawUpstream(async connection =>
        {
            var request = await connection.ReadRequestAsync();
            if (request.StartsWith("GET /slow ", StringComparison.Ordinal))
            {
                await isLate.Task.WaitAsync(connection.Stopping);
                await connection.SendAsync(Hint);
            }
            await connection.SendAsync("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok");
        });
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.UseRequestTimeouts();
                app.MapProxy("/{**path}", upstream.Url).WithCache(c => c.FinishWithoutClient = true).WithMetadata(new RequestTimeoutAttribute(200));
            },
            services => services.AddRequestTimeouts().AddReverseProxy());
        using var client = await RawClient.ConnectAsync(proxy.Port);

        await client.SendAsync("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 504 ", await client.ReadUntilAsync("\r\n\r\n"));
        isLate.SetResult();
        // It has been stored when its second hit needs no upstream any more.
        string hit;
        do
        {
            await client.SendAsync("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
            hit = await client.ReadUntilAsync("ok");
            Assert.Equal(1, Raw.Responses(Raw.Final(hit)));
        }
        while (!Raw.Value(Raw.Final(hit), "Cache-Status")!.Contains("hit", StringComparison.Ordinal));

        Assert.StartsWith("HTTP/1.1 200 OK\r\n", hit);
        Assert.Single(upstream.Requests);
    }

    [Fact]
    public async Task A_request_that_only_looks_like_the_clients_has_none()
    {
        await using var upstream = new RawUpstream(Hint + WireProxy.Ok);
        await using var proxy = await KestrelApp.StartAsync(
            app => app.Run(async context =>
            {
                // A part of a page, from elsewhere: with a response of its own over the client's features.
                await context.Response.WriteAsync("one ");
                await context.Response.Body.FlushAsync();
                var features = new FeatureCollection(context.Features);
                features.Set<IHttpResponseFeature>(new HttpResponseFeature());
                using var part = new MemoryStream();
                features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(part));
                features.Set<IItemsFeature>(new ItemsFeature());
                await app.Services.GetRequiredService<IProxyForwarder>().ForwardAsync(new DefaultHttpContext(features), upstream.Url);
                await context.Response.WriteAsync(Encoding.Latin1.GetString(part.ToArray()));
            }),
            services => services.AddReverseProxy());

        var response = await RawClient.SendAsync(proxy.Port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.Equal("4\r\none \r\n2\r\nok\r\n0\r\n\r\n", Raw.Body(response));
    }

    [Fact]
    public async Task None_comes_once_a_middleware_has_begun_to_answer()
    {
        var (mayBegin, hasBegun) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync("HTTP/1.1 102 Processing\r\n\r\n");
            await hasBegun.Task.WaitAsync(connection.Stopping);
            await connection.SendAsync(Hint + WireProxy.Ok);
        });
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    var real = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
                    using var body = new MemoryStream();
                    context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(body));
                    var running = next(context);
                    await mayBegin.Task;
                    await real.Stream.WriteAsync("wait "u8.ToArray());
                    await real.Stream.FlushAsync();
                    await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    context.Features.Set(real);
                    await real.Stream.WriteAsync("end"u8.ToArray());
                });
                app.MapProxy("/{**path}", upstream.Url);
            },
            services => services.AddReverseProxy());

        using var client = await RawClient.ConnectAsync(proxy.Port);
        await client.SendAsync(Get);
        Assert.StartsWith("HTTP/1.1 102 ", await client.ReadUntilAsync("\r\n\r\n"));
        mayBegin.SetResult();
        var begun = await client.ReadUntilAsync("wait \r\n");
        hasBegun.SetResult();

        Assert.Equal("5\r\nwait \r\n", Raw.Body(begun + await client.ReadToEndAsync())); // the proxy cannot answer any more
    }

    [Fact]
    public async Task A_clients_connection_that_has_failed_is_no_failure_of_the_upstream()
    {
        await using var upstream = RawUpstream.KeepAlive(Hint + WireProxy.Ok);
        var ended = new TaskCompletionSource<ProxyContext>();
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    await next(context);
                    ended.SetResult(context.GetProxyContext()!);
                });
                app.MapProxy("/{**path}", upstream.Url).WithRetries();
            },
            services => services.AddReverseProxy(),
            listen: listen => listen.Use(next => connection =>
            {
                var pipe = new Pipe();
                pipe.Reader.Complete(new System.Net.Sockets.SocketException((int)System.Net.Sockets.SocketError.TimedOut));
                connection.Transport = new Transport(connection.Transport.Input, pipe.Writer);
                return next(connection);
            }));
        using var client = await RawClient.ConnectAsync(proxy.Port);
        await client.SendAsync(Get);

        Assert.Equal(1, (await ended.Task.WaitAsync(TimeSpan.FromSeconds(10))).Attempts);
    }

    private sealed class Transport(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => output;
    }
}
