using System.IO.Compression;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Buffering;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Buffering;

/// <summary>ASP.NET Core's own middlewares that replace the response's body, around a proxy that buffers.</summary>
public sealed class MiddlewareAroundTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxykit-tests-");
    private readonly TestDestinations _destinations = new();

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(true, 10_000)]
    [InlineData(true, 300_000)]
    [InlineData(false, 10_000)]
    [InlineData(false, 300_000)]
    public async Task What_broke_off_is_not_kept_by_the_output_cache(bool isBuffered, int breaksOffAfter)
    {
        var bytes = Buffers.Bytes(500_000);
        var upstream = Map(bytes).ResetAfter(breaksOffAfter).Times(1);
        await using var app = await StartAsync(services => services.AddOutputCache(), app => app.UseOutputCache(), route => route.WithResponseBuffering(b => b.Enabled = isBuffered).CacheOutput());
        await Assert.ThrowsAnyAsync<Exception>(() => app.Client.GetByteArrayAsync("/", TestContext.Current.CancellationToken));

        Assert.True((await app.Client.GetByteArrayAsync("/", TestContext.Current.CancellationToken)).AsSpan().SequenceEqual(bytes));
        Assert.True((await app.Client.GetByteArrayAsync("/", TestContext.Current.CancellationToken)).AsSpan().SequenceEqual(bytes));
        Assert.Equal(2, upstream.Requests);
    }

    [Theory]
    [InlineData(true, 10)]
    [InlineData(true, 500_000)]
    [InlineData(false, 10)]
    [InlineData(false, 500_000)]
    public async Task The_output_cache_keeps_a_response_to_its_last_byte(bool isBuffered, int length)
    {
        var bytes = Buffers.Bytes(length);
        var upstream = Map(bytes);
        await using var app = await StartAsync(services => services.AddOutputCache(), app => app.UseOutputCache(), route => route.WithResponseBuffering(b => b.Enabled = isBuffered).CacheOutput());

        for (var i = 0; i < 2; i++)
            Assert.True((await app.Client.GetByteArrayAsync("/", TestContext.Current.CancellationToken)).AsSpan().SequenceEqual(bytes));

        Assert.Equal(1, upstream.Requests);
        AssertReturned(app);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_compressed_response_arrives_whole_at_a_slow_client(bool isBuffered)
    {
        var bytes = Buffers.Bytes(2_000_000);
        Map(bytes);
        await using var app = await StartAsync(
            services => services.AddResponseCompression(), app => app.UseResponseCompression(), route => route.WithResponseBuffering(b => (b.Enabled, b.MaxSize) = (isBuffered, 500_000)));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { AcceptEncoding = { new("gzip") } } };

        using var response = await app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(["gzip"], response.Content.Headers.ContentEncoding);
        await using var body = new GZipStream(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken), CompressionMode.Decompress);
        var received = new byte[bytes.Length];
        for (var i = 0; i < received.Length;)
        {
            await Task.Yield();
            i += await body.ReadAtLeastAsync(received.AsMemory(i, Math.Min(50_000, received.Length - i)), 1, cancellationToken: TestContext.Current.CancellationToken);
        }

        Assert.Equal(0, await body.ReadAsync(new byte[1], TestContext.Current.CancellationToken));
        Assert.True(received.AsSpan().SequenceEqual(bytes));
        Assert.Equal(ProxyError.None, (await app.OutcomeAsync()).Error);
        AssertReturned(app);
    }

    private TestDestination Map(byte[] bytes) => _destinations.Map(ProxyApp.Upstream, _ =>
    {
        var response = new HttpResponseMessage(HttpStatusCode.OK) { Content = new Unknown(bytes) };
        response.Content.Headers.ContentType = new("text/plain");
        return response;
    });

    private Task<ProxyApp> StartAsync(Action<IServiceCollection> services, Action<WebApplication> use, Action<ProxyRouteBuilder> route) => ProxyApp.StartAsync(
        s =>
        {
            s.AddReverseProxy(o => o.Buffering.Directory = _folder.FullName);
            s.AddProxyTestDestinations(_destinations);
            services(s);
        },
        app =>
        {
            use(app);
            route(app.MapProxy("/{**path}", ProxyApp.Upstream));
        });

    private static void AssertReturned(ProxyApp app)
    {
        var budget = app.Services.GetRequiredService<BufferBudget>();
        Assert.Equal((0, 0), (budget.MemoryInUse, budget.DiskInUse));
    }

    private sealed class Unknown(byte[] bytes) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(bytes).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
