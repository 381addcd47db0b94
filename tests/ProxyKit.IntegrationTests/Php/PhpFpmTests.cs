using System.Net.Sockets;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>That the fixture is what it says: other tests build on it.</summary>
public class PhpFpmTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_runs_scripts_and_answers_a_ping(bool tcp)
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.IsTcp = tcp);
        fpm.With("hello.php", "<?php echo 'hello ', $_GET['who'];");

        Assert.Equal("hello you", (await FastCgiAsk.GetAsync(fpm.EndPoint, Path.Combine(fpm.Root, "hello.php"), "/hello.php", "who=you")).Body);
        Assert.Equal("pong", (await FastCgiAsk.GetAsync(fpm.EndPoint, "/ping", "/ping", "")).Body);
        Assert.Equal(2, (await fpm.UntilAsync(s => s.Requests >= 2 && s.Busy == 0)).Processes.Count);
    }

    [Fact]
    public async Task A_connection_that_is_open_occupies_a_worker()
    {
        await using var fpm = await PhpFpm.StartAsync();
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            await socket.ConnectAsync(fpm.EndPoint);
            await socket.SendAsync((byte[])[1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
            await fpm.UntilAsync(s => s.Busy == 1);
        }
        await fpm.UntilAsync(s => s.Busy == 0);
    }

    [Fact]
    public async Task It_is_stopped_and_started_again_and_its_workers_are_killed()
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.Workers = 3);
        var workers = await fpm.WorkersAsync();
        Assert.Equal(3, workers.Count);

        PhpFpm.Kill(workers);
        await fpm.UntilAsync(s => s.Processes.Count == 3 && !s.Processes.Any(p => workers.Contains(p.Pid)));

        await fpm.StopAsync();
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await Assert.ThrowsAsync<SocketException>(() => socket.ConnectAsync(fpm.EndPoint));
        await fpm.StartAgainAsync();
        Assert.Equal("pong", (await FastCgiAsk.GetAsync(fpm.EndPoint, "/ping", "/ping", "")).Body);
    }
}
