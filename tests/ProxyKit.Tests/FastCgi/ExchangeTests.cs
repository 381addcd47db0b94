using System.Text;
using static ProxyKit.Tests.FastCgi.Records;

namespace ProxyKit.Tests.FastCgi;

/// <summary>When connections are given back, closed, and tried anew.</summary>
public class ExchangeTests
{
    private static readonly byte[] s_hello = Answer("X: y\r\n\r\nhello");

    [Fact]
    public async Task A_kept_connection_carries_one_request_after_the_other()
    {
        using var app = new FastCgiApp(new(FastCgiApp.Replying(s_hello, s_hello, s_hello)) { KeepsConnections = true });

        for (var i = 0; i < 3; i++)
            Assert.Equal((200, "hello"), await app.GetTextAsync());

        Assert.Equal(3, Assert.Single(app.Connections.Opened).Returns);
    }

    [Fact]
    public async Task The_application_is_told_whether_the_connection_is_kept()
    {
        foreach (var keeps in new[] { true, false })
        {
            SentRequest? request = null;
            using var app = new FastCgiApp(new(async connection =>
            {
                request = await connection.ReadRequestAsync();
                await connection.WriteAsync(s_hello);
            }) { KeepsConnections = keeps });

            await app.GetTextAsync();

            Assert.Equal(keeps, request!.KeepConnection);
            Assert.Equal(1, app.Connections.Last.Returns);
            Assert.Equal(!keeps, app.Connections.Last.IsDisposed);
        }
    }

    [Fact]
    public async Task The_connection_is_free_before_anybody_has_read_the_body()
    {
        using var app = FastCgiApp.Answering(s_hello);

        using var response = await app.GetAsync();

        Assert.True(app.Connections.Last.IsDisposed);
        Assert.Equal("hello", await FastCgiApp.ReadAsync(response));
    }

    [Fact]
    public async Task The_connection_is_free_before_the_last_of_a_long_body_is_read()
    {
        using var app = FastCgiApp.Answering([.. Output("X: y\n\n"), .. Output(new string('x', 20_000)), .. End()]);
        using var response = await app.GetAsync();
        var stream = await response.Content.ReadAsStreamAsync();

        var read = 0;
        while (!app.Connections.Last.IsDisposed)
            read += await stream.ReadAsync(new byte[19_000]);

        // The read that came upon END_REQUEST has not told the reader yet that this was all.
        Assert.Equal(20_000, read);
        Assert.Equal(0, await stream.ReadAsync(new byte[19_000]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(300)]
    public async Task What_comes_after_the_end_closes_a_kept_connection(int more)
    {
        using var app = new FastCgiApp(new(FastCgiApp.Replying([.. s_hello, .. Output(new string('x', 300))[..more]], s_hello)) { KeepsConnections = true });

        Assert.Equal((200, "hello"), await app.GetTextAsync());

        Assert.Equal(more == 0 ? 1 : 0, app.Connections.Last.Returns);
        Assert.Equal(more > 0, app.Connections.Last.IsDisposed);
        // The next one does not see it.
        Assert.Equal((200, "hello"), await app.GetTextAsync());
    }

    [Fact]
    public async Task A_body_that_is_not_read_to_its_end_closes_the_connection()
    {
        using var app = new FastCgiApp(new(FastCgiApp.Replying(Output("X: y\n\nhi"))) { KeepsConnections = true });

        using (var response = await app.GetAsync())
            Assert.False(app.Connections.Last.IsDisposed);

        Assert.True(app.Connections.Last.IsDisposed);
        Assert.Equal(0, app.Connections.Last.Returns);
    }

    [Fact]
    public async Task An_early_answer_is_delivered_while_the_body_is_still_being_sent()
    {
        // The application stops reading; the sender is stuck, and still the answer comes through.
        using var app = new FastCgiApp(new(async connection =>
        {
            await connection.ReadParametersAsync();
            await connection.WriteAsync([.. Output("Status: 413\r\n\r\n"), .. Output("too much")]);
            await connection.WriteAsync(End());
        }) { KeepsConnections = true });

        using var response = await app.SendAsync(new(HttpMethod.Post, "http://localhost/") { Content = new ByteArrayContent(new byte[10_000_000]) });

        Assert.Equal(413, (int)response.StatusCode);
        Assert.Equal("too much", await FastCgiApp.ReadAsync(response));
        Assert.True(app.Connections.Last.IsDisposed); // not all of STDIN was sent
        Assert.Equal(0, app.Connections.Last.Returns);
    }

    [Fact]
    public async Task An_application_may_answer_piece_by_piece_as_it_reads()
    {
        var size = 300_000;
        using var app = new FastCgiApp(new(async connection =>
        {
            var request = await connection.ReadParametersAsync();
            await connection.WriteAsync(Output("X: y\n\n"));
            // Both directions are larger than what the pipes hold.
            for (var i = 0; i < 10; i++)
                await connection.WriteAsync(Output(new string('x', 30_000)));
            await connection.ReadInputAsync(request);
            await connection.WriteAsync(End());
        }));

        using var response = await app.SendAsync(new(HttpMethod.Post, "http://localhost/") { Content = new ByteArrayContent(new byte[size]) });

        Assert.Equal(300_000, (await FastCgiApp.ReadAsync(response)).Length);
    }

    [Fact]
    public async Task Cancellation_closes_the_connection_at_once()
    {
        var asked = new TaskCompletionSource();
        using var app = new FastCgiApp(new(async connection =>
        {
            await connection.ReadRequestAsync();
            asked.SetResult();
        }));
        using var cancellation = new CancellationTokenSource();
        var sending = app.SendAsync(new(HttpMethod.Get, "http://localhost/"), cancellation.Token);
        await asked.Task;

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        await app.Connections.Last.Released;
        // Nothing else was said: ABORT_REQUEST would make php run what it has.
        Assert.Null(await app.Connections.Last.TryReadRequestAsync());
    }

    [Fact]
    public async Task Cancellation_of_reading_closes_the_connection()
    {
        using var app = FastCgiApp.Answering(Output("X: y\n\n"));
        using var response = await app.GetAsync();
        using var cancellation = new CancellationTokenSource();
        var stream = await response.Content.ReadAsStreamAsync();
        var reading = stream.ReadAsync(new byte[4096], cancellation.Token).AsTask();

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        Assert.True(app.Connections.Last.IsDisposed);
    }

    [Fact]
    public async Task A_stale_kept_connection_is_replaced_without_anybody_noticing()
    {
        using var app = new FastCgiApp(new(ClosingAtTheSecondRequest(reads: false), FastCgiApp.Replying(s_hello)) { KeepsConnections = true });
        await app.GetTextAsync();

        Assert.Equal((200, "hello"), await app.GetTextAsync());

        Assert.Equal(2, app.Connections.Opened.Count);
        Assert.True(app.Connections.Opened[0].IsDisposed);
    }

    [Fact]
    public async Task A_stale_connection_is_replaced_once()
    {
        using var app = new FastCgiApp(new(ClosingAtTheSecondRequest(reads: false), FastCgiApp.ReplyingAndClosing([])) { KeepsConnections = true });
        await app.GetTextAsync();

        var exception = await Assert.ThrowsAsync<HttpRequestException>(() => app.GetAsync());

        Assert.Equal(HttpRequestError.ResponseEnded, exception.HttpRequestError);
        Assert.Equal(2, app.Connections.Opened.Count);
    }

    [Fact]
    public async Task A_new_connection_that_gives_no_answer_is_not_tried_again()
    {
        using var app = new FastCgiApp(new(FastCgiApp.ReplyingAndClosing([])) { KeepsConnections = true });

        await app.FailsAsync(HttpRequestError.ResponseEnded);

        Assert.Single(app.Connections.Opened);
    }

    [Theory]
    [InlineData("PUT", 100, true, 2)]      // idempotent: whatever has become of it
    [InlineData("PUT", 200_000, true, 2)]  // too long for one piece, but there still
    [InlineData("POST", 100, true, 1)]     // it may have been a crash, in the middle of what must not be done twice
    [InlineData("POST", 100, false, 2)]    // it was never sent
    public async Task What_was_asked_of_a_stale_connection_is_asked_again_where_that_is_safe(string method, int size, bool reads, int connections)
    {
        SentRequest? request = null;
        using var app = new FastCgiApp(new(ClosingAtTheSecondRequest(reads), async connection =>
        {
            request = await connection.ReadRequestAsync();
            await connection.WriteAsync(s_hello);
        }) { KeepsConnections = true });
        await app.GetTextAsync();
        if (!reads)
            await app.Connections.Last.Script;
        var content = Encoding.ASCII.GetBytes(new string('b', size));

        var sending = app.SendAsync(new(new(method), "http://localhost/") { Content = new ByteArrayContent(content) });
        if (connections == 2)
        {
            using var response = await sending;
            Assert.Equal("hello", await FastCgiApp.ReadAsync(response));
            Assert.Equal(content, request!.Input);
        }
        else
            await Assert.ThrowsAsync<HttpRequestException>(() => sending);
        Assert.Equal(connections, app.Connections.Opened.Count);
    }

    [Fact]
    public async Task A_stale_connection_is_not_replaced_once_an_answer_has_begun()
    {
        using var app = new FastCgiApp(new(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync(s_hello);
            await connection.ReadRequestAsync();
            await connection.WriteAsync(Output("X"));
            connection.Close();
        }, FastCgiApp.Replying(s_hello)) { KeepsConnections = true });
        await app.GetTextAsync();

        await Assert.ThrowsAsync<HttpRequestException>(() => app.GetAsync());

        Assert.Single(app.Connections.Opened);
    }

    [Fact]
    public async Task Nothing_may_stand_still_for_longer_than_the_idle_timeout()
    {
        var asked = new TaskCompletionSource();
        using var app = new FastCgiApp(new(async connection =>
        {
            await connection.ReadRequestAsync();
            asked.SetResult();
        }), configure: settings => settings with { IdleTimeout = TimeSpan.FromSeconds(60) });
        var sending = app.GetAsync();
        await asked.Task;

        app.Time.Advance(TimeSpan.FromSeconds(59));
        Assert.False(app.Connections.Last.IsDisposed);
        app.Time.Advance(TimeSpan.FromSeconds(1));

        var exception = await Assert.ThrowsAsync<HttpRequestException>(() => sending);
        Assert.IsType<TimeoutException>(exception.InnerException!.InnerException);
        Assert.True(app.Connections.Last.IsDisposed);
    }

    [Fact]
    public async Task Each_byte_starts_the_idle_timeout_anew()
    {
        var clock = new SemaphoreSlim(0);
        using var app = new FastCgiApp(new(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync(Output("X: y\n\n"));
            foreach (var piece in "hi")
            {
                await clock.WaitAsync();
                await connection.WriteAsync(Output(piece.ToString()));
            }
            await clock.WaitAsync();
        }), configure: settings => settings with { IdleTimeout = TimeSpan.FromSeconds(60) });
        using var response = await app.GetAsync();
        var stream = await response.Content.ReadAsStreamAsync();

        for (var i = 0; i < 2; i++)
        {
            app.Time.Advance(TimeSpan.FromSeconds(50));
            clock.Release();
            Assert.Equal(1, await stream.ReadAsync(new byte[4096]));
        }
        var reading = stream.ReadAsync(new byte[4096]).AsTask();
        app.Time.Advance(TimeSpan.FromSeconds(60));

        await Assert.ThrowsAsync<HttpIOException>(() => reading);
        clock.Release();
    }

    [Fact]
    public async Task A_handler_that_is_disposed_of_takes_no_request()
    {
        var app = FastCgiApp.Answering(s_hello);
        await app.GetTextAsync();

        app.Dispose();

        Assert.True(app.Connections.IsDisposed);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => app.GetAsync());
    }

    // It answers once; the second time it has closed, either before the request comes or after it was read.
    private static Func<ScriptedConnection, Task> ClosingAtTheSecondRequest(bool reads) => async connection =>
    {
        await connection.ReadRequestAsync();
        await connection.WriteAsync(s_hello);
        if (reads)
        {
            await connection.ReadParametersAsync();
            await connection.ReadAvailableAsync();
        }
        connection.Close();
    };
}
