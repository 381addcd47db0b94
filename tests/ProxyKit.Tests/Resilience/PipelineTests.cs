using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Polly;
using Polly.Fallback;
using Polly.Retry;
using Polly.Timeout;

namespace ProxyKit.Tests.Resilience;

/// <summary>A user's own Polly pipeline.</summary>
public class PipelineTests
{
    private static readonly RetryStrategyOptions<HttpResponseMessage> s_retry = new()
    {
        Delay = TimeSpan.Zero,
        ShouldHandle = new PredicateBuilder<HttpResponseMessage>().Handle<HttpRequestException>().Handle<TimeoutRejectedException>().HandleResult(r => (int)r.StatusCode >= 500),
    };

    [Fact]
    public async Task Each_execution_is_an_attempt_at_the_next_destination()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithResiliencePipeline(p => p.AddRetry(s_retry)));
        app.Upstreams[0].Refuse();
        app.Upstreams[1].Respond(HttpStatusCode.InternalServerError);

        var response = await app.Client.PutAsync("/", new StringContent("body"));

        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal([1, 1, 1], app.Requests);
        Assert.Equal("body", app.Recorders[2].Last.Body);
        Assert.Equal(3, (await app.App.OutcomeAsync()).Attempts);
    }

    [Fact]
    public async Task It_does_not_make_attempts_side_by_side()
    {
        var hedged = new TaskCompletionSource();
        await using var app = await ResilienceApp.StartAsync(route => route.WithResiliencePipeline(p => p
            .AddHedging(new()
            {
                Delay = TimeSpan.Zero,
                OnHedging = _ =>
                {
                    hedged.TrySetResult();
                    return default;
                },
            })));
        app.Upstreams[0].Stall();
        using var leave = new CancellationTokenSource();

        var response = app.Client.GetAsync("/", leave.Token);
        await hedged.Task;
        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => response);
        Assert.All((await app.App.OutcomeAsync()).AvailableDestinations, d => Assert.Equal(0, d.ActiveRequests));
        Assert.Equal([1, 0, 0], app.Requests);
    }

    [Fact]
    public async Task What_fails_in_the_end_is_answered_as_ever()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithResiliencePipeline(p => p.AddRetry(s_retry)));
        foreach (var upstream in app.Upstreams)
            upstream.Refuse();

        Assert.Equal(502, (int)(await app.Client.GetAsync("/")).StatusCode);
        Assert.Equal(ProxyError.Connect, (await app.App.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task Its_timeout_ends_an_attempt()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithResiliencePipeline(p => p.AddRetry(s_retry).AddTimeout(TimeSpan.FromSeconds(1))));
        app.Upstreams[0].Stall();

        Assert.Equal(200, (int)(await app.App.AdvanceUntilAsync(app.Client.GetAsync("/"), TimeSpan.FromMilliseconds(50))).StatusCode);
        Assert.Equal([1, 1, 0], app.Requests);
    }

    [Fact]
    public async Task Its_last_timeout_is_a_504()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithResiliencePipeline(p => p.AddTimeout(TimeSpan.FromSeconds(1))));
        app.Upstreams[0].Stall();

        Assert.Equal(504, (int)(await app.App.AdvanceUntilAsync(app.Client.GetAsync("/"), TimeSpan.FromMilliseconds(50))).StatusCode);
    }

    [Fact]
    public async Task Its_fallback_goes_to_the_client()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithResiliencePipeline(p => p.AddFallback(new FallbackStrategyOptions<HttpResponseMessage>
        {
            FallbackAction = _ => Outcome.FromResultAsValueTask(new HttpResponseMessage(HttpStatusCode.OK)
            {
                Headers = { Location = new("/elsewhere", UriKind.Relative) },
                Content = new StringContent("later"),
            }),
        })));
        app.Upstreams[0].Refuse();

        var response = await app.Client.GetAsync("/");

        Assert.Equal("later", await response.Content.ReadAsStringAsync());
        Assert.Equal("/elsewhere", response.Headers.Location!.OriginalString);
    }

    [Fact]
    public async Task It_can_see_the_request()
    {
        PathString seen = default;
        await using var app = await ResilienceApp.StartAsync(route => route.WithResiliencePipeline(p => p.AddRetry(new RetryStrategyOptions<HttpResponseMessage>
        {
            ShouldHandle = args =>
            {
                seen = args.Context.GetHttpContext()!.Request.Path;
                return new(false);
            },
        })));

        await app.Client.GetAsync("/a/b");

        Assert.Equal("/a/b", seen);
    }

    [Fact]
    public async Task A_body_that_was_not_kept_is_not_sent_again()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithResiliencePipeline(p => p.AddRetry(s_retry)));
        app.Recorders[0].Answer = _ => new(HttpStatusCode.InternalServerError);

        var response = await app.Client.PutAsync("/", new StringContent(new string('b', 100_000)));

        Assert.Equal(502, (int)response.StatusCode);
        Assert.Equal([1, 0, 0], app.Requests);
    }

    [Fact]
    public async Task It_excludes_retries_of_the_clusters_own()
    {
        var error = await Assert.ThrowsAsync<ProxyConfigurationException>(() => ResilienceApp.StartAsync(route => route.WithRetries().WithResiliencePipeline(p => p.AddRetry(s_retry))));

        Assert.Contains("only one may be given", Assert.Single(error.Errors), StringComparison.Ordinal);
    }
}
