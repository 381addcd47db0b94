using System.Security.Cryptography;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Protocols;

/// <summary>Over real connections the copy holds what the request held, however the body came.</summary>
public class MirroringTests
{
    [Theory]
    [InlineData(Wire.Http1, Wire.Http1)]
    [InlineData(Wire.H2C, Wire.Http1)]
    [InlineData(Wire.Http1, Wire.H2C)]
    [InlineData(Wire.H2C, Wire.H2C)]
    public async Task Bodies_arrive_at_both(Wire client, Wire upstream)
    {
        var (main, shadow) = (new Sink(), new Sink());
        await using var mainServer = await Peers.StartAsync(upstream, main.AnswerAsync);
        await using var shadowServer = await Peers.StartAsync(upstream, shadow.AnswerAsync);
        await using var proxy = await StartProxyAsync(client, upstream, mainServer.Url, shadowServer.Url);
        using var http = proxy.CreateClient(client);

        foreach (var (length, chunked) in new[] { (0, false), (1, false), (5_000, false), (60_000, false), (1_000_000, false), (0, true), (5_000, true), (1_000_000, true) })
        {
            var bytes = Peers.Bytes(length, seed: length + 1);

            using var response = await http.PostAsync($"/{length}?chunked={chunked}", chunked ? new UnknownLength(bytes) : new ByteArrayContent(bytes));

            Assert.Equal("main", await response.Content.ReadAsStringAsync());
            var expected = new Seen($"POST /{length}?chunked={chunked}", Convert.ToHexString(SHA256.HashData(bytes)));
            Assert.Equal(expected, await main.NextAsync());
            Assert.Equal(expected, await shadow.NextAsync());
        }
        using var get = await http.GetAsync("/get");
        Assert.Equal("GET /get", (await main.NextAsync()).Target);
        Assert.Equal("GET /get", (await shadow.NextAsync()).Target);
    }

    [Fact]
    public async Task Many_clients_at_once_get_their_answers_and_each_copy_its_own_body()
    {
        var (main, shadow) = (new Sink(), new Sink());
        await using var mainServer = await Peers.StartAsync(Wire.Http1, main.AnswerAsync);
        await using var shadowServer = await Peers.StartAsync(Wire.Http1, shadow.AnswerAsync);
        await using var proxy = await StartProxyAsync(Wire.Http1, Wire.Http1, mainServer.Url, shadowServer.Url);
        using var http = proxy.CreateClient(Wire.Http1);

        await Task.WhenAll(Enumerable.Range(0, 32).Select(async worker =>
        {
            for (var i = 0; i < 20; i++)
            {
                using var response = await http.PostAsync($"/{worker}/{i}", new ByteArrayContent(Peers.Bytes(worker * 500 + i, seed: worker)));
                Assert.Equal("main", await response.Content.ReadAsStringAsync());
            }
        }));

        var (sent, copied) = (new HashSet<Seen>(), new HashSet<Seen>());
        for (var i = 0; i < 32 * 20; i++)
        {
            sent.Add(await main.NextAsync());
            copied.Add(await shadow.NextAsync());
        }
        Assert.Equal(32 * 20, sent.Count);
        Assert.True(sent.SetEquals(copied));
    }

    private static Task<KestrelApp> StartProxyAsync(Wire client, Wire upstream, string main, string shadow) => Peers.StartAsync(
        client,
        app => app.MapProxy("/{**path}", main).WithUpstream(upstream).WithMirror("shadow").WithMirror(m =>
        {
            m.MaxBodySize = 1 << 20;
            m.MaxConcurrentRequests = 1000;
        }),
        services => services.AddReverseProxy().AddCluster("shadow", c =>
        {
            c.To(shadow);
            if (upstream == Wire.H2C)
                c.WithHttpRequest(r => (r.Version, r.VersionPolicy) = (new(2, 0), HttpVersionPolicy.RequestVersionExact));
        }));

    private sealed class UnknownLength(byte[] bytes) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context) => stream.WriteAsync(bytes).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    private sealed record Seen(string Target, string Hash);

    private sealed class Sink
    {
        private readonly Channel<Seen> _seen = Channel.CreateUnbounded<Seen>();

        public async Task AnswerAsync(HttpContext context)
        {
            var hash = await SHA256.HashDataAsync(context.Request.Body);
            _seen.Writer.TryWrite(new($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}", Convert.ToHexString(hash)));
            await context.Response.WriteAsync("main");
        }

        public Task<Seen> NextAsync() => _seen.Reader.ReadAsync().AsTask().WaitAsync(Peers.Patience);
    }
}
