using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Buffering;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Buffering;

/// <summary>A client has time for its body, and not for ever; the upstream's time begins when it is asked.</summary>
public class SlowClientTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    private readonly Recorder _upstream = new();

    [Fact]
    public async Task A_client_that_sends_nothing_is_told_after_a_minute() => Assert.InRange((await StopAsync(minDataRate: 0)).TotalSeconds, 60, 100);

    // Ten seconds' worth at once: fast enough until then, though nothing more comes.
    [Fact]
    public async Task A_client_below_the_rate_is_told_when_its_grace_is_over() => Assert.InRange((await StopAsync(minDataRate: 100)).TotalSeconds, 10, 50);

    [Fact]
    public async Task A_client_that_trickles_is_told_though_it_is_never_idle()
    {
        await using var app = await ProxyApp.StartAsync(_upstream, route => route.WithRequestBuffering(b => b.MemoryThreshold = 0));
        using var body = new PipedContent();
        var start = app.Time.GetTimestamp();

        var sent = app.Client.PostAsync("/", body);
        for (var i = 0; !sent.IsCompleted; i++)
        {
            if (i < 50)
                await SendAsync(app, body, 1, sent);
            await app.AdvanceUntilAsync(Task.WhenAny(sent, Task.Delay(s_second, app.Time)), s_second);
        }

        await AssertTooSlowAsync(app, await sent);
        Assert.InRange(app.Time.GetElapsedTime(start).TotalSeconds, 5, 50);
    }

    // The average of the whole upload would let it hold 100,000 bytes for seven minutes.
    [Fact]
    public async Task A_client_that_was_fast_is_told_when_it_only_trickles()
    {
        await using var app = await ProxyApp.StartAsync(_upstream, route => route.WithRequestBuffering(b => b.MemoryThreshold = 0));
        using var body = new PipedContent();
        var sent = app.Client.PostAsync("/", body);
        await SendAsync(app, body, 100_000);
        var start = app.Time.GetTimestamp();

        for (var i = 0; !sent.IsCompleted; i++)
        {
            if (i % 15 == 14)
                await SendAsync(app, body, 1, sent);
            await app.AdvanceUntilAsync(Task.WhenAny(sent, Task.Delay(s_second, app.Time)), s_second);
        }

        await AssertTooSlowAsync(app, await sent);
        Assert.InRange(app.Time.GetElapsedTime(start).TotalSeconds, 15, 60);
    }

    [Fact]
    public async Task A_slow_upload_is_no_fault_of_the_upstream_s()
    {
        await using var app = await ProxyApp.StartAsync(
            _upstream, route => route.WithRequestBuffering(b => b.MemoryThreshold = 0).WithTimeouts(t =>
            {
                t.Connect = t.FirstByte = s_second;
                t.Idle = s_second;
            }));
        using var body = new PipedContent();

        var sent = app.Client.PostAsync("/", body);
        for (var i = 0; i < 20; i++)
        {
            await SendAsync(app, body, 1000);
            app.Time.Advance(TimeSpan.FromSeconds(3));
        }
        Assert.False(sent.IsCompleted);
        body.End();

        Assert.Equal(200, (int)(await sent).StatusCode);
        Assert.Equal(20_000, _upstream.Last.Body.Length);
    }

    [Fact]
    public async Task The_time_for_the_whole_request_begins_with_its_first_byte()
    {
        var destinations = new TestDestinations();
        var upstream = destinations.Map(ProxyApp.Upstream, _upstream.Handle).Stall();
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapProxy("/{**path}", ProxyApp.Upstream).WithRequestBuffering(b => b.MemoryThreshold = 0).WithTimeout(TimeSpan.FromSeconds(30)));
        using var body = new PipedContent();

        var sent = app.Client.PostAsync("/", body);
        await SendAsync(app, body, 10_000);
        app.Time.Advance(TimeSpan.FromSeconds(20));
        body.End();
        await ProxyApp.ReachedAsync(upstream);
        app.Time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(sent.IsCompleted);
        app.Time.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal(504, (int)(await sent.WaitAsync(TimeSpan.FromSeconds(30))).StatusCode);
        Assert.Equal(ProxyError.TotalTimeout, (await app.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task A_client_that_takes_all_the_time_for_the_request_is_told_that_it_was_it()
    {
        await using var app = await ProxyApp.StartAsync(_upstream, route => route.WithRequestBuffering(b => (b.MemoryThreshold, b.MinDataRate) = (0, 0)).WithTimeout(TimeSpan.FromSeconds(30)));
        using var body = new PipedContent();

        var sent = app.Client.PostAsync("/", body);
        await SendAsync(app, body, 1);

        await AssertTooSlowAsync(app, await app.AdvanceUntilAsync(sent, s_second));
    }

    /// <summary>Sends 1,000 bytes and no more; says how long it was waited for.</summary>
    private async Task<TimeSpan> StopAsync(double minDataRate)
    {
        await using var app = await ProxyApp.StartAsync(_upstream, route => route.WithRequestBuffering(b => (b.MemoryThreshold, b.MinDataRate) = (0, minDataRate)));
        using var body = new PipedContent();
        var start = app.Time.GetTimestamp();

        var sent = app.Client.PostAsync("/", body);
        await SendAsync(app, body, 1000);
        var response = await app.AdvanceUntilAsync(sent, s_second);

        await AssertTooSlowAsync(app, response);
        return app.Time.GetElapsedTime(start);
    }

    private async Task AssertTooSlowAsync(ProxyApp app, HttpResponseMessage response)
    {
        Assert.Equal(408, (int)response.StatusCode);
        Assert.Equal("close", string.Join(",", response.Headers.Connection));
        Assert.Empty(_upstream.Requests);
        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.RequestBodyClient, FailureClass.Client), (outcome.Error, outcome.FailureClass));
        RequestBufferingTests.AssertReturned(app);
        Assert.Contains(app.Logs.GetSnapshot(), log => log.Id.Id == 7);
    }

    // Returns when the proxy has it: without memory, each byte is on disk.
    private static async Task SendAsync(ProxyApp app, PipedContent body, int length, Task? unless = null)
    {
        var budget = app.Services.GetRequiredService<BufferBudget>();
        var before = budget.DiskInUse;
        await body.SendAsync(new byte[length]);
        await RequestBufferingTests.UntilAsync(() => budget.DiskInUse >= before + length || unless is { IsCompleted: true });
    }
}
