using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;
using ProxyKit.Tests.Resilience;

namespace ProxyKit.Tests.Health;

/// <summary>Real requests: who fails is ejected, or its circuit opens; who recovers is back.</summary>
public class PassiveHealthRequestTests
{
    private const string Pattern = "/{**path}";

    private readonly TestDestinations _destinations = new();
    private readonly TestDestination _bad, _good;

    public PassiveHealthRequestTests()
    {
        _bad = _destinations.Map("http://bad.test", _ => new(HttpStatusCode.OK) { Content = new StringContent("from bad") });
        _good = _destinations.Map("http://good.test", _ => new(HttpStatusCode.OK) { Content = new StringContent("from good") });
    }

    [Fact]
    public async Task A_destination_that_resets_is_ejected_and_comes_back()
    {
        await using var app = await StartAsync(route => route.WithPassiveHealthChecks(3));
        _bad.Reset();

        await FailAsync(app, 3);
        Assert.All(await GetAsync(app, 20), answer => Assert.Equal("from good", answer));
        Assert.Equal(3, _bad.Requests);
        _bad.Recover();
        app.Time.Advance(TimeSpan.FromMinutes(1));

        Assert.Contains("from bad", await GetAsync(app, 50));
    }

    [Fact]
    public async Task With_retries_nobody_notices()
    {
        await using var app = await StartAsync(route => route.WithPassiveHealthChecks(3).WithRetries());
        _bad.Reset();

        Assert.All(await GetAsync(app, 50), answer => Assert.Equal("from good", answer));

        Assert.InRange(_bad.Requests, 1, 3);
    }

    [Fact]
    public async Task Responses_that_break_off_eject_by_their_share()
    {
        await using var app = await StartAsync(route => route.WithPassiveHealthChecks(p => p.MinimumRequests = 4));
        _bad.ResetAfter(2);

        var broken = 0;
        while (Bad(app).Health != DestinationHealth.Unhealthy)
        {
            app.Time.Advance(TimeSpan.FromSeconds(1)); // after a failure it gets one request a second
            try
            {
                await app.Client.GetStringAsync("/", TestContext.Current.CancellationToken);
            }
            catch (HttpRequestException)
            {
                broken++;
            }
        }

        Assert.Equal(4, broken);
    }

    [Fact]
    public async Task Errors_of_the_application_do_not_eject_it()
    {
        await using var app = await StartAsync(route => route.WithPassiveHealthChecks(2));
        _bad.Respond(HttpStatusCode.InternalServerError);

        while (_bad.Requests < 20)
            await app.Client.GetAsync("/", TestContext.Current.CancellationToken);

        Assert.NotEqual(DestinationHealth.Unhealthy, Bad(app).Health);
    }

    [Fact]
    public async Task Clients_that_leave_do_not_eject_it()
    {
        await using var app = await StartAsync(route => route.WithPassiveHealthChecks(2));
        _bad.Stall();

        for (var i = 1; i <= 5; i++)
        {
            using var leave = new CancellationTokenSource();
            app.Time.Advance(TimeSpan.FromSeconds(1)); // until it has responded once it gets one request a second
            Task<HttpResponseMessage> request;
            do
                request = app.Client.GetAsync("/", leave.Token);
            while (await EndsAsync(request, () => _bad.Requests == i));
            await leave.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
            while (Bad(app).ActiveRequests > 0)
                await Task.Yield();
        }

        Assert.NotEqual(DestinationHealth.Unhealthy, Bad(app).Health);
    }

    [Fact]
    public async Task A_client_that_sends_too_slowly_does_not_eject_it()
    {
        await using var app = await StartAsync(route => route.WithPassiveHealthChecks(1).WithTimeouts(t => t.FirstByte = t.Idle = TimeSpan.FromSeconds(5)));
        app.Services.GetRequiredService<IProxyControl>().SetMode(Pattern, "http://good.test", DestinationMode.Maintenance);

        var body = new NeverStream();
        var request = app.Server.SendAsync(context =>
        {
            context.Request.Method = "POST";
            context.Request.Path = "/";
            context.Request.ContentLength = 10;
            context.Request.Body = body;
        }, TestContext.Current.CancellationToken);
        await body.Awaited;
        var answer = await app.AdvanceUntilAsync(request, TimeSpan.FromSeconds(1));

        Assert.Equal(StatusCodes.Status504GatewayTimeout, answer.Response.StatusCode);
        Assert.NotEqual(DestinationHealth.Unhealthy, Bad(app).Health);
        Assert.DoesNotContain(app.Logs.GetSnapshot(), r => r.Id.Name is "DestinationEjected" or "DestinationNotEjected");
    }

    [Fact]
    public async Task A_slow_destination_is_ejected()
    {
        await using var app = await StartAsync(route => route.WithPassiveHealthChecks(1).WithTimeouts(t => t.FirstByte = TimeSpan.FromSeconds(5)));
        _bad.Stall();

        Task<HttpResponseMessage> answer;
        do
        {
            answer = app.Client.GetAsync("/", TestContext.Current.CancellationToken);
            while (!answer.IsCompleted && _bad.Requests == 0)
                await Task.Yield();
        }
        while (_bad.Requests == 0);
        app.Time.Advance(TimeSpan.FromSeconds(6));
        await answer;

        Assert.Equal(DestinationHealth.Unhealthy, Bad(app).Health);
    }

    [Fact]
    public async Task The_slower_of_two_hedged_attempts_is_not_blamed()
    {
        await using var app = await ResilienceApp.StartAsync(
            route => route.WithPassiveHealthChecks(1).WithHedging(TimeSpan.FromSeconds(1)).WithTimeouts(t => t.FirstByte = Timeout.InfiniteTimeSpan));
        app.Upstreams[0].Stall();

        var answer = await app.App.AdvanceUntilAsync(app.Client.GetAsync("/"), TimeSpan.FromMilliseconds(50));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal([1, 1, 0], app.Requests);
        Assert.All((await app.App.OutcomeAsync()).AvailableDestinations, d => Assert.NotEqual(DestinationHealth.Unhealthy, d.Health));
    }

    [Fact]
    public async Task An_open_circuit_is_left_alone_and_closed_by_the_request_that_tries_it()
    {
        await using var app = await StartAsync(route => route.WithCircuitBreaker(b => b.MinimumThroughput = 4).WithRetries());
        _bad.Respond(HttpStatusCode.ServiceUnavailable);

        Assert.All(await GetAsync(app, 50), answer => Assert.Equal("from good", answer));
        Assert.Equal(CircuitState.Open, Bad(app).CircuitState);
        Assert.Equal(4, _bad.Requests);
        app.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.All(await GetAsync(app, 50), answer => Assert.Equal("from good", answer));
        Assert.Equal(5, _bad.Requests);
        _bad.Recover();
        app.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.Contains("from bad", await GetAsync(app, 50));
        Assert.Equal(CircuitState.Closed, Bad(app).CircuitState);
    }

    private static Destination Bad(ProxyApp app) => app.Services.GetRequiredService<IProxyControl>().GetDestination(Pattern, "http://bad.test");

    private Task<ProxyApp> StartAsync(Action<ProxyRouteBuilder> configure) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            services.AddProxyTestDestinations(_destinations);
        },
        app => configure(app.MapProxy(Pattern, "http://bad.test", "http://good.test")));

    private static async Task<string[]> GetAsync(ProxyApp app, int times)
    {
        var answers = new string[times];
        for (var i = 0; i < times; i++)
            answers[i] = await app.Client.GetStringAsync("/", TestContext.Current.CancellationToken);
        return answers;
    }

    /// <summary>Sends requests until so many have failed.</summary>
    private static async Task FailAsync(ProxyApp app, int times)
    {
        while (times > 0)
        {
            app.Time.Advance(TimeSpan.FromSeconds(1)); // after a failure the destination gets one request a second
            if ((await app.Client.GetAsync("/", TestContext.Current.CancellationToken)).StatusCode == HttpStatusCode.BadGateway)
                times--;
        }
    }

    private static async Task<bool> EndsAsync(Task request, Func<bool> condition)
    {
        while (!request.IsCompleted)
        {
            if (condition())
                return false;
            await Task.Yield();
        }
        return true;
    }

    /// <summary>A body of which nothing comes.</summary>
    private sealed class NeverStream : Stream
    {
        private readonly TaskCompletionSource _awaited = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Awaited => _awaited.Task;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _awaited.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            return 0;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
