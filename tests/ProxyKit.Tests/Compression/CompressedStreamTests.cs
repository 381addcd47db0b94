using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.Compression;

/// <summary>Bodies that come bit by bit, break off, or are written by somebody else.</summary>
public class CompressedStreamTests
{
    [Theory]
    [InlineData("gzip", null)]
    [InlineData("br", null)]
    [InlineData("zstd", null)]
    [InlineData("br", 100_000L)]
    public async Task When_the_upstream_pauses_the_client_has_all_that_there_was(string coding, long? length)
    {
        var content = new UpstreamPipe(length);
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(content.Content));
        if (length is not null)
            await content.SendAsync("0");
        using var response = await app.GetAsync(coding);
        await using var body = CompressingApp.Decoder(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken), coding);
        var buffer = new byte[1000];
        if (length is not null)
            Assert.Equal(1, await body.ReadAsync(buffer, TestContext.Current.CancellationToken));

        for (var i = 0; i < 20; i++)
        {
            await content.SendAsync($"message {i}\n");
            var received = "";
            while (!received.EndsWith('\n'))
                received += Encoding.UTF8.GetString(buffer, 0, await body.ReadAsync(buffer, TestContext.Current.CancellationToken));
            Assert.Equal($"message {i}\n", received);
        }
    }

    [Fact]
    public async Task Server_sent_events_are_compressed_one_by_one_where_asked_for()
    {
        var content = new UpstreamPipe();
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(content.Content, ("Content-Type", "text/event-stream")), c => c.ServerSentEvents = true);
        using var response = await app.GetAsync("gzip");
        Assert.Equal("gzip", response.Encoding());
        using var reader = new StreamReader(CompressingApp.Decoder(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken), "gzip"));

        for (var i = 0; i < 3; i++)
        {
            await content.SendAsync($"data: {i}\n\n");
            Assert.Equal($"data: {i}", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
            Assert.Equal("", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
        }
        content.End();
        Assert.Null(await reader.ReadLineAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("gzip", null)]
    [InlineData("br", null)]
    [InlineData("zstd", null)]
    [InlineData("br", 5000L)]
    public async Task What_breaks_off_has_no_end(string coding, long? length)
    {
        var content = new UpstreamPipe(length);
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(content.Content));
        await content.SendAsync("the beginning");
        using var response = await app.GetAsync(coding);
        content.Break();

        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsByteArrayAsync());
        Assert.Equal((ProxyError.ResponseBodyDestination, FailureClass.ResponseStarted), ((await app.OutcomeAsync()) is var o ? (o.Error, o.FailureClass) : default));
    }

    [Fact]
    public async Task What_ends_before_its_length_has_no_end()
    {
        var content = new UpstreamPipe(5000);
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(content.Content));
        await content.SendAsync("the beginning");
        using var response = await app.GetAsync("br");
        content.End();

        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_middleware_that_takes_the_body_gets_it_compressed_and_whole(bool isBuffered)
    {
        var requests = 0;
        await using var app = await CompressingApp.StartAsync(
            _ =>
            {
                requests++;
                return CompressingApp.Answer(new UnknownLength(CompressingApp.Text));
            },
            route: r => r.WithResponseBuffering(b => b.Enabled = isBuffered).CacheOutput(p => p.SetVaryByHeader("Accept-Encoding")),
            services: s => s.AddOutputCache(), use: app => app.UseOutputCache());

        for (var i = 0; i < 2; i++)
        {
            using var response = await app.GetAsync("br");
            Assert.Equal("br", response.Encoding());
            Assert.Equal(CompressingApp.Text, await response.TextAsync());
        }
        Assert.Equal(1, requests);
    }

    [Theory]
    [InlineData("br")]
    [InlineData("gzip")]
    public async Task Behind_a_response_buffer_a_slow_client_gets_all(string coding)
    {
        var random = new Random(1);
        var text = string.Concat(Enumerable.Range(0, 2_000_000).Select(_ => (char)random.Next('0', 'z')));
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(text), route: r => r.WithResponseBuffering());

        using var response = await app.GetAsync(coding);

        Assert.Equal(text, await response.TextAsync());
        Assert.Equal(ProxyError.None, (await app.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task What_is_saved_is_counted()
    {
        var counted = new Dictionary<string, (long Sum, string Tags)>();
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text));
        using var listener = new MeterListener { InstrumentPublished = (instrument, l) => { if (instrument.Meter.Scope == app.Services.GetRequiredService<IMeterFactory>()) l.EnableMeasurementEvents(instrument); } };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => counted[instrument.Name] = (value, string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}"))));
        listener.Start();

        using var response = await app.GetAsync("br");
        var length = (await response.Content.ReadAsByteArrayAsync()).Length;
        await app.OutcomeAsync();

        Assert.Equal((CompressingApp.Text.Length, "proxykit.route=/{**path} coding=br"), counted["proxykit.compression.input"]);
        Assert.Equal((length, "proxykit.route=/{**path} coding=br"), counted["proxykit.compression.output"]);
    }
}
