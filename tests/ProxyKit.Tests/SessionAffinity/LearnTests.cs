using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.SessionAffinity;

namespace ProxyKit.Tests.SessionAffinity;

/// <summary>The application's own session cookie.</summary>
public class LearnTests
{
    private int _sessions;

    [Fact]
    public async Task A_session_stays_with_the_destination_that_set_the_applications_cookie()
    {
        await using var app = await StartAsync();
        var browser = new Browser(app);
        var first = await browser.GetAsync();

        Assert.Equal(AffinityStatus.New, first.Proxy.AffinityStatus);
        Assert.Equal(["SID=s1; path=/; httponly"], first.SetCookies); // the application's, and no other
        Assert.Equal(first.Body, await browser.NextAsync());
        Assert.Equal(AffinityStatus.Found, (await browser.GetAsync()).Proxy.AffinityStatus);
    }

    [Fact]
    public async Task A_session_that_nobody_has_seen_is_a_new_one()
    {
        await using var app = await StartAsync(o => o.FailurePolicy = SessionAffinityFailurePolicy.Return503Error);

        var visit = await new Browser(app) { Cookies = { ["SID"] = "made-up" } }.GetAsync();

        Assert.Equal(200, (int)visit.Response.StatusCode);
        Assert.Equal(AffinityStatus.New, visit.Proxy.AffinityStatus);
    }

    [Fact]
    public async Task The_cookie_reaches_the_application()
    {
        var recorder = new Recorder { Answer = Application };
        await using var app = await StartAsync(answer: recorder.Handle);
        var browser = new Browser(app);
        await browser.GetAsync();
        await browser.GetAsync();

        Assert.Equal("SID=s1", recorder.Last["Cookie"]);
    }

    [Fact]
    public async Task A_session_that_gets_a_new_id_stays_where_it_is()
    {
        var rotate = false;
        await using var app = await StartAsync(answer: request => rotate ? WithCookie(AffinityApp.Answer(request), "SID=rotated; path=/") : Application(request));
        var browser = new Browser(app);
        var first = await browser.GetAsync();

        rotate = true;
        await browser.GetAsync();
        rotate = false;

        Assert.Equal("rotated", browser.Cookies["SID"]);
        Assert.Equal(first.Body, await browser.NextAsync());
    }

    [Theory]
    [InlineData("SID=; path=/")]
    [InlineData("SID=gone; max-age=0")]
    [InlineData("SID=gone; expires=Thu, 01 Jan 1970 00:00:00 GMT")]
    public async Task A_session_that_ends_is_forgotten(string removal)
    {
        var isOver = false;
        await using var app = await StartAsync(answer: request => isOver ? WithCookie(AffinityApp.Answer(request), removal) : Application(request));
        var browser = new Browser(app);
        await browser.GetAsync();
        var id = browser.Cookies["SID"];

        isOver = true;
        await browser.GetAsync();

        Assert.Equal(AffinityStatus.New, (await new Browser(app) { Cookies = { ["SID"] = id } }.GetAsync()).Proxy.AffinityStatus);
    }

    [Fact]
    public async Task A_session_without_requests_is_forgotten_in_time()
    {
        await using var app = await StartAsync(o => o.Learn.IdleTimeout = TimeSpan.FromMinutes(10));
        var browser = new Browser(app);
        await browser.GetAsync();

        for (var i = 0; i < 3; i++)
        {
            app.Time.Advance(TimeSpan.FromMinutes(9)); // each request counts
            Assert.Equal(AffinityStatus.Found, (await browser.GetAsync()).Proxy.AffinityStatus);
        }
        app.Time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal(AffinityStatus.New, (await browser.GetAsync()).Proxy.AffinityStatus);
    }

    [Fact]
    public async Task A_session_that_moves_without_a_new_cookie_stays_where_it_went()
    {
        await using var app = await StartAsync();
        var browser = await app.SessionOnAsync("a");
        var a = (await browser.GetAsync()).Proxy.AffineDestination!;

        a.ActiveHealth = DestinationHealth.Unhealthy;
        var moved = await browser.GetAsync(); // the application shares its sessions: no new cookie
        a.ActiveHealth = DestinationHealth.Healthy;

        Assert.Empty(moved.SetCookies);
        Assert.Equal(AffinityStatus.Unavailable, moved.Proxy.AffinityStatus);
        Assert.Equal(moved.Body, await browser.NextAsync());
    }

    [Fact]
    public async Task A_session_that_must_not_move_is_refused_and_forgotten_when_its_destination_goes()
    {
        var cluster = ReloadTests.Cluster("a", "b") with
        {
            SessionAffinity = new() { Enabled = true, Policy = "Learn", AffinityKeyName = "SID", FailurePolicy = SessionAffinityFailurePolicy.Return503Error },
        };
        var source = new InMemoryProxyConfigSource([ReloadTests.Route], [cluster]);
        await using var app = await AffinityApp.StartAsync(source, Application);
        var (a, b) = (await app.SessionOnAsync("a"), await app.SessionOnAsync("b"));

        source.Update([ReloadTests.Route], [cluster with { Destinations = [cluster.Destinations[1], new() { Address = "http://c.test" }] }]);

        Assert.Equal("b", await b.NextAsync()); // what is remembered outlives the reload
        Assert.Equal(503, (int)(await a.GetAsync()).Response.StatusCode);
        Assert.Equal(200, (int)(await a.GetAsync()).Response.StatusCode);
    }

    [Fact]
    public async Task More_sessions_than_fit_are_warned_of_once_in_a_while()
    {
        await using var app = await StartAsync(o => o.Learn.MaxSessions = 2);

        for (var i = 0; i < 10; i++)
            await new Browser(app).GetAsync();
        var line = Assert.Single(app.Logs.GetSnapshot(), l => l.Id is { Id: 73, Name: "AffinitySessionsForgotten" });
        Assert.Equal((LogLevel.Warning, "Cluster /{**path}: more than 2 sessions, some are forgotten before their time; raise SessionAffinity.Learn.MaxSessions"), (line.Level, line.Message));

        app.Time.Advance(TimeSpan.FromMinutes(2));
        await new Browser(app).GetAsync();
        Assert.Equal(2, app.Logs.GetSnapshot().Count(l => l.Id.Id == 73));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(1000)]
    [InlineData(5000)]
    public void What_is_remembered_has_a_bound(int max)
    {
        var sessions = new LearnedSessions(new() { MaxSessions = max }, new FakeTimeProvider());

        for (var i = 0; i < 3 * max; i++)
            sessions.Learn($"s{i}", "a");

        Assert.InRange(sessions.Count, 1, max);
        Assert.Equal("a", sessions.Find($"s{(3 * max) - 1}"));
        Assert.Null(sessions.Find("s0"));
    }

    [Fact]
    public void A_crowd_of_new_sessions_does_not_drive_out_those_that_came_back()
    {
        var sessions = new LearnedSessions(new() { MaxSessions = 100 }, new FakeTimeProvider());
        for (var i = 0; i < 80; i++)
        {
            sessions.Learn($"user{i}", "a");
            sessions.Find($"user{i}");
        }

        for (var i = 0; i < 10_000; i++)
            Assert.Equal(i < 20, sessions.Learn($"crowd{i}", "b"));

        Assert.All(Enumerable.Range(0, 80), i => Assert.Equal("a", sessions.Find($"user{i}")));
    }

    [Fact]
    public void Old_sessions_that_came_back_leave_room_for_new_ones()
    {
        var sessions = new LearnedSessions(new() { MaxSessions = 100 }, new FakeTimeProvider());
        for (var i = 0; i < 100; i++)
        {
            sessions.Learn($"user{i}", "a");
            sessions.Find($"user{i}");
        }

        for (var i = 0; i < 20; i++)
            sessions.Learn($"new{i}", "b");

        Assert.All(Enumerable.Range(0, 20), i => Assert.Equal("b", sessions.Find($"new{i}")));
        Assert.Null(sessions.Find("user0"));
        Assert.Equal("a", sessions.Find("user99"));
    }

    [Fact]
    public void Expired_sessions_make_way_before_live_ones()
    {
        var time = new FakeTimeProvider();
        var sessions = new LearnedSessions(new() { MaxSessions = 10, IdleTimeout = TimeSpan.FromMinutes(1) }, time);
        for (var i = 0; i < 10; i++)
            sessions.Learn($"old{i}", "a");
        sessions.Find("old0");
        time.Advance(TimeSpan.FromMinutes(1));

        Assert.True(sessions.Learn("new", "b"));

        Assert.Equal(1, sessions.Count);
        Assert.Null(sessions.Find("old0"));
    }

    [Fact]
    public void Moving_a_session_that_is_not_known_remembers_nothing()
    {
        var sessions = new LearnedSessions(new(), new FakeTimeProvider());

        sessions.Move("x", "a");

        Assert.Equal(0, sessions.Count);
    }

    private Task<ProxyApp> StartAsync(Action<SessionAffinityOptions>? configure = null, Func<HttpRequestMessage, HttpResponseMessage>? answer = null) => AffinityApp.StartAsync(
        options =>
        {
            options.Policy = SessionAffinityPolicies.Learn;
            options.AffinityKeyName = "SID";
            configure?.Invoke(options);
        },
        answer ?? Application);

    // Sets a cookie for whoever has none.
    private HttpResponseMessage Application(HttpRequestMessage request)
    {
        var response = AffinityApp.Answer(request);
        return request.Headers.Contains("Cookie") ? response : WithCookie(response, $"SID=s{Interlocked.Increment(ref _sessions)}; path=/; httponly");
    }

    private static HttpResponseMessage WithCookie(HttpResponseMessage response, string cookie)
    {
        response.Headers.TryAddWithoutValidation("Set-Cookie", cookie);
        return response;
    }
}
