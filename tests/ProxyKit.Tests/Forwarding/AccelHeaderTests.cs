using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.Forwarding;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Forwarding;

/// <summary>The fields by which an upstream steers the proxy, as it steers nginx.</summary>
public class AccelHeaderTests
{
    [Theory]
    [InlineData("X-Accel-Buffering", "no")]
    [InlineData("x-accel-buffering", "yes")]
    [InlineData("X-Accel-Expires", "60")]
    [InlineData("X-Accel-Charset", "koi8-r")]
    [InlineData("X-Accel-Limit-Rate", "1000000")]
    [InlineData("X-Accel-Redirect", "/protected/a")]
    [InlineData("X-Sendfile", "/srv/a")]
    public async Task They_never_reach_the_client(string name, string value)
    {
        await using var app = await ProxyApp.StartAsync(Recorder.WithHeaders((name, value), ("X-Accel-Other", "stays")));

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.False(response.Headers.Contains(name));
        Assert.Equal(["stays"], response.Headers.GetValues("X-Accel-Other"));
    }

    [Theory]
    [InlineData("no", false)]
    [InlineData("NO", false)]
    [InlineData("yes", true)]
    [InlineData("maybe", null)]
    [InlineData(null, null)]
    public async Task X_Accel_Buffering_is_noted_for_the_stage_that_buffers(string? value, bool? expected)
    {
        await using var app = await ProxyApp.StartAsync(value is null ? new() : Recorder.WithHeaders(("X-Accel-Buffering", value)));

        await app.Client.GetAsync("/");

        Assert.Equal(expected, (await app.OutcomeAsync()).AllowsResponseBuffering);
    }

    [Theory]
    [InlineData("text/html", "koi8-r", "text/html; charset=koi8-r")]
    [InlineData("text/html; charset=utf-8", "koi8-r", "text/html; charset=utf-8")]
    [InlineData("text/html", "off", "text/html")]
    [InlineData("text/html", "a b", "text/html")]
    [InlineData(null, "koi8-r", null)]
    public async Task X_Accel_Charset_completes_a_type_that_has_none(string? type, string charset, string? expected)
    {
        await using var app = await ProxyApp.StartAsync(type is null
            ? Recorder.WithHeaders(("X-Accel-Charset", charset))
            : Recorder.WithHeaders(("X-Accel-Charset", charset), ("Content-Type", type)));

        Assert.Equal(expected, (await app.Client.GetAsync("/")).Content.Headers.ContentType?.ToString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task X_Accel_Limit_Rate_is_how_fast_the_body_is_sent(bool hasLength)
    {
        await using var app = await StartAsync("1000", () => hasLength ? new ByteArrayContent(new byte[5000]) : new UnknownLength(new string('x', 5000)));
        var start = app.Time.GetTimestamp();
        using var response = await app.Client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);

        var body = await app.AdvanceUntilAsync(response.Content.ReadAsByteArrayAsync(), TimeSpan.FromMilliseconds(50));

        Assert.Equal(5000, body.Length);
        Assert.InRange(app.Time.GetElapsedTime(start).TotalSeconds, 4.7, 6); // the last quarter of a second needs no wait after it
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_buffered_body_waits_here_and_the_upstream_is_free(bool hasLength)
    {
        var size = 200_000;
        var upstream = new TaskCompletionSource();
        await using var app = await StartAsync("20000", () => new Watched(size, hasLength, upstream), route => route.WithResponseBuffering());
        var start = app.Time.GetTimestamp();
        using var response = await app.Client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        var reading = response.Content.ReadAsByteArrayAsync();

        await upstream.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken); // and the clock has stood still
        Assert.False(reading.IsCompleted);
        var body = await app.AdvanceUntilAsync(reading, TimeSpan.FromMilliseconds(100));

        Assert.Equal(Enumerable.Range(0, size).Select(i => (byte)i), body);
        Assert.InRange(app.Time.GetElapsedTime(start).TotalSeconds, 9.7, 12);
    }

    [Fact]
    public async Task A_slow_rate_is_no_idle_time()
    {
        await using var app = await StartAsync("1", () => new ByteArrayContent(new byte[200]));
        using var response = await app.Client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);

        Assert.Equal(200, (await app.AdvanceUntilAsync(response.Content.ReadAsByteArrayAsync(), TimeSpan.FromSeconds(1))).Length);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-5")]
    [InlineData("fast")]
    [InlineData("1k")]
    public async Task No_rate_is_no_limit(string rate)
    {
        await using var app = await StartAsync(rate, () => new ByteArrayContent(new byte[50_000]));

        Assert.Equal(50_000, (await app.Client.GetByteArrayAsync("/")).Length); // and the clock stands still
    }

    [Fact]
    public async Task A_paced_stream_catches_up_after_a_slow_client_and_keeps_every_byte()
    {
        var time = new FakeTimeProvider();
        var written = new MemoryStream();
        var paced = new PacedStream(written, 100, time, clock: null);
        var text = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 100).Select(i => $"{i:000}")));

        var writing = paced.WriteAsync(text.AsMemory(0, 150)).AsTask();
        Assert.Equal(25, written.Length); // a quarter of a second's, at once
        time.Advance(TimeSpan.FromSeconds(0.25));
        Assert.Equal(50, written.Length);
        time.Advance(TimeSpan.FromSeconds(10));
        await writing;
        await paced.WriteAsync(text.AsMemory(150)); // the client has taken its time

        Assert.Equal(text, written.ToArray());
    }

    [Fact]
    public async Task A_file_is_paced_as_well()
    {
        var folder = Directory.CreateTempSubdirectory("proxykit");
        try
        {
            await File.WriteAllBytesAsync(Path.Combine(folder.FullName, "a.bin"), new byte[3000]);
            await using var app = await ProxyApp.StartAsync(
                Recorder.WithHeaders(("X-Accel-Redirect", "/files/a.bin"), ("X-Accel-Limit-Rate", "1000")), route => route.WithInternalRedirect("/files/", folder.FullName));
            var start = app.Time.GetTimestamp();
            using var response = await app.Client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);

            Assert.Equal(3000, (await app.AdvanceUntilAsync(response.Content.ReadAsByteArrayAsync(), TimeSpan.FromMilliseconds(50))).Length);
            Assert.InRange(app.Time.GetElapsedTime(start).TotalSeconds, 2.7, 4);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Task<ProxyApp> StartAsync(string rate, Func<HttpContent> content, Action<ProxyRouteBuilder>? route = null) => ProxyApp.StartAsync(
        _ =>
        {
            var response = new HttpResponseMessage { Content = content() };
            response.Headers.TryAddWithoutValidation("X-Accel-Limit-Rate", rate);
            return response;
        },
        route);

    /// <summary>A body that says when it has been read to its end.</summary>
    private sealed class Watched : StreamContent
    {
        public Watched(int size, bool hasLength, TaskCompletionSource read)
            : base(new Body(size, read))
        {
            if (hasLength)
                Headers.ContentLength = size;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }

        private sealed class Body(int size, TaskCompletionSource read) : MemoryStream([.. Enumerable.Range(0, size).Select(i => (byte)i)])
        {
            protected override void Dispose(bool disposing)
            {
                if (CanRead && Position == size)
                    read.TrySetResult(); // the exchange is over
                base.Dispose(disposing);
            }
        }
    }
}
