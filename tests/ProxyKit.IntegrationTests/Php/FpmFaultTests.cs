using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>What becomes of requests when php-fpm, a worker or a script fails.</summary>
[Collection("alone")]
public class FpmFaultTests
{
    // Sends the beginning of an answer, and then nothing until it is killed.
    private const string Half = "<?php {0} echo str_repeat('x', 1000); ob_flush(); flush(); file_put_contents(__DIR__ . '/started', '1'); sleep(60);";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_php_fpm_is_502_and_a_new_one_is_found(bool tcp)
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.IsTcp = tcp);
        fpm.With("hello.php", "<?php echo 'hello';");
        await using var proxy = await PhpProxy.StartAsync(fpm, r => r.WithFastCgiConnections(c => (c.KeepConnections, c.MaxConnections) = (true, 1)));
        using var client = proxy.CreateClient();
        Assert.Equal("hello", await client.GetStringAsync("/hello.php"));

        await fpm.StopAsync();
        for (var i = 0; i < 3; i++)
            Assert.Equal(HttpStatusCode.BadGateway, (await client.GetAsync("/hello.php")).StatusCode);
        var line = proxy.Logs.GetSnapshot().Last(r => r is { Category: "ProxyKit", Id.Id: 2 }).Message;
        Assert.Contains(tcp ? "Connection refused" : "socket /", line, StringComparison.Ordinal);
        await fpm.StartAgainAsync();
        Assert.Equal("hello", await client.GetStringAsync("/hello.php"));
    }

    [Fact]
    public async Task A_script_that_takes_too_long_is_504()
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("slow.php", "<?php sleep(60);").With("hello.php", "<?php echo 'hello';");
        await using var proxy = await PhpProxy.StartAsync(fpm, r => r.WithTimeouts(t => t.FirstByte = TimeSpan.FromMilliseconds(500)));
        using var client = proxy.CreateClient();

        Assert.Equal(HttpStatusCode.GatewayTimeout, (await client.GetAsync("/slow.php")).StatusCode);
        Assert.Equal("hello", await client.GetStringAsync("/hello.php"));
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("header('Content-Length: 5000');", true)]
    [InlineData("", false)]
    [InlineData("header('Content-Length: 5000');", false)]
    public async Task An_answer_that_breaks_off_never_looks_complete(string header, bool buffered)
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("half.php", Half.Replace("{0}", header, StringComparison.Ordinal));
        await using var proxy = await PhpProxy.StartAsync(fpm, r => r.WithResponseBuffering(b => b.Enabled = buffered));
        using var client = proxy.CreateClient();

        using var response = await client.GetAsync("/half.php", HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var body = response.Content.ReadAsStringAsync();
        await Started(fpm);
        PhpFpm.Kill((await fpm.StatusAsync()).Processes.Where(p => p.State != "Idle").Select(p => p.Pid));

        await Assert.ThrowsAsync<HttpRequestException>(() => body);
        Assert.Equal(ProxyError.ResponseBodyDestination.ToString(), (await proxy.LoggedAsync("ResponseAborted")).GetStructuredStateValue("Error"));
    }

    [Fact]
    public async Task A_worker_that_dies_before_its_answer_is_502_and_a_GET_is_asked_of_another()
    {
        await using var fpm = await PhpFpm.StartAsync();
        await using var second = await PhpFpm.StartAsync();
        // The first that runs it waits to be killed.
        const string Script = "<?php if (!file_exists($_SERVER['DOCUMENT_ROOT'] . '/started')) { touch($_SERVER['DOCUMENT_ROOT'] . '/started'); sleep(60); } echo 'second';";
        fpm.With("once.php", Script);
        await using var alone = await PhpProxy.StartAsync(fpm);
        await using var both = await PhpProxy.StartAsync(fpm, r => r.WithDestination(second.Address).WithRetries(1));

        foreach (var (proxy, method, expected) in new[] { (alone, HttpMethod.Get, 502), (both, HttpMethod.Post, 502), (both, HttpMethod.Get, 200) })
        {
            File.Delete(Path.Combine(fpm.Root, "started"));
            using var client = proxy.CreateClient();
            var answer = client.SendAsync(new(method, "/once.php"));
            await Started(fpm);
            foreach (var f in (PhpFpm[])[fpm, second])
                PhpFpm.Kill((await f.StatusAsync()).Processes.Where(p => p.State != "Idle").Select(p => p.Pid));
            using var response = await answer;
            Assert.Equal(expected, (int)response.StatusCode);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Restarts_under_load_fail_no_idempotent_request_where_there_are_two(bool keep)
    {
        await using var first = await PhpFpm.StartAsync(o => o.Workers = 4);
        await using var second = await PhpFpm.StartAsync(o => o.Workers = 4);
        first.With("hello.php", "<?php usleep(3000); echo 'hello';");
        await using var proxy = await PhpProxy.StartAsync(first, r => r.WithDestination(second.Address)
            .WithRetries(retries => (retries.MaxRetryAttempts, retries.BudgetRatio) = (1, 1)) // half of the requests need one
            .WithFastCgiConnections(c => (c.KeepConnections, c.MaxConnections) = (keep, 3)));
        using var client = proxy.CreateClient();

        var isRunning = true;
        var served = 0;
        var failed = new System.Collections.Concurrent.ConcurrentBag<string>();
        var load = Enumerable.Range(0, 8).Select(async _ =>
        {
            while (Volatile.Read(ref isRunning))
            {
                using var response = await client.GetAsync("/hello.php");
                if (await response.Content.ReadAsStringAsync() is not "hello" and var other)
                    failed.Add($"{(int)response.StatusCode} {other}");
                Interlocked.Increment(ref served);
            }
        }).ToArray();
        foreach (var fpm in (PhpFpm[])[first, second, first, second])
        {
            await MoreAsync();
            await fpm.StopAsync(); // without mercy
            await MoreAsync();
            await fpm.StartAgainAsync();
        }
        await MoreAsync();
        Volatile.Write(ref isRunning, false);
        await Task.WhenAll(load);
        Assert.Empty(failed);

        Task MoreAsync()
        {
            var until = Volatile.Read(ref served) + 50;
            return Peers.EventuallyAsync(() => Volatile.Read(ref served) >= until);
        }
    }

    [Fact]
    public async Task Workers_that_are_replaced_after_some_requests_fail_nobody_on_kept_connections()
    {
        await using var fpm = await PhpFpm.StartAsync(o => (o.Workers, o.MaxRequests) = (2, 3));
        fpm.With("hello.php", "<?php echo 'hello';");
        await using var proxy = await PhpProxy.StartAsync(fpm, r => r.WithFastCgiConnections(c => (c.KeepConnections, c.MaxConnections) = (true, 1)));
        using var client = proxy.CreateClient();

        for (var i = 0; i < 30; i++)
            Assert.Equal("hello", await client.GetStringAsync("/hello.php"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_leaves_frees_the_worker(bool buffered)
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.Workers = 1);
        fpm.With("endless.php", "<?php while (true) { echo str_repeat('x', 10000); flush(); usleep(1000); }").With("hello.php", "<?php echo 'hello';");
        await using var proxy = await PhpProxy.StartAsync(fpm, r => r.WithResponseBuffering(b => b.Enabled = buffered).WithFastCgiConnections(1));
        using var client = proxy.CreateClient();

        using (var response = await client.GetAsync("/endless.php", HttpCompletionOption.ResponseHeadersRead))
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await fpm.UntilAsync(s => s.Busy == 0);
        Assert.Equal("hello", await client.GetStringAsync("/hello.php"));
    }

    [Fact]
    public async Task Who_leaves_the_queue_leaves_no_slot_behind_and_who_waits_too_long_is_503()
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.Workers = 2);
        fpm.With("wait.php", "<?php touch(__DIR__ . '/started'); while (!file_exists(__DIR__ . '/go')) { clearstatcache(); usleep(5000); } echo 'done';").With("hello.php", "<?php echo 'hello';");
        await using var proxy = await PhpProxy.StartAsync(fpm, r => r.WithFastCgiConnections(c => (c.MaxConnections, c.QueueLimit, c.QueueTimeout) = (1, 2, TimeSpan.FromSeconds(1))));
        using var client = proxy.CreateClient();

        var busy = client.GetStringAsync("/wait.php");
        await Started(fpm);
        using var leaving = new CancellationTokenSource();
        var (left, late) = (client.GetAsync("/hello.php", leaving.Token), client.GetAsync("/hello.php"));
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await late).StatusCode);

        fpm.With("go", "");
        Assert.Equal("done", await busy);
        Assert.Equal("hello", await client.GetStringAsync("/hello.php"));
    }

    [Fact]
    public async Task Kept_connections_are_closed_when_their_destination_goes()
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.Workers = 1);
        await using var other = await PhpFpm.StartAsync(o => o.Workers = 1);
        fpm.With("hello.php", "<?php echo 'hello';");
        var route = new RouteConfig { RouteId = "r", ClusterId = "c", Match = new() { Path = "/{**path}" }, FastCgi = new() { Root = fpm.Root } };
        var source = new InMemoryProxyConfigSource([route], [Cluster(60, fpm.Address)]);
        await using var proxy = await KestrelApp.StartAsync(app => app.MapReverseProxy(), services => services.AddReverseProxy().AddConfigSource(source));
        using var client = proxy.CreateClient();

        Assert.Equal("hello", await client.GetStringAsync("/hello.php"));
        await fpm.UntilAsync(s => s.Busy == 1);
        source.Update([route], [Cluster(60, fpm.Address, other.Address)]); // nothing that touches it
        Assert.Equal(1, (await fpm.StatusAsync()).Busy);
        source.Update([route], [Cluster(30, fpm.Address)]); // other settings
        await fpm.UntilAsync(s => s.Busy == 0);

        Assert.Equal("hello", await client.GetStringAsync("/hello.php"));
        await fpm.UntilAsync(s => s.Busy == 1);
        source.Update([route], [Cluster(30, other.Address)]); // another destination
        await fpm.UntilAsync(s => s.Busy == 0);
        Assert.Equal("hello", await client.GetStringAsync("/hello.php"));
        await other.UntilAsync(s => s.Busy == 1);

        static ClusterConfig Cluster(int seconds, params string[] addresses) => new()
        {
            ClusterId = "c",
            Destinations = [.. addresses.Select(a => new DestinationConfig { Address = a })],
            FastCgi = new() { KeepConnections = true, MaxConnections = 1, IdleTimeout = TimeSpan.FromSeconds(seconds) },
        };
    }

    [Fact]
    public async Task A_flood_on_standard_error_costs_neither_the_answer_nor_the_log()
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("flood.php", "<?php for ($i = 0; $i < 8000; $i++) error_log(str_repeat('x', 1000)); echo 'ok';");
        await using var proxy = await PhpProxy.StartAsync(fpm);
        using var client = proxy.CreateClient();

        Assert.Equal("ok", await client.GetStringAsync("/flood.php"));
        Assert.InRange(proxy.Logs.GetSnapshot().Where(r => r.Category == "ProxyKit").Sum(r => r.Message.Length), 4_000, 200_000);
        await proxy.LoggedAsync("FastCgiStandardErrorTruncated");
    }

    [Theory]
    [InlineData("header('X-Big: ' . str_repeat('a', 70000));")]
    [InlineData("for ($i = 0; $i < 2000; $i++) header(\"X-$i: v\");")]
    public async Task Too_large_a_header_section_is_502(string headers)
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("big.php", $"<?php {headers} echo 'ok';").With("hello.php", "<?php echo 'hello';");
        await using var proxy = await PhpProxy.StartAsync(fpm);
        using var client = proxy.CreateClient();

        Assert.Equal(HttpStatusCode.BadGateway, (await client.GetAsync("/big.php")).StatusCode);
        Assert.Equal("hello", await client.GetStringAsync("/hello.php"));
    }

    private static Task Started(PhpFpm fpm) => Peers.EventuallyAsync(() => File.Exists(Path.Combine(fpm.Root, "started")));
}
