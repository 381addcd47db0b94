using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Buffering;
using ProxyKit.Testing;
using ProxyKit.Tests.Resilience;

namespace ProxyKit.Tests.Buffering;

/// <summary>The upstream is asked when the last byte of the body is here, and not before.</summary>
public class RequestBufferingTests
{
    private readonly Recorder _upstream = new();

    [Fact]
    public async Task The_upstream_is_not_asked_before_the_last_byte_has_come()
    {
        await using var app = await ProxyApp.StartAsync(_upstream, route => route.WithRequestBuffering());
        var budget = app.Services.GetRequiredService<BufferBudget>();
        using var body = new PipedContent();

        var sent = app.Client.PostAsync("/", body);
        await body.SendAsync("Hello, ");
        await UntilAsync(() => budget.MemoryInUse > 0); // taken off the client, so a forwarder that did not wait would have asked by now
        await body.SendAsync("world");
        Assert.Empty(_upstream.Requests);
        body.End();

        Assert.Equal(200, (int)(await sent).StatusCode);
        Assert.Equal("Hello, world", _upstream.Last.Body);
        Assert.Null(_upstream.Last["Transfer-Encoding"]);
        Assert.Equal(12, (await app.OutcomeAsync()).RequestBodyBytes);
        AssertReturned(app);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(0, 200_000)]
    [InlineData(1, 200)]
    [InlineData(1000, 999)]
    [InlineData(1000, 1000)]
    [InlineData(1000, 1001)]
    [InlineData(1000, 200_000)]
    [InlineData(65536, 65536)]
    [InlineData(65536, 65537)]
    [InlineData(65536, 1_000_000)]
    [InlineData(1 << 30, 1_000_000)]
    public async Task A_body_arrives_as_it_was_wherever_it_waited(int threshold, int length)
    {
        var text = string.Create(length, length, static (span, _) =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = (char)('a' + (i * 7 + i / 26) % 26);
        });
        long? announced = null;
        await using var app = await ProxyApp.StartAsync(_upstream, route => route.WithRequestBuffering(b => b.MemoryThreshold = threshold).WithTransforms(t => t.OnRequest(c =>
        {
            announced = c.Request.Content!.Headers.ContentLength;
            return ValueTask.CompletedTask;
        })));

        foreach (var known in new[] { true, false })
        {
            using HttpContent content = known ? new StringContent(text) : new UnknownLength(text[..(length / 3)], text[(length / 3)..]);
            Assert.Equal(200, (int)(await app.Client.PostAsync("/", content)).StatusCode);

            Assert.Equal(text, _upstream.Last.Body);
            Assert.Equal(length, announced);
        }
        AssertReturned(app);
    }

    [Theory]
    [InlineData("GET", null, 1, "text/plain", false)]
    [InlineData("POST", "", 1, "text/plain", false)]
    [InlineData("POST", "x", 1, "text/plain", true)]
    [InlineData("GET", "x", 1, "text/plain", true)]
    [InlineData("POST", "x", 2, "application/grpc", false)]
    [InlineData("POST", "x", 2, "application/grpc+proto", false)]
    [InlineData("POST", "x", 2, "application/grpcish", true)]
    [InlineData("POST", "x", 1, "application/grpc", true)]
    [InlineData("TRACE", "x", 1, "text/plain", false)] // refused: it needs no body
    public async Task Bodies_that_have_an_end_are_buffered(string method, string? text, int version, string type, bool isBuffered)
    {
        var seen = new List<bool>();
        await using var app = await ProxyApp.StartAsync(
            services => Map(services, _upstream),
            app =>
            {
                app.MapProxy("/{**path}", ProxyApp.Upstream).WithRequestBuffering()
                    .WithTransforms(t => t.OnRequest(c => Note(c.HttpContext)).OnResponse(c => Note(c.HttpContext)));

                ValueTask Note(HttpContext context)
                {
                    seen.Add(context.GetProxyContext()!.BufferedBody is not null);
                    return ValueTask.CompletedTask;
                }
            });
        using var request = new HttpRequestMessage(new(method), "/") { Version = new(version, version == 1 ? 1 : 0), Content = text is null ? null : new StringContent(text, Encoding.UTF8, new System.Net.Http.Headers.MediaTypeHeaderValue(type)) };

        await app.Client.SendAsync(request);

        Assert.NotEmpty(seen);
        Assert.All(seen, b => Assert.Equal(isBuffered, b));
        AssertReturned(app);
    }

    [Fact]
    public async Task A_stream_of_gRPC_messages_passes_as_it_comes()
    {
        var upstream = new TestDestinations();
        var asked = new TaskCompletionSource();
        upstream.Map(ProxyApp.Upstream, _ =>
        {
            asked.TrySetResult();
            return new(HttpStatusCode.OK);
        });
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(upstream);
            },
            app => app.MapProxy("/{**path}", ProxyApp.Upstream).WithRequestBuffering());
        using var body = new PipedContent();
        body.Headers.ContentType = new("application/grpc");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Version = new(2, 0), Content = body };

        var sent = app.Client.SendAsync(request);
        await body.SendAsync("x");
        body.End();

        Assert.Equal(200, (int)(await sent).StatusCode);
        await asked.Task;
    }

    [Theory]
    [InlineData(0, 1000, 2000, true, 413)]
    [InlineData(0, 1000, 2000, false, 413)]
    [InlineData(0, 1000, 1000, true, 200)]
    [InlineData(0, 1000, 1000, false, 200)]
    [InlineData(500, 0, 400, true, 200)]
    [InlineData(500, 0, 400, false, 200)]
    [InlineData(500, 0, 501, true, 413)]
    [InlineData(500, 0, 501, false, 413)]
    public async Task A_body_larger_than_all_the_room_is_refused(int memory, long disk, int length, bool known, int status)
    {
        await using var app = await ProxyApp.StartAsync(_upstream, route => route.WithRequestBuffering().WithProxyStatus(), options =>
        {
            options.Buffering.MaxMemory = memory;
            options.Buffering.MaxDisk = disk;
        });
        var text = new string('x', length);

        var response = await app.Client.PostAsync("/", known ? new StringContent(text) : new UnknownLength(text));

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(status == 200 ? 1 : 0, _upstream.Requests.Count);
        if (status == 413)
        {
            Assert.Contains("error=http_request_error", response.Headers.GetValues("Proxy-Status").Single(), StringComparison.Ordinal);
            var outcome = await app.OutcomeAsync();
            Assert.Equal((ProxyError.RequestBodyClient, FailureClass.Client), (outcome.Error, outcome.FailureClass));
        }
        AssertReturned(app);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_that_finds_the_room_taken_is_asked_to_come_again(bool known)
    {
        await using var app = await ProxyApp.StartAsync(_upstream, route => route.WithRequestBuffering(b => b.MemoryThreshold = 0).WithProxyStatus(), options => options.Buffering.MaxDisk = 1000);
        var budget = app.Services.GetRequiredService<BufferBudget>();
        Assert.True(budget.TryTakeDisk(600));
        var text = new string('x', 500);

        var response = await app.Client.PostAsync("/", known ? new StringContent(text) : new UnknownLength(text));

        Assert.Equal(503, (int)response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(10), response.Headers.RetryAfter!.Delta);
        Assert.Empty(_upstream.Requests);
        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.BufferFull, FailureClass.NothingSent), (outcome.Error, outcome.FailureClass));
        Assert.Contains(app.Logs.GetSnapshot(), log => log.Id.Id == 2 && log.Message.Contains("600", StringComparison.Ordinal) == known);
        Assert.Equal(600, budget.DiskInUse);

        budget.ReturnDisk(600);
        Assert.Equal(200, (int)(await app.Client.PostAsync("/", new StringContent(text))).StatusCode);
        AssertReturned(app);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_takes_no_more_than_its_share_of_the_disk(bool known)
    {
        var destinations = new TestDestinations();
        destinations.Map(ProxyApp.Upstream, _upstream.Handle);
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy(o => o.Buffering.MaxDisk = 1000);
                services.AddProxyTestDestinations(destinations);
            },
            app =>
            {
                app.Use((context, next) =>
                {
                    context.Connection.RemoteIpAddress = System.Net.IPAddress.Parse(context.Request.Query["from"].ToString());
                    return next();
                });
                app.UseRouting();
                app.MapProxy("/{**path}", ProxyApp.Upstream).WithRequestBuffering(b => b.MemoryThreshold = 0);
            });
        var budget = app.Services.GetRequiredService<BufferBudget>();
        var text = new string('x', 200);
        using var body = new PipedContent();
        var held = app.Client.PostAsync("/?from=192.0.2.1", body);
        await body.SendAsync(new byte[400]);
        await UntilAsync(() => budget.DiskInUse == 400);

        Assert.Equal(503, (int)(await app.Client.PostAsync("/?from=192.0.2.1", known ? new StringContent(text) : new UnknownLength(text))).StatusCode);
        Assert.Equal(200, (int)(await app.Client.PostAsync("/?from=192.0.2.2", known ? new StringContent(text) : new UnknownLength(text))).StatusCode);
        body.End();
        Assert.Equal(200, (int)(await held).StatusCode);
        Assert.Equal(200, (int)(await app.Client.PostAsync("/?from=192.0.2.1", new StringContent(text))).StatusCode);
        AssertReturned(app);
    }

    [Fact]
    public async Task Bodies_wait_in_files_when_the_memory_is_taken()
    {
        await using var app = await ProxyApp.StartAsync(_upstream, route => route.WithRequestBuffering());
        var budget = app.Services.GetRequiredService<BufferBudget>();
        Assert.True(budget.TryTakeMemory(budget.MaxMemory));
        using var body = new PipedContent();

        var sent = app.Client.PostAsync("/", body);
        await body.SendAsync("on disk");
        await UntilAsync(() => budget.DiskInUse == 7);
        body.End();

        Assert.Equal(200, (int)(await sent).StatusCode);
        Assert.Equal("on disk", _upstream.Last.Body);
        Assert.Equal((0, budget.MaxMemory), (budget.DiskInUse, budget.MemoryInUse));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(65536)]
    public async Task A_client_that_breaks_off_never_reaches_the_upstream(int threshold)
    {
        await using var app = await ProxyApp.StartAsync(_upstream, route => route.WithRequestBuffering(b => b.MemoryThreshold = threshold));
        var budget = app.Services.GetRequiredService<BufferBudget>();
        using var body = new PipedContent();
        using var leave = new CancellationTokenSource();

        var sent = app.Client.PostAsync("/", body, leave.Token);
        await body.SendAsync("half of");
        await UntilAsync(() => budget.MemoryInUse + budget.DiskInUse > 0);
        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sent);
        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.ClientAborted, FailureClass.Client), (outcome.Error, outcome.FailureClass));
        Assert.Empty(_upstream.Requests);
        AssertReturned(app);
    }

    [Fact]
    public async Task A_body_of_another_length_than_announced_never_reaches_the_upstream()
    {
        await using var app = await ProxyApp.StartAsync(
            services => Map(services, _upstream),
            app =>
            {
                app.Use((context, next) =>
                {
                    context.Request.Body = new MemoryStream("too short"u8.ToArray());
                    return next(context);
                });
                app.MapProxy("/{**path}", ProxyApp.Upstream).WithRequestBuffering();
            });

        var response = await app.Client.PostAsync("/", new StringContent("it was longer before"));

        Assert.Equal(400, (int)response.StatusCode);
        Assert.Empty(_upstream.Requests);
    }

    [Fact]
    public async Task A_delegate_sees_the_body_and_can_put_another_in_its_place()
    {
        var seen = "";
        await using var app = await ProxyApp.StartAsync(_upstream, route => route.WithRequestBuffering(b => b.MemoryThreshold = 3).WithTransforms(t => t.OnRequest(async c =>
        {
            using var reader = new StreamReader(c.HttpContext.Request.Body, leaveOpen: true);
            seen = await reader.ReadToEndAsync();
            if (c.HttpContext.Request.Path == "/replace")
                c.HttpContext.Request.Body = new MemoryStream("OTHER"u8.ToArray());
        })));

        await app.Client.PostAsync("/", new UnknownLength("Hello", "!"));
        Assert.Equal(("Hello!", "Hello!"), (seen, _upstream.Last.Body));

        await app.Client.PostAsync("/replace", new UnknownLength("Hello", "!"));
        Assert.Equal(("Hello!", "OTHER"), (seen, _upstream.Last.Body));
        AssertReturned(app);
    }

    [Fact]
    public async Task A_long_body_is_sent_whole_to_the_next_destination()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRequestBuffering().WithRetries(r =>
        {
            r.NonIdempotent = true;
            r.MaxBodySize = 10;
        }));
        app.Upstreams[0].Reset();
        app.Upstreams[1].Respond(HttpStatusCode.ServiceUnavailable);
        var text = new string('x', 100_000) + new string('y', 100_000);

        Assert.Equal(200, (int)(await app.Client.PostAsync("/", new StringContent(text))).StatusCode);

        Assert.Equal([1, 1, 1], app.Requests);
        Assert.Equal(text, app.Recorders[2].Last.Body);
        AssertReturned(app.App);
    }

    [Fact]
    public async Task A_request_with_a_body_can_be_hedged()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRequestBuffering(b => b.MemoryThreshold = 1000).WithHedging());
        app.Upstreams[0].Stall();
        var text = new string('x', 100_000);

        var response = await app.App.AdvanceUntilAsync(app.Client.PutAsync("/", new StringContent(text)), TimeSpan.FromMilliseconds(50));

        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal([1, 1, 0], app.Requests);
        Assert.Equal(text, app.Recorders[1].Last.Body);
        await app.App.OutcomeAsync();
        AssertReturned(app.App);
    }

    [Fact]
    public async Task What_an_upstream_does_not_take_is_given_back()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRequestBuffering(b => b.MemoryThreshold = 1000));
        app.Upstreams[0].Refuse();

        Assert.Equal(502, (int)(await app.Client.PostAsync("/", new StringContent(new string('x', 10_000)))).StatusCode);

        await app.App.OutcomeAsync();
        AssertReturned(app.App);
    }

    [Fact]
    public async Task A_mirror_sees_the_body()
    {
        var shadow = new Recorder();
        var mirrored = new TaskCompletionSource();
        shadow.Answer = _ =>
        {
            mirrored.TrySetResult();
            return new(HttpStatusCode.OK);
        };
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                Map(services, _upstream).Map("http://shadow.test", shadow.Handle);
                services.AddReverseProxy().AddCluster("shadow", c => c.To("http://shadow.test"));
            },
            app => app.MapProxy("/{**path}", ProxyApp.Upstream).WithRequestBuffering(b => b.MemoryThreshold = 2).WithMirror("shadow"));

        await app.Client.PostAsync("/", new UnknownLength("to", " both"));

        await mirrored.Task;
        Assert.Equal(("to both", "to both"), (_upstream.Last.Body, shadow.Last.Body));
    }

    [Fact]
    public async Task Without_buffering_the_upstream_is_asked_at_once()
    {
        var most = 0L;
        ProxyApp? running = null;
        await using var app = running = await ProxyApp.StartAsync(_upstream, route => route.WithTransforms(t => t.OnRequest(c =>
        {
            most = running!.Services.GetRequiredService<BufferBudget>().MemoryInUse;
            return ValueTask.CompletedTask;
        })));

        Assert.Equal(200, (int)(await app.Client.PostAsync("/", new UnknownLength("a", "b"))).StatusCode);

        Assert.Equal("ab", _upstream.Last.Body);
        Assert.Equal(0, most);
    }

    // FastCGI is told the length beforehand, so it has to be found out whatever is configured.
    [Theory]
    [InlineData(null, true, true)]
    [InlineData(null, false, true)]
    [InlineData(false, true, false)]
    [InlineData(false, false, true)]
    [InlineData(true, true, true)]
    public async Task FastCGI_never_gets_a_body_of_unknown_length(bool? enabled, bool isKnown, bool isBuffered)
    {
        bool? seen = null;
        long? announced = null;
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                var destinations = new TestDestinations();
                destinations.Map("fastcgi://php.test:9000", _upstream.Handle);
                services.AddProxyTestDestinations(destinations);
            },
            app =>
            {
                var route = app.MapProxy("/{**path}", "fastcgi://php.test:9000").WithFastCgi(f => (f.Root, f.CheckScript) = ("/srv", false)).WithTransforms(t => t.OnRequest(c =>
                {
                    seen = c.HttpContext.GetProxyContext()!.BufferedBody is not null;
                    announced = c.Request.Content!.Headers.ContentLength;
                    return ValueTask.CompletedTask;
                }));
                if (enabled is { } value)
                    route.WithRequestBuffering(b => b.Enabled = value);
            });
        using HttpContent content = isKnown ? new StringContent("Hello, world") : new UnknownLength("Hello, ", "world");

        Assert.Equal(200, (int)(await app.Client.PostAsync("/x.php", content)).StatusCode);

        Assert.Equal((isBuffered, 12), (seen, announced));
        Assert.Equal("Hello, world", _upstream.Last.Body);
        AssertReturned(app);
    }

    private static TestDestinations Map(IServiceCollection services, Recorder upstream)
    {
        services.AddReverseProxy();
        var destinations = new TestDestinations();
        destinations.Map(ProxyApp.Upstream, upstream.Handle);
        services.AddProxyTestDestinations(destinations);
        return destinations;
    }

    internal static void AssertReturned(ProxyApp app)
    {
        var budget = app.Services.GetRequiredService<BufferBudget>();
        Assert.Equal((0, 0), (budget.MemoryInUse, budget.DiskInUse));
    }

    internal static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
