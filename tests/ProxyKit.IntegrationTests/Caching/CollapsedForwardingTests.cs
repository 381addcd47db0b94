using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Caching;
using ProxyKit.IntegrationTests.Buffering;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Caching;

using Wire = Protocols.Wire;

/// <summary>Many requests for one thing at once.</summary>
public class CollapsedForwardingTests
{
    private const int Many = 20;

    private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    public async Task Twenty_at_once_for_what_is_not_stored_reach_the_origin_once(Wire client)
    {
        await using var origin = await CachedOrigin.StartAsync(
            async context =>
            {
                await _go.Task;
                await context.AnswerAsync("the answer");
            },
            client: client);

        var answers = origin.TextsAsync(Many, "/");
        await origin.EnteredAsync(Many);
        _go.SetResult();

        Assert.All(await Task.WhenAll(answers), a => Assert.Equal("the answer", a));
        Assert.Equal(1, origin.Requests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Twenty_at_once_for_what_is_stale_validate_it_once(bool isStillValid)
    {
        var isFirst = true;
        await using var origin = await CachedOrigin.StartAsync(async context =>
        {
            context.Response.Headers.ETag = "\"v1\"";
            if (isFirst)
            {
                isFirst = false;
                await context.AnswerAsync("the first answer", "max-age=1");
                return;
            }
            await _go.Task;
            Assert.Equal("\"v1\"", context.Request.Headers.IfNoneMatch);
            if (isStillValid)
            {
                context.Response.StatusCode = StatusCodes.Status304NotModified;
                context.Response.Headers.CacheControl = "max-age=60";
                return;
            }
            context.Response.Headers.ETag = "\"v2\"";
            await context.AnswerAsync("another answer");
        });
        await origin.TextAsync("/");
        origin.Time.Advance(TimeSpan.FromSeconds(2));

        var answers = origin.TextsAsync(Many, "/");
        await origin.EnteredAsync(1 + Many);
        _go.SetResult();

        Assert.All(await Task.WhenAll(answers), a => Assert.Equal(isStillValid ? "the first answer" : "another answer", a));
        Assert.Equal(2, origin.Requests);
    }

    [Fact]
    public async Task Twenty_at_once_in_the_time_of_stale_while_revalidate_get_what_is_stored_and_one_validates_it()
    {
        var count = 0;
        await using var origin = await CachedOrigin.StartAsync(async context =>
        {
            var isFirst = Interlocked.Increment(ref count) == 1;
            if (!isFirst)
                await _go.Task;
            await context.AnswerAsync(isFirst ? "old" : "new", "max-age=1, stale-while-revalidate=60");
        });
        await origin.TextAsync("/");
        origin.Time.Advance(TimeSpan.FromSeconds(2));

        var answers = origin.TextsAsync(Many, "/");

        Assert.All(await Task.WhenAll(answers), a => Assert.Equal("old", a));
        _go.SetResult();
        await Peers.EventuallyAsync(() => origin.Requests == 2);
        while (await origin.TextAsync("/") != "new")
        {
        }
        Assert.Equal(2, origin.Requests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_comes_while_the_origin_still_sends_gets_what_has_come_and_then_the_rest(bool isLengthKnown)
    {
        await using var origin = await CachedOrigin.StartAsync(context => SendInTwoAsync(context, isLengthKnown));

        await using var one = await origin.OpenAsync("/");
        Assert.Equal("first", await one.ReadSomeAsync(5)); // a miss streams
        await using var two = await origin.OpenAsync("/");
        Assert.Equal("first", await two.ReadSomeAsync(5));
        _go.SetResult();

        Assert.Equal(" last", await one.ReadSomeAsync(5));
        Assert.Equal(0, await one.ReadAsync(new byte[1]));
        Assert.Equal(" last", await two.ReadSomeAsync(5));
        Assert.Equal(0, await two.ReadAsync(new byte[1]));
        Assert.Equal("first last", await origin.TextAsync("/"));
        Assert.Equal(1, origin.Requests);
    }

    [Fact]
    public async Task Who_wants_a_part_of_what_the_origin_still_sends_gets_it()
    {
        await using var origin = await CachedOrigin.StartAsync(context => SendInTwoAsync(context, isLengthKnown: true));

        await using var whole = await origin.OpenAsync("/");
        Assert.Equal("first", await whole.ReadSomeAsync(5));
        var part = origin.TextAsync("/", ("Range", "bytes=2-6"));
        await origin.EnteredAsync(2);
        _go.SetResult();

        // Nothing says that it has to come from the one that is under way; it may be a request of its own, to an origin that knows no ranges.
        Assert.Contains(await part, (string[])["rst l", "first last"]);
        Assert.Equal(" last", await whole.ReadSomeAsync(5));
    }

    [Fact]
    public async Task A_client_that_does_not_read_holds_up_nobody_else()
    {
        var bytes = Peers.Bytes(16 * 1024 * 1024, 7);
        var hash = SHA256.HashData(bytes);
        await using var origin = await CachedOrigin.StartAsync(async context =>
        {
            context.Response.Headers.CacheControl = "max-age=60";
            context.Response.ContentLength = bytes.Length;
            await context.Response.Body.WriteAsync(bytes);
            _go.SetResult();
        });

        using var slow = await SlowReader.GetAsync(origin.Proxy.Port);
        using var quick = await origin.GetAsync("/", ("Host", "a")).WaitAsync(Peers.Patience);

        Assert.Equal(bytes, await quick.Content.ReadAsByteArrayAsync());
        await _go.Task.WaitAsync(Peers.Patience);
        Assert.InRange(slow.Read, 0, bytes.Length / 4);
        Assert.Equal(hash, await slow.HashAsync());
        Assert.Equal(1, origin.Requests);
    }

    [Fact]
    public async Task The_rest_of_a_response_is_stored_when_its_client_has_gone()
    {
        await using var origin = await CachedOrigin.StartAsync(context => SendInTwoAsync(context, isLengthKnown: false));

        await LeaveAfterAsync(origin, "first");
        _go.SetResult();

        Assert.Equal("first last", await origin.TextAsync("/"));
        Assert.Equal(1, origin.Requests);
    }

    [Fact]
    public async Task Only_so_many_go_on_without_a_client_and_each_makes_room_when_it_ends()
    {
        await using var origin = await CachedOrigin.StartAsync(context => SendInTwoAsync(context, isLengthKnown: false));
        var services = origin.Proxy.Services.GetRequiredService<CacheServices>();
        var room = Room(services);

        await LeaveAfterAsync(origin, "first");
        await Peers.EventuallyAsync(() => Room(services) == room - 1);
        _go.SetResult();

        await Peers.EventuallyAsync(() => Room(services) == room);
        Assert.InRange(room, 1, 1000);
    }

    [Fact]
    public async Task The_origin_is_let_go_when_the_client_has_gone_and_the_route_does_not_want_the_rest()
    {
        var aborted = new TaskCompletionSource();
        await using var origin = await CachedOrigin.StartAsync(
            async context =>
            {
                context.RequestAborted.Register(() => aborted.TrySetResult());
                await SendInTwoAsync(context, isLengthKnown: false);
            },
            c => c.FinishWithoutClient = false);

        await LeaveAfterAsync(origin, "first");
        await aborted.Task.WaitAsync(Peers.Patience);
        _go.SetResult();

        Assert.Equal("first last", await origin.TextAsync("/"));
        Assert.Equal(2, origin.Requests);
    }

    [Fact]
    public async Task A_response_that_cannot_be_stored_frees_all_who_wait_for_it_at_once()
    {
        var all = new Barrier(Many);
        await using var origin = await CachedOrigin.StartAsync(
            async context =>
            {
                if (!all.Arrive())
                    await all.Task; // whoever waited one after the other would wait forever
                await context.AnswerAsync("mine", "no-store");
            },
            c => c.CollapseTimeout = TimeSpan.FromMinutes(10));

        var answers = origin.TextsAsync(Many, "/");

        Assert.All(await Task.WhenAll(answers).WaitAsync(Peers.Patience), a => Assert.Equal("mine", a));
        Assert.Equal(Many, origin.Requests);
    }

    [Fact]
    public async Task Nobody_waits_for_what_could_not_be_stored_before_until_a_while_has_passed()
    {
        var all = new Barrier(int.MaxValue);
        var cacheControl = "no-store";
        await using var origin = await CachedOrigin.StartAsync(
            async context =>
            {
                all.Arrive();
                if (all.Expected == Many)
                    await all.Task;
                await context.AnswerAsync("mine", cacheControl);
            },
            c => c.CollapseTimeout = TimeSpan.FromMinutes(10));
        await origin.TextAsync("/");

        all = new(Many);
        await Task.WhenAll(origin.TextsAsync(Many, "/")).WaitAsync(Peers.Patience);
        Assert.Equal(1 + Many, origin.Requests);

        (all, cacheControl) = (new(int.MaxValue), "max-age=60");
        origin.Time.Advance(TimeSpan.FromMinutes(3));
        await Task.WhenAll(origin.TextsAsync(Many, "/"));
        Assert.Equal(1 + Many + 1, origin.Requests);
    }

    [Fact]
    public async Task Who_has_waited_long_enough_goes_to_the_origin_by_himself()
    {
        await using var origin = await CachedOrigin.StartAsync(
            async context =>
            {
                await _go.Task;
                await context.AnswerAsync("the answer");
            },
            c => c.CollapseTimeout = TimeSpan.FromMilliseconds(100));

        var answers = origin.TextsAsync(2, "/");
        await Peers.EventuallyAsync(() =>
        {
            origin.Time.Advance(TimeSpan.FromMilliseconds(100));
            return origin.Requests == 2;
        });
        _go.SetResult();

        Assert.Equal(["the answer", "the answer"], await Task.WhenAll(answers));
    }

    [Fact]
    public async Task Requests_do_not_wait_for_each_other_where_the_route_says_so()
    {
        var all = new Barrier(Many);
        await using var origin = await CachedOrigin.StartAsync(
            async context =>
            {
                all.Arrive();
                await all.Task;
                await context.AnswerAsync("the answer");
            },
            c => c.CollapseForwarding = false);

        await Task.WhenAll(origin.TextsAsync(Many, "/")).WaitAsync(Peers.Patience);

        Assert.Equal(Many, origin.Requests);
    }

    [Fact]
    public async Task An_origin_that_breaks_off_breaks_off_for_all_who_read_along_and_leaves_nothing()
    {
        var isFirst = true;
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nfirst");
            if (Interlocked.Exchange(ref isFirst, false))
            {
                await _go.Task;
                connection.Reset();
                return;
            }
            await connection.SendAsync(" last");
        });
        await using var origin = await CachedOrigin.BeforeAsync(upstream.Url);

        await using var one = await origin.OpenAsync("/");
        Assert.Equal("first", await one.ReadSomeAsync(5));
        await using var two = await origin.OpenAsync("/");
        Assert.Equal("first", await two.ReadSomeAsync(5));
        Assert.Single(upstream.Requests);
        _go.SetResult();

        await Assert.ThrowsAnyAsync<IOException>(() => one.ReadAsync(new byte[1]).AsTask().WaitAsync(Peers.Patience));
        await Assert.ThrowsAnyAsync<IOException>(() => two.ReadAsync(new byte[1]).AsTask().WaitAsync(Peers.Patience));
        Assert.Equal("first last", await origin.TextAsync("/"));
        Assert.Equal(2, upstream.Requests.Count);
    }

    private async Task SendInTwoAsync(HttpContext context, bool isLengthKnown)
    {
        context.Response.Headers.CacheControl = "max-age=60";
        if (isLengthKnown)
            context.Response.ContentLength = 10;
        await context.Response.WriteAsync("first");
        await context.Response.Body.FlushAsync();
        await _go.Task;
        await context.Response.WriteAsync(" last");
    }

    private static async Task LeaveAfterAsync(CachedOrigin origin, string text)
    {
        using (var client = await RawClient.ConnectAsync(origin.Proxy.Port))
        {
            await client.SendAsync($"GET / HTTP/1.1\r\nHost: {origin.Proxy.Address.Authority}\r\n\r\n");
            await client.ReadUntilAsync(text);
        }
        await origin.GoneAsync(1);
    }

    // How many more may go on; it leaves as many.
    private static int Room(CacheServices services)
    {
        var room = 0;
        while (services.TryGoOnAlone())
            room++;
        for (var i = 0; i < room; i++)
            services.EndedAlone();
        return room;
    }

    /// <summary>Lets nobody through before so many have come.</summary>
    private sealed class Barrier(int expected)
    {
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _arrived;

        public int Expected => expected;

        public Task Task => _all.Task;

        /// <returns>Whether this is the first.</returns>
        public bool Arrive()
        {
            var arrived = Interlocked.Increment(ref _arrived);
            if (arrived == expected)
                _all.SetResult();
            return arrived == 1;
        }
    }
}
