using System.Diagnostics.Metrics;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Resilience;

public class RetryTests
{
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(50);

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    public async Task A_refused_connection_is_tried_elsewhere_whatever_the_method(string method)
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries());
        app.Upstreams[0].Refuse();

        var response = await app.Client.SendAsync(new(new(method), "/") { Content = method == "POST" ? new StringContent("body") : null });

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal([1, 1, 0], app.Requests);
        var outcome = await app.App.OutcomeAsync();
        Assert.Equal((2, "http://u1.test", ProxyError.None), (outcome.Attempts, outcome.Destination!.Name, outcome.Error));
        if (method == "POST")
            Assert.Equal("body", app.Recorders[1].Last.Body);
    }

    [Theory]
    [InlineData("GET", 2)]
    [InlineData("HEAD", 2)]
    [InlineData("PUT", 2)]
    [InlineData("DELETE", 2)]
    [InlineData("OPTIONS", 2)]
    [InlineData("POST", 1)]
    [InlineData("PATCH", 1)]
    [InlineData("LOCK", 1)]
    public async Task What_was_sent_and_not_answered_is_repeated_only_when_the_method_is_idempotent(string method, int attempts)
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries());
        app.Upstreams[0].Reset();

        var response = await app.Client.SendAsync(new(new(method), "/"));

        Assert.Equal(attempts == 2 ? HttpStatusCode.OK : HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal(attempts, app.Requests.Sum());
    }

    [Theory]
    [InlineData(502, true)]
    [InlineData(503, true)]
    [InlineData(504, true)]
    [InlineData(500, false)]
    [InlineData(404, false)]
    public async Task A_status_that_is_no_answer_is_tried_elsewhere(int status, bool retried)
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries());
        app.Upstreams[0].Respond((HttpStatusCode)status);

        var response = await app.Client.GetAsync("/");

        Assert.Equal(retried ? 200 : status, (int)response.StatusCode);
        Assert.Equal(retried ? [1, 1, 0] : [1, 0, 0], app.Requests);
    }

    [Fact]
    public async Task A_post_that_was_answered_503_is_not_repeated_unless_asked_for()
    {
        await using var careful = await ResilienceApp.StartAsync(route => route.WithRetries());
        await using var asked = await ResilienceApp.StartAsync(route => route.WithRetries(r => r.NonIdempotent = true));
        careful.Upstreams[0].Respond(HttpStatusCode.ServiceUnavailable);
        asked.Upstreams[0].Respond(HttpStatusCode.ServiceUnavailable);

        Assert.Equal(503, (int)(await careful.Client.PostAsync("/", new StringContent("x"))).StatusCode);
        Assert.Equal(200, (int)(await asked.Client.PostAsync("/", new StringContent("x"))).StatusCode);
        Assert.Equal("x", asked.Recorders[1].Last.Body);
    }

    [Fact]
    public async Task A_response_that_has_begun_is_never_repeated()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries());
        app.Recorders[0].Answer = _ => new(HttpStatusCode.OK) { Content = new StringContent(new string('x', 1000)) };
        app.Upstreams[0].ResetAfter(100);

        await Assert.ThrowsAnyAsync<Exception>(() => app.Client.GetStringAsync("/"));

        Assert.Equal([1, 0, 0], app.Requests);
        Assert.Equal(FailureClass.ResponseStarted, (await app.App.OutcomeAsync()).FailureClass);
    }

    [Fact]
    public async Task The_last_answer_is_the_clients_when_all_have_failed()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries());
        app.Upstreams[0].Refuse();
        app.Upstreams[1].Reset();
        app.Upstreams[2].Respond(HttpStatusCode.ServiceUnavailable);

        Assert.Equal(503, (int)(await app.Client.GetAsync("/")).StatusCode);
        Assert.Equal([1, 1, 1], app.Requests);
        Assert.All(app.App.Services.GetRequiredService<ProxyConfigMonitor>().Clusters, c => Assert.Equal(3, c.Destinations.Count));
    }

    [Fact]
    public async Task The_number_of_attempts_is_limited()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(1));
        foreach (var upstream in app.Upstreams)
            upstream.Refuse();

        Assert.Equal(502, (int)(await app.Client.GetAsync("/")).StatusCode);
        Assert.Equal([1, 1, 0], app.Requests);
        Assert.Equal((ProxyError.Connect, 2), await Outcome(app));

        static async Task<(ProxyError, int)> Outcome(ResilienceApp app)
        {
            var outcome = await app.App.OutcomeAsync();
            return (outcome.Error, outcome.Attempts);
        }
    }

    [Fact]
    public async Task Without_retries_a_request_has_one_attempt()
    {
        await using var app = await ResilienceApp.StartAsync(_ => { });
        app.Upstreams[0].Refuse();

        Assert.Equal(502, (int)(await app.Client.GetAsync("/")).StatusCode);
        Assert.Equal([1, 0, 0], app.Requests);
    }

    [Fact]
    public async Task A_single_destination_is_tried_again_after_a_while()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(), count: 1);
        app.Upstreams[0].Refuse().Times(2);

        var response = app.Client.GetAsync("/");
        await ProxyApp.ReachedAsync(app.Upstreams[0]);
        Assert.False(response.IsCompleted); // it waits

        Assert.Equal(200, (int)(await app.App.AdvanceUntilAsync(response, s_step)).StatusCode);
        Assert.Equal([3], app.Requests);
    }

    [Fact]
    public async Task A_destination_that_stalls_is_left_after_the_time_for_one_attempt()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(r => r.PerTryTimeout = TimeSpan.FromSeconds(1)));
        app.Upstreams[0].Stall();
        var start = app.App.Time.GetTimestamp();

        var response = await app.App.AdvanceUntilAsync(app.Client.GetAsync("/"), s_step);

        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal([1, 1, 0], app.Requests);
        Assert.True(app.App.Time.GetElapsedTime(start) >= TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task A_post_that_stalls_is_not_repeated()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(r => r.PerTryTimeout = TimeSpan.FromSeconds(1)));
        app.Upstreams[0].Stall();

        var response = await app.App.AdvanceUntilAsync(app.Client.PostAsync("/", new StringContent("once")), s_step);

        Assert.Equal(504, (int)response.StatusCode);
        Assert.Equal([1, 0, 0], app.Requests);
        Assert.Contains(": FirstByteTimeout: no response within 00:00:01", app.App.Logs.GetSnapshot().Single(r => r.Id.Name == "RequestFailed").Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_total_time_holds_for_all_attempts_together()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(r => r.PerTryTimeout = TimeSpan.FromSeconds(2)).WithTimeout(TimeSpan.FromSeconds(3)));
        foreach (var upstream in app.Upstreams)
            upstream.Stall();
        var start = app.App.Time.GetTimestamp();

        var sent = app.Client.GetAsync("/");
        await ProxyApp.ReachedAsync(app.Upstreams[0]);
        app.App.Time.Advance(TimeSpan.FromSeconds(2.5));
        await ProxyApp.ReachedAsync(app.Upstreams[1]);
        var response = await app.App.AdvanceUntilAsync(sent, s_step);

        Assert.Equal(504, (int)response.StatusCode);
        Assert.Equal([1, 1, 0], app.Requests);
        Assert.Equal(ProxyError.TotalTimeout, (await app.App.OutcomeAsync()).Error);
        Assert.True(app.App.Time.GetElapsedTime(start) >= TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task A_client_that_leaves_ends_the_attempts()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries());
        app.Upstreams[0].Stall();
        using var leave = new CancellationTokenSource();

        var response = app.Client.GetAsync("/", leave.Token);
        await ProxyApp.ReachedAsync(app.Upstreams[0]);
        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => response);
        Assert.Equal(ProxyError.ClientAborted, (await app.App.OutcomeAsync()).Error);
        Assert.Equal([1, 0, 0], app.Requests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_is_sent_again_when_it_was_kept(bool known)
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries());
        app.Recorders[0].Answer = _ => new(HttpStatusCode.ServiceUnavailable); // has read the body
        var body = new string('b', 40_000);

        var response = await app.Client.PutAsync("/", known ? new StringContent(body) : new UnknownLength(body));

        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal(body, app.Recorders[0].Last.Body);
        Assert.Equal(body, app.Recorders[1].Last.Body);
        Assert.Equal(40_000, (await app.App.OutcomeAsync()).RequestBodyBytes);
    }

    [Fact]
    public async Task A_body_that_is_too_long_to_be_kept_is_sent_once()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(r => r.MaxBodySize = 1000));
        app.Recorders[0].Answer = _ => new(HttpStatusCode.ServiceUnavailable);

        var response = await app.Client.PutAsync("/", new StringContent(new string('b', 1001)));

        Assert.Equal(503, (int)response.StatusCode);
        Assert.Equal([1, 0, 0], app.Requests);
    }

    [Fact]
    public async Task A_body_that_becomes_too_long_while_it_is_to_be_sent_again_is_not_sent_without_its_beginning()
    {
        var early = new EarlyAnswer();
        var other = new Recorder();
        var more = new TaskCompletionSource();
        var destinations = new TestDestinations();
        destinations.Map("http://u0.test", early);
        destinations.Map("http://u1.test", other.Handle);
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapProxy("/{**path}", "http://u0.test", "http://u1.test").WithLoadBalancing(LoadBalancingPolicies.First).WithRetries(r => r.MaxBodySize = 1000));
        using var retrying = new MeterListener();
        var meters = app.Services.GetRequiredService<IMeterFactory>();
        retrying.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == meters && instrument.Name == "proxykit.retries")
                listener.EnableMeasurementEvents(instrument);
        };
        retrying.SetMeasurementEventCallback<long>((_, _, _, _) =>
        {
            // It has just been decided; now the rest comes.
            more.SetResult();
            early.Sending.Wait();
        });
        retrying.Start();

        var response = await app.Client.PutAsync("/", new Paused("head", more.Task, new string('b', 2000)));

        Assert.Empty(other.Requests);
        Assert.Equal(502, (int)response.StatusCode);
    }

    [Fact]
    public async Task A_client_that_sends_too_slowly_does_not_use_up_the_retries_of_others()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(r => r.PerTryTimeout = TimeSpan.FromSeconds(1)));
        var more = new TaskCompletionSource();

        var response = await app.App.AdvanceUntilAsync(app.Client.PutAsync("/", new Paused("head", more.Task, "tail")), s_step);
        more.SetResult();

        Assert.Equal(504, (int)response.StatusCode);
        Assert.Equal(1, (await app.App.OutcomeAsync()).Attempts);
    }

    [Fact]
    public async Task A_body_that_nobody_has_read_yet_can_go_elsewhere_however_long()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(r => r.MaxBodySize = 10));
        app.Upstreams[0].Refuse();

        var response = await app.Client.PostAsync("/", new StringContent(new string('b', 100_000)));

        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal(100_000, app.Recorders[1].Last.Body.Length);
    }

    [Fact]
    public async Task Retry_After_is_waited_for_when_there_is_no_other_destination()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(), count: 1);
        var answers = 0;
        app.Recorders[0].Answer = _ =>
        {
            var response = new HttpResponseMessage(answers++ == 0 ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK);
            if (answers == 1)
                response.Headers.Add("Retry-After", "3");
            return response;
        };
        var start = app.App.Time.GetTimestamp();

        var response = await app.App.AdvanceUntilAsync(app.Client.GetAsync("/"), s_step);

        Assert.Equal(200, (int)response.StatusCode);
        Assert.True(app.App.Time.GetElapsedTime(start) >= TimeSpan.FromSeconds(3));
    }

    [Theory]
    [InlineData(30, null)]
    [InlineData(5, 4)]
    public async Task A_Retry_After_beyond_the_requests_time_is_left_to_the_client(int seconds, int? total)
    {
        await using var app = await ResilienceApp.StartAsync(
            route =>
            {
                route.WithRetries();
                if (total is { } limit)
                    route.WithTimeout(TimeSpan.FromSeconds(limit));
            },
            count: 1);
        app.Recorders[0].Answer = _ =>
        {
            var response = new HttpResponseMessage(HttpStatusCode.ServiceUnavailable);
            response.Headers.Add("Retry-After", seconds.ToString(System.Globalization.CultureInfo.InvariantCulture));
            return response;
        };

        var response = await app.Client.GetAsync("/"); // at once: the clock stands still

        Assert.Equal(503, (int)response.StatusCode);
        Assert.Equal(seconds, response.Headers.RetryAfter!.Delta!.Value.TotalSeconds);
        Assert.Equal([1], app.Requests);
    }

    [Fact]
    public async Task Retries_stay_within_the_budget()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(r => (r.BudgetRatio, r.BudgetMinimum, r.MaxRetryAttempts) = (0.2, 0, 1)));
        foreach (var upstream in app.Upstreams)
            upstream.Refuse();

        for (var i = 0; i < 100; i++)
            await app.Client.GetAsync("/");

        Assert.Equal(120, app.Requests.Sum());
    }

    [Fact]
    public async Task A_few_retries_a_second_are_always_allowed()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries(r => (r.BudgetRatio, r.BudgetMinimum, r.MaxRetryAttempts) = (0, 1, 1)));
        foreach (var upstream in app.Upstreams)
            upstream.Refuse();

        for (var i = 0; i < 20; i++)
            await app.Client.GetAsync("/");
        Assert.Equal(30, app.Requests.Sum()); // those of ten seconds are there from the beginning

        app.App.Time.Advance(TimeSpan.FromSeconds(2));
        for (var i = 0; i < 20; i++)
            await app.Client.GetAsync("/");
        Assert.Equal(52, app.Requests.Sum());
    }

    [Fact]
    public async Task A_retry_says_why_in_the_log()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries());
        app.Upstreams[0].Refuse();
        app.Upstreams[1].Respond(HttpStatusCode.BadGateway);

        await app.Client.GetAsync("/");

        var lines = app.App.Logs.GetSnapshot().Where(r => r.Id.Id == 80).Select(r => r.Message).ToArray();
        Assert.Equal(2, lines.Length);
        Assert.Contains("http://u0.test of cluster", lines[0], StringComparison.Ordinal);
        Assert.Contains("(Connect); trying again: Connection refused (test).", lines[0], StringComparison.Ordinal);
        Assert.EndsWith("(status 502); trying again: such an answer counts as a failure", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_counters_are_back_at_zero_afterwards()
    {
        await using var app = await ResilienceApp.StartAsync(route => route.WithRetries());
        app.Upstreams[0].Refuse();
        app.Upstreams[1].Reset();

        await app.Client.GetAsync("/");

        var outcome = await app.App.OutcomeAsync();
        Assert.All(outcome.AvailableDestinations, d => Assert.Equal(0, d.ActiveRequests));
    }

    [Fact]
    public async Task From_json()
    {
        var json = """
            { "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/{**path}" } } },
              "Clusters": { "c": { "Destinations": { "d": { "Address": "http://u.test" } },
                "Resilience": { "Retries": { "MaxRetryAttempts": 5, "PerTryTimeout": "00:00:02", "Statuses": [ 500, 503 ], "NonIdempotent": true, "MaxBodySize": 10,
                                             "Delay": "00:00:01", "MaxDelay": "00:00:05", "BudgetRatio": 0.5, "BudgetMinimum": 1 },
                                "Hedging": { "Delay": "00:00:00.1", "Percentile": 0.95, "MaxHedgedAttempts": 2 } } } } }
            """;
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy().LoadFromConfig(new ConfigurationBuilder()
                .AddJsonStream(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(json))).Build()),
            app => { _ = app.MapReverseProxy(); });

        Assert.Equal(
            new ResilienceConfig
            {
                Retries = new()
                {
                    MaxRetryAttempts = 5, PerTryTimeout = TimeSpan.FromSeconds(2), Statuses = [500, 503], NonIdempotent = true, MaxBodySize = 10,
                    Delay = TimeSpan.FromSeconds(1), MaxDelay = TimeSpan.FromSeconds(5), BudgetRatio = 0.5, BudgetMinimum = 1,
                },
                Hedging = new() { Delay = TimeSpan.FromMilliseconds(100), Percentile = 0.95, MaxHedgedAttempts = 2 },
            },
            app.Services.GetRequiredService<ProxyConfigMonitor>().Clusters[0].Resilience);
    }

    [Fact]
    public async Task Bad_settings_are_named_all_at_once()
    {
        var error = await Assert.ThrowsAsync<ProxyConfigurationException>(() => ResilienceApp.StartAsync(route => route
            .WithRetries(r => (r.MaxRetryAttempts, r.PerTryTimeout, r.BudgetRatio, r.Statuses) = (0, TimeSpan.Zero, -1, [200]))
            .WithHedging(h => (h.Percentile, h.MaxHedgedAttempts) = (95, 9))));

        Assert.Collection(error.Errors,
            e => Assert.EndsWith("Resilience.Retries.MaxRetryAttempts is 0; it must be 1 to 16.", e, StringComparison.Ordinal),
            e => Assert.EndsWith("Resilience.Retries.PerTryTimeout is 00:00:00; it must be positive and at most 24 days.", e, StringComparison.Ordinal),
            e => Assert.EndsWith("Resilience.Retries.Statuses is 200; it must be 400 to 599.", e, StringComparison.Ordinal),
            e => Assert.EndsWith("Resilience.Retries.BudgetRatio is -1; it must be 0 to 10.", e, StringComparison.Ordinal),
            e => Assert.EndsWith("Resilience.Hedging.Percentile is 95; it must be 0.5 to 0.999.", e, StringComparison.Ordinal),
            e => Assert.EndsWith("Resilience.Hedging.MaxHedgedAttempts is 9; it must be 1 to 5.", e, StringComparison.Ordinal));
    }

    /// <summary>Answers 503 when it has the first of the body, and reads on.</summary>
    private sealed class EarlyAnswer : HttpMessageHandler
    {
        public Task Sending { get; private set; } = Task.CompletedTask;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var sink = new Sink();
            Sending = request.Content!.CopyToAsync(sink, CancellationToken.None);
            await sink.Written.Task;
            return new(HttpStatusCode.ServiceUnavailable);
        }

        private sealed class Sink : MemoryStream
        {
            public TaskCompletionSource Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

            public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
            {
                Written.TrySetResult();
                return ValueTask.CompletedTask;
            }
        }
    }

    private sealed class Paused(string head, Task pause, string tail) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes(head));
            await stream.FlushAsync();
            await pause;
            await stream.WriteAsync(Encoding.UTF8.GetBytes(tail));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
