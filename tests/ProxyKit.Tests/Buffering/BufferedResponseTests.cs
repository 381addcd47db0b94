using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Buffering;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Buffering;

/// <summary>Routes with response buffering: who has to wait for whom.</summary>
public sealed class BufferedResponseTests : IDisposable
{
    private const int Length = 5_000_000;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxykit-tests-");
    private readonly byte[] _bytes = Buffers.Bytes(Length);
    private TestDestination _upstream = null!;
    private ProxyContext? _proxy;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_destination_is_free_while_the_client_has_hardly_begun_to_read(bool lengthIsKnown)
    {
        await using var app = await StartAsync(lengthIsKnown ? Known : Unknown);
        var (response, body) = await BeginAsync(app);
        using var _ = response;

        await FreeAsync();
        var budget = app.Services.GetRequiredService<BufferBudget>();
        Assert.True(budget.DiskInUse > Length - 500_000);
        Assert.True(budget.MemoryInUse <= 64 * 1024);

        Assert.True((await ReadAllAsync(body)).AsSpan().SequenceEqual(_bytes.AsSpan(1000)));
        Assert.Equal(ProxyError.None, (await app.OutcomeAsync()).Error);
        Assert.Equal((0, 0), (budget.MemoryInUse, budget.DiskInUse));
    }

    [Fact]
    public async Task Without_it_the_destination_waits_for_the_client()
    {
        await using var app = await StartAsync(Known, r => r.WithResponseBuffering(b => b.Enabled = false));
        var (response, body) = await BeginAsync(app);
        using var _ = response;
        await SettledAsync();

        Assert.Equal(1, _proxy!.Destination!.ActiveRequests);
        Assert.True((await ReadAllAsync(body)).AsSpan().SequenceEqual(_bytes.AsSpan(1000)));
    }

    [Fact]
    public async Task Server_sent_events_hold_the_destination_back()
    {
        await using var app = await StartAsync(Unknown, contentType: "text/event-stream");
        var (response, body) = await BeginAsync(app);
        using var _ = response;
        await SettledAsync();

        Assert.Equal(1, _proxy!.Destination!.ActiveRequests);
        Assert.True(_proxy.ResponseBodyBytes < 1_000_000);
        Assert.True((await ReadAllAsync(body)).AsSpan().SequenceEqual(_bytes.AsSpan(1000)));
    }

    [Theory]
    [InlineData("no", 1)]
    [InlineData("yes", 0)]
    public async Task An_upstream_can_say_that_it_wants_to_be_held_back(string value, int active)
    {
        await using var app = await StartAsync(Known, header: ("X-Accel-Buffering", value));
        var (response, body) = await BeginAsync(app);
        using var _ = response;
        await (active == 0 ? FreeAsync() : SettledAsync());

        Assert.Equal(active, _proxy!.Destination!.ActiveRequests);
        Assert.True((await ReadAllAsync(body)).AsSpan().SequenceEqual(_bytes.AsSpan(1000)));
    }

    [Fact]
    public async Task An_upstream_that_breaks_off_breaks_the_response_off_and_frees_what_waited()
    {
        await using var app = await StartAsync(Known);
        _upstream.ResetAfter(Length - 1);

        // It may be before the client has read a byte.
        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            var (response, body) = await BeginAsync(app);
            using var _ = response;
            await ReadAllAsync(body);
        });

        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.ResponseBodyDestination, FailureClass.ResponseStarted), (outcome.Error, outcome.FailureClass));
        Assert.Equal(0, app.Services.GetRequiredService<BufferBudget>().DiskInUse);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_fails_before_anything_was_handed_on_is_a_502(bool lengthIsKnown)
    {
        await using var app = await StartAsync(lengthIsKnown ? Known : Unknown);
        _upstream.ResetAfter(0);

        Assert.Equal(HttpStatusCode.BadGateway, (await app.Client.GetAsync("/", TestContext.Current.CancellationToken)).StatusCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task How_long_a_client_takes_is_no_idle_time_of_the_upstreams(bool lengthIsKnown)
    {
        await using var app = await StartAsync(lengthIsKnown ? Known : Unknown, r => r.WithResponseBuffering(b => b.MaxSize = 200_000));
        var (response, body) = await BeginAsync(app);
        using var _ = response;
        await SettledAsync();
        Assert.Equal(1, _proxy!.Destination!.ActiveRequests);

        app.Time.Advance(TimeSpan.FromHours(1));

        Assert.True((await ReadAllAsync(body)).AsSpan().SequenceEqual(_bytes.AsSpan(1000)));
        Assert.Equal(ProxyError.None, (await app.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task An_upstream_that_sends_no_more_is_timed_out_though_the_client_is_slow()
    {
        await using var app = await StartAsync(Known);
        _upstream.StallAfter(Length - 1);
        var (response, _) = await BeginAsync(app);
        using var __ = response;
        await SettledAsync();

        app.Time.Advance(TimeSpan.FromHours(1));

        Assert.Equal(ProxyError.IdleTimeout, (await app.OutcomeAsync()).Error);
        Assert.Equal(0, app.Services.GetRequiredService<BufferBudget>().DiskInUse);
    }

    [Theory]
    [InlineData(1024 * 1024 * 1024)]
    [InlineData(200_000)]
    public async Task A_client_that_leaves_frees_the_destination_and_what_waited(long maxSize)
    {
        await using var app = await StartAsync(Known, r => r.WithResponseBuffering(b => b.MaxSize = maxSize));
        var (response, _) = await BeginAsync(app);
        await SettledAsync();

        response.Dispose();

        Assert.Equal(ProxyError.ClientAborted, (await app.OutcomeAsync()).Error);
        Assert.Equal(0, _proxy!.Destination!.ActiveRequests);
        var budget = app.Services.GetRequiredService<BufferBudget>();
        Assert.Equal((0, 0), (budget.MemoryInUse, budget.DiskInUse));
    }

    [Theory]
    [InlineData("GET", HttpStatusCode.NoContent)]
    [InlineData("GET", HttpStatusCode.NotModified)]
    [InlineData("HEAD", HttpStatusCode.OK)]
    public async Task What_has_no_body_passes(string method, HttpStatusCode status)
    {
        await using var app = await StartAsync(() => new ByteArrayContent([]), status: status);
        using var request = new HttpRequestMessage(new(method), "/");

        Assert.Equal(status, (await app.Client.SendAsync(request, TestContext.Current.CancellationToken)).StatusCode);
        Assert.Equal(ProxyError.None, (await app.OutcomeAsync()).Error);
    }

    private ByteArrayContent Known() => new(_bytes);

    private Chunked Unknown() => new(_bytes);

    private Task<ProxyApp> StartAsync(
        Func<HttpContent> content, Action<ProxyRouteBuilder>? route = null, string contentType = "text/html", (string Name, string Value)? header = null, HttpStatusCode status = HttpStatusCode.OK)
    {
        var destinations = new TestDestinations();
        _upstream = destinations.Map(ProxyApp.Upstream, _ =>
        {
            var response = new HttpResponseMessage(status) { Content = content() };
            response.Content.Headers.ContentType = new(contentType);
            if (header is var (name, value))
                response.Headers.Add(name, value);
            return response;
        });
        return ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy(o => o.Buffering.Directory = Path.Combine(_folder.FullName, "files"));
                services.AddProxyTestDestinations(destinations);
            },
            app =>
            {
                app.Use(async (context, next) =>
                {
                    var running = next(context);
                    _proxy = context.GetProxyContext();
                    await running;
                });
                var builder = app.MapProxy("/{**path}", ProxyApp.Upstream).WithResponseBuffering();
                route?.Invoke(builder);
            });
    }

    /// <summary>A client that has read 1000 bytes.</summary>
    private static async Task<(HttpResponseMessage Response, Stream Body)> BeginAsync(ProxyApp app)
    {
        var response = await app.Client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        var body = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        await body.ReadExactlyAsync(new byte[1000], TestContext.Current.CancellationToken);
        return (response, body);
    }

    private static async Task<byte[]> ReadAllAsync(Stream body)
    {
        var all = new MemoryStream();
        await body.CopyToAsync(all, TestContext.Current.CancellationToken);
        return all.ToArray();
    }

    private async Task FreeAsync()
    {
        while (_proxy?.Destination?.ActiveRequests != 0)
        {
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    /// <summary>Waits until the upstream is read no more, for whatever reason.</summary>
    private async Task SettledAsync()
    {
        var (bytes, since) = (-1L, System.Diagnostics.Stopwatch.GetTimestamp());
        while (System.Diagnostics.Stopwatch.GetElapsedTime(since) < TimeSpan.FromMilliseconds(200))
        {
            if (_proxy?.ResponseBodyBytes != bytes)
                (bytes, since) = (_proxy?.ResponseBodyBytes ?? 0, System.Diagnostics.Stopwatch.GetTimestamp());
            await Task.Yield();
        }
    }

    private sealed class Chunked(byte[] bytes) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(bytes).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
