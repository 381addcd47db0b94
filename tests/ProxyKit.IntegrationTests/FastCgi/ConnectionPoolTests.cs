using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;

namespace ProxyKit.IntegrationTests.FastCgi;

public sealed class ConnectionPoolTests : IDisposable
{
    private static readonly FastCgiConnectionConfig s_kept = new() { KeepConnections = true, MaxConnections = 2 };

    private readonly Listener _listener = Listener.Start();
    private readonly FakeTimeProvider _time = new();
    private readonly FakeLogger _log = new();

    public void Dispose() => _listener.Dispose();

    [Fact]
    public async Task Without_settings_each_request_has_a_connection_which_is_closed_on_return()
    {
        using var pool = Pool(new());
        Assert.False(pool.KeepsConnections);
        var connections = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => RentAsync(pool)));
        foreach (var connection in connections)
        {
            Assert.False(connection.IsReused);
            var accepted = await _listener.AcceptAsync();
            Assert.True(Listener.IsOpen(accepted));
            connection.Return();
            await Listener.ClosedAsync(accepted);
        }
    }

    [Fact]
    public async Task Bytes_go_both_ways_whole()
    {
        using var pool = Pool(new());
        using var connection = await RentAsync(pool);
        var accepted = await _listener.AcceptAsync();
        var sent = new byte[3_000_000]; // far more than the kernel takes at once
        Random.Shared.NextBytes(sent);

        var sending = connection.SendAsync(sent, default).AsTask();
        var received = new byte[sent.Length];
        await new NetworkStream(accepted).ReadExactlyAsync(received);
        await sending;
        Assert.Equal(sent, received);

        await accepted.SendAsync("abc"u8.ToArray());
        var buffer = new byte[10];
        Assert.Equal(3, await connection.ReceiveAsync(buffer, default));
        Assert.Equal("abc"u8.ToArray(), buffer[..3]);
    }

    [Fact]
    public async Task A_destination_over_TCP_is_reached_by_name_without_delay()
    {
        using var tcp = new TcpListener(IPAddress.Loopback, 0);
        tcp.Start();
        using var pool = new FastCgiConnectionPool(
            DestinationAddress.Parse($"fastcgi://localhost:{((IPEndPoint)tcp.LocalEndpoint).Port}"), new(), TimeSpan.FromSeconds(10), TimeProvider.System, NullLogger.Instance);
        using var connection = await RentAsync(pool);
        using var accepted = await tcp.AcceptSocketAsync();
        await connection.SendAsync("x"u8.ToArray(), default);
        Assert.Equal(1, await accepted.ReceiveAsync(new byte[1]));
    }

    [Fact]
    public async Task Where_nobody_listens_the_error_comes_at_once_and_no_slot_is_lost()
    {
        using var absent = new Listener();
        using var pool = Pool(s_kept, absent);
        for (var i = 0; i < 5; i++)
            await FailsAsync(pool, ProxyError.Connect);

        absent.Listen();
        (await RentAsync(pool)).Dispose();
    }

    [Fact]
    public async Task A_name_that_is_not_resolved_is_its_own_error()
    {
        using var pool = new FastCgiConnectionPool(DestinationAddress.Parse("fastcgi://php.invalid:9000"), new(), TimeSpan.FromSeconds(10), TimeProvider.System, NullLogger.Instance);
        await FailsAsync(pool, ProxyError.NameResolution);
    }

    [Fact]
    public async Task A_full_backlog_is_waited_for_in_order_of_arrival()
    {
        using var narrow = Listener.Start(backlog: 1);
        await narrow.FillAsync();
        using var pool = new FastCgiConnectionPool(DestinationAddress.Parse(narrow.Address), new(), TimeSpan.FromSeconds(20), TimeProvider.System, _log);
        var waiting = Enumerable.Range(0, 5).Select(_ => RentAsync(pool)).ToList();
        Assert.All(waiting, w => Assert.False(w.IsCompleted));

        foreach (var next in waiting)
        {
            await narrow.AcceptAsync(); // room for one
            (await next).Dispose();
            Assert.All(waiting[(waiting.IndexOf(next) + 1)..], w => Assert.False(w.IsCompleted));
        }
        var line = Assert.Single(_log.Collector.GetSnapshot()); // not one for each
        Assert.Equal((135, "FastCgiBacklogFull"), (line.Id.Id, line.Id.Name));
    }

    [Fact]
    public async Task A_backlog_that_stays_full_is_a_timeout_and_who_leaves_before_is_gone()
    {
        using var narrow = Listener.Start(backlog: 1);
        await narrow.FillAsync();
        using var pool = Pool(new() { MaxConnections = 2 }, narrow);
        using var leaving = new CancellationTokenSource();
        var first = RentAsync(pool, token: leaving.Token);
        var second = RentAsync(pool);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.False(second.IsCompleted);

        _time.Advance(TimeSpan.FromSeconds(15));
        await FailsAsync(second, ProxyError.ConnectTimeout);

        // Both slots are free again.
        await narrow.AcceptAsync();
        await narrow.AcceptAsync();
        var others = new[] { RentAsync(pool), RentAsync(pool) };
        foreach (var other in others)
            (await other).Dispose();
    }

    [Fact]
    public async Task There_are_never_more_connections_than_allowed_and_who_waits_comes_in_order()
    {
        using var pool = Pool(new() { MaxConnections = 2 });
        var (a, b) = (await RentAsync(pool), await RentAsync(pool));
        var waiting = new[] { RentAsync(pool), RentAsync(pool), RentAsync(pool) };
        await _listener.AcceptAsync();
        await _listener.AcceptAsync();
        Assert.True(_listener.IsQuiet);

        a.Return();
        var c = await waiting[0];
        await _listener.AcceptAsync();
        b.Dispose();
        b.Dispose(); // frees one slot, not two
        var d = await waiting[1];
        await _listener.AcceptAsync();
        Assert.False(waiting[2].IsCompleted);
        Assert.True(_listener.IsQuiet);
        c.Dispose();
        d.Dispose();
        (await waiting[2]).Dispose();
    }

    [Fact]
    public async Task The_queue_has_an_end()
    {
        using var pool = Pool(new() { MaxConnections = 1, QueueLimit = 1 });
        using var busy = await RentAsync(pool);
        using var leaving = new CancellationTokenSource();
        var waiting = RentAsync(pool, token: leaving.Token);
        await FailsAsync(pool, ProxyError.QueueFull);

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        var other = RentAsync(pool); // in the place of the one who left
        busy.Dispose();
        (await other).Dispose();
        Assert.Equal(136, Assert.Single(_log.Collector.GetSnapshot()).Id.Id);
    }

    [Fact]
    public async Task Nobody_waits_longer_than_the_queues_timeout()
    {
        using var pool = Pool(new() { MaxConnections = 1, QueueTimeout = TimeSpan.FromSeconds(3) });
        var busy = await RentAsync(pool);
        var waiting = RentAsync(pool);
        _time.Advance(TimeSpan.FromSeconds(2));
        var later = RentAsync(pool);
        _time.Advance(TimeSpan.FromSeconds(1));
        await FailsAsync(waiting, ProxyError.QueueTimeout);
        Assert.False(later.IsCompleted);
        busy.Dispose();
        (await later).Dispose();
        Assert.Equal(137, Assert.Single(_log.Collector.GetSnapshot()).Id.Id);
    }

    [Fact]
    public async Task A_kept_connection_is_used_again_the_last_one_first()
    {
        using var pool = Pool(s_kept);
        Assert.True(pool.KeepsConnections);
        var (a, b) = (await RentAsync(pool), await RentAsync(pool));
        var sockets = new[] { await _listener.AcceptAsync(), await _listener.AcceptAsync() };
        a.Return();
        b.Return();

        Assert.Same(b, await RentAsync(pool));
        Assert.Same(a, await RentAsync(pool));
        Assert.True(a.IsReused);
        Assert.All(sockets, s => Assert.True(Listener.IsOpen(s)));
        Assert.True(_listener.IsQuiet);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_kept_connection_that_was_closed_or_has_unread_bytes_is_dropped(bool closed)
    {
        using var pool = Pool(s_kept);
        var kept = await RentAsync(pool);
        var accepted = await _listener.AcceptAsync();
        kept.Return();
        if (closed)
            accepted.Dispose();
        else
            await accepted.SendAsync("x"u8.ToArray());

        using var next = await RentAsync(pool);
        Assert.NotSame(kept, next);
        Assert.False(next.IsReused);
        // Its slot came with it: two can be had.
        using var other = await RentAsync(pool);
        Assert.False(RentAsync(pool).IsCompleted);
        Assert.Equal(138, Assert.Single(_log.Collector.GetSnapshot()).Id.Id);
    }

    [Fact]
    public async Task A_fresh_connection_is_never_a_kept_one_and_takes_its_place_when_there_is_no_other()
    {
        using var pool = Pool(s_kept);
        var (a, b) = (await RentAsync(pool), await RentAsync(pool));
        var (first, second) = (await _listener.AcceptAsync(), await _listener.AcceptAsync());
        a.Return();
        b.Return();

        using var fresh = await RentAsync(pool, fresh: true);
        Assert.False(fresh.IsReused);
        await Listener.ClosedAsync(first); // the one that idled longest
        Assert.True(Listener.IsOpen(second));
        Assert.Same(b, await RentAsync(pool));
    }

    [Fact]
    public async Task Who_waits_gets_the_kept_connection_unless_it_must_be_fresh()
    {
        using var pool = Pool(s_kept with { MaxConnections = 1 });
        var kept = await RentAsync(pool);
        var accepted = await _listener.AcceptAsync();
        var waiting = RentAsync(pool);
        kept.Return();
        Assert.Same(kept, await waiting);
        Assert.True(Listener.IsOpen(accepted));

        waiting = RentAsync(pool, fresh: true);
        kept.Return();
        using var fresh = await waiting;
        Assert.NotSame(kept, fresh);
        await Listener.ClosedAsync(accepted);
    }

    [Fact]
    public async Task Who_waits_gets_a_new_connection_if_the_kept_one_is_dead()
    {
        using var pool = Pool(s_kept with { MaxConnections = 1 });
        var kept = await RentAsync(pool);
        var accepted = await _listener.AcceptAsync();
        var waiting = RentAsync(pool);
        await accepted.SendAsync("unread"u8.ToArray());
        kept.Return();

        using var next = await waiting;
        Assert.NotSame(kept, next);
        Assert.False(RentAsync(pool).IsCompleted); // still one slot
    }

    [Fact]
    public async Task What_idles_too_long_is_closed()
    {
        using var pool = Pool(s_kept with { IdleTimeout = TimeSpan.FromSeconds(30) });
        var (a, b) = (await RentAsync(pool), await RentAsync(pool));
        var (first, second) = (await _listener.AcceptAsync(), await _listener.AcceptAsync());
        a.Return();
        _time.Advance(TimeSpan.FromSeconds(20));
        b.Return();
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.True(Listener.IsOpen(first));
        _time.Advance(TimeSpan.FromSeconds(1));
        await Listener.ClosedAsync(first);
        Assert.True(Listener.IsOpen(second));
        _time.Advance(TimeSpan.FromSeconds(20));
        await Listener.ClosedAsync(second);

        // Once more, after the timer had nothing to do.
        var c = await RentAsync(pool);
        var third = await _listener.AcceptAsync();
        c.Return();
        _time.Advance(TimeSpan.FromSeconds(30));
        await Listener.ClosedAsync(third);
    }

    [Fact]
    public async Task A_pool_that_retires_closes_what_idles_and_later_what_is_in_use()
    {
        var pool = Pool(s_kept);
        var (a, b) = (await RentAsync(pool), await RentAsync(pool));
        var (first, second) = (await _listener.AcceptAsync(), await _listener.AcceptAsync());
        var waiting = RentAsync(pool);
        a.Return(); // to the one who waits
        Assert.Same(a, await waiting);
        a.Return();
        pool.Dispose();
        Assert.False(pool.KeepsConnections);
        await Listener.ClosedAsync(first);
        Assert.True(Listener.IsOpen(second));
        b.Return();
        await Listener.ClosedAsync(second);

        var late = await RentAsync(pool); // of a request that has the old configuration still
        var third = await _listener.AcceptAsync();
        late.Return();
        await Listener.ClosedAsync(third);
    }

    [Fact]
    public async Task Connections_are_counted_where_they_are()
    {
        using var meters = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var factory = meters.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>();
        using var pool = Pool(s_kept with { QueueLimit = 1 });
        pool.Metrics = new(factory);
        pool.Tags = ("c", "d");
        using var open = new MetricCollector<long>(factory, "ProxyKit", "proxykit.fastcgi.connections");
        using var queue = new MetricCollector<long>(factory, "ProxyKit", "proxykit.fastcgi.queue.length");
        using var rejected = new MetricCollector<long>(factory, "ProxyKit", "proxykit.fastcgi.queue.rejected");

        var (a, b) = (await RentAsync(pool), await RentAsync(pool));
        Assert.Equal((2, 0), Open());
        var waiting = RentAsync(pool);
        await FailsAsync(pool, ProxyError.QueueFull);
        Assert.Equal(1, queue.GetMeasurementSnapshot().Sum(m => m.Value));
        Assert.Equal("full", rejected.LastMeasurement!.Tags["reason"]);
        a.Return();
        await waiting;
        Assert.Equal(0, queue.GetMeasurementSnapshot().Sum(m => m.Value));
        b.Return();
        Assert.Equal((1, 1), Open());
        a.Dispose();
        Assert.Equal((0, 1), Open());
        pool.Dispose();
        Assert.Equal((0, 0), Open());
        Assert.All(open.GetMeasurementSnapshot(), m => Assert.Equal(("c", "d"), (m.Tags["proxykit.cluster"], m.Tags["proxykit.destination"])));

        (long Active, long Idle) Open()
        {
            var all = open.GetMeasurementSnapshot();
            return (all.Where(m => m.Tags["state"] is "active").Sum(m => m.Value), all.Where(m => m.Tags["state"] is "idle").Sum(m => m.Value));
        }
    }

    // Rents, returns, disposals, broken connections and cancellations from all sides: no slot is lost, none is there twice.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task No_slot_is_lost_whatever_happens(bool keep)
    {
        const int Max = 3;
        using var stop = new CancellationTokenSource();
        var accepting = AcceptAllAsync(stop.Token);
        using var pool = new FastCgiConnectionPool(
            DestinationAddress.Parse(_listener.Address), new() { KeepConnections = keep, MaxConnections = Max, QueueLimit = 1000 }, TimeSpan.FromSeconds(10), TimeProvider.System, NullLogger.Instance);
        var inUse = 0;
        var most = 0;
        await Task.WhenAll(Enumerable.Range(0, 24).Select(n => Task.Run(async () =>
        {
            var random = new Random(n);
            for (var i = 0; i < 300; i++)
            {
                using var leaving = new CancellationTokenSource();
                var renting = pool.RentAsync(random.Next(5) == 0, leaving.Token);
                if (random.Next(3) == 0)
                    await leaving.CancelAsync();
                try
                {
                    var connection = await renting;
                    var now = Interlocked.Increment(ref inUse);
                    InterlockedMax(ref most, now);
                    if (random.Next(2) == 0)
                        await Task.Yield();
                    Interlocked.Decrement(ref inUse);
                    if (random.Next(3) == 0)
                        connection.Dispose();
                    else
                        connection.Return();
                }
                catch (OperationCanceledException)
                {
                }
            }
        })));
        Assert.Equal(Max, most);

        var all = await Task.WhenAll(Enumerable.Range(0, Max).Select(_ => RentAsync(pool)));
        var further = RentAsync(pool);
        Assert.False(further.IsCompleted);
        all[0].Dispose();
        (await further).Dispose();
        await stop.CancelAsync();
        await accepting;

        async Task AcceptAllAsync(CancellationToken token)
        {
            while (!token.IsCancellationRequested)
            {
                var random = new Random(1);
                if (_listener.IsQuiet)
                {
                    await Task.Yield();
                    continue;
                }
                var accepted = await _listener.AcceptAsync();
                if (random.Next(4) == 0)
                    accepted.Dispose();
            }
        }
    }

    private static void InterlockedMax(ref int target, int value)
    {
        for (var now = Volatile.Read(ref target); now < value;)
        {
            var before = Interlocked.CompareExchange(ref target, value, now);
            if (before == now)
                return;
            now = before;
        }
    }

    private FastCgiConnectionPool Pool(FastCgiConnectionConfig config, Listener? listener = null) =>
        new(DestinationAddress.Parse((listener ?? _listener).Address), config, TimeSpan.FromSeconds(15), _time, _log);

    private static Task<FastCgiConnection> RentAsync(FastCgiConnectionPool pool, bool fresh = false, CancellationToken token = default) =>
        pool.RentAsync(fresh, token).AsTask();

    private static Task FailsAsync(FastCgiConnectionPool pool, ProxyError error) => FailsAsync(RentAsync(pool), error);

    private static async Task FailsAsync(Task<FastCgiConnection> renting, ProxyError error)
    {
        var exception = await Assert.ThrowsAsync<UpstreamException>(() => renting.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal((error, FailureClass.NothingSent), (exception.Error, exception.FailureClass));
    }
}
