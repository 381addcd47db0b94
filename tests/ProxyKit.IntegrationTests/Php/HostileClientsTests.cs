using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>Clients that leave at any moment, and scripts that die in the middle: nobody sees another's answer, and no worker and no slot is lost.</summary>
[Collection("alone")]
public sealed partial class HostileClientsTests
{
    private const int Slots = 3;

    private const string Script = """
        <?php
        $t = $_GET['t'];
        $in = file_get_contents('php://input');
        if (isset($_GET['e'])) error_log("E$t");
        usleep((int)$_GET['s']);
        echo "T$t|", strlen($in), '|', $in === '' ? '' : substr($in, 0, 13), '|';
        for ($i = 0; $i < (int)$_GET['n']; $i++) { echo str_repeat("T$t,", 300); flush(); if (isset($_GET['k']) && $i > 3) posix_kill(getmypid(), 9); }
        echo "ENDT$t";
        if (isset($_GET['f'])) { fastcgi_finish_request(); usleep(3000); echo "LATET$t"; }
        """;

    // Ends when as many run at once as there are slots.
    private const string Together = """
        <?php
        $f = fopen(__DIR__ . '/together', 'c+'); flock($f, LOCK_EX); $n = (int)stream_get_contents($f) + 1; rewind($f); fwrite($f, (string)$n); fflush($f); flock($f, LOCK_UN);
        for ($i = 0; $i < 2000 && (int)file_get_contents(__DIR__ . '/together') < 3; $i++) usleep(5000);
        echo $i < 2000 ? 'all' : 'alone';
        """;

    [Theory]
    [InlineData(false, true, false, 1)]
    [InlineData(true, true, false, 2)]
    [InlineData(true, false, false, 3)]
    [InlineData(true, true, true, 4)]
    public async Task Nobody_sees_anothers_answer_and_no_slot_is_lost(bool keep, bool buffered, bool hedged, int seed)
    {
        await using var fpm = await PhpFpm.StartAsync(o => o.Workers = 4);
        fpm.With("t.php", Script).With("together.php", Together);
        await using var app = await PhpProxy.StartAsync(fpm, r =>
        {
            r.WithFastCgiConnections(c => (c.KeepConnections, c.MaxConnections, c.QueueLimit, c.QueueTimeout) = (keep, Slots, 1000, TimeSpan.FromSeconds(30)))
                .WithRequestBuffering(b => b.Enabled = buffered).WithResponseBuffering(b => b.Enabled = buffered);
            if (hedged)
                r.WithHedging(TimeSpan.FromMilliseconds(3));
        });

        var problems = new ConcurrentQueue<string>();
        var whole = 0;
        await Task.WhenAll(Enumerable.Range(0, 12).Select(n => Task.Run(async () =>
        {
            var random = new Random((seed * 100) + n);
            for (var i = 0; i < 40; i++)
            {
                if (await OneAsync(app.Port, random, problems))
                    Interlocked.Increment(ref whole);
            }
        })));
        Assert.Empty(problems);
        Assert.True(whole > 50, $"{whole}");

        // Idle kept connections keep a worker, and no more than the slots.
        await fpm.UntilAsync(s => s.Busy <= (keep ? Slots : 0));
        using var client = app.CreateClient();
        client.Timeout = TimeSpan.FromSeconds(15);
        Assert.Equal(["all", "all", "all"], await Task.WhenAll(Enumerable.Range(0, Slots).Select(_ => client.GetStringAsync("/together.php"))));
    }

    private static async Task<bool> OneAsync(int port, Random random, ConcurrentQueue<string> problems)
    {
        var token = random.NextInt64(0x1000_0000_0000, 0xffff_ffff_ffff).ToString("x12", CultureInfo.InvariantCulture);
        var killed = random.Next(12) == 0;
        var query = $"t={token}&s={random.Next(4000)}&n={random.Next(4) switch { 0 => 0, 1 => 8, 2 => 40, _ => 300 }}"
            + (random.Next(5) == 0 ? "&e=1" : "") + (random.Next(5) == 0 ? "&f=1" : "") + (killed ? "&k=1" : "");
        var length = random.Next(3) switch { 0 => 0, 1 => 100, _ => random.Next(200_000) };
        var content = length == 0 ? "" : ("T" + token + new string('x', length))[..length];
        var chunked = length > 0 && random.Next(2) == 0;
        var request = $"{(length == 0 ? "GET" : "POST")} /t.php?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + (length == 0 ? "\r\n" : chunked ? $"Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{content}\r\n0\r\n\r\n" : $"Content-Length: {length}\r\n\r\n{content}");
        var leaves = random.Next(5);
        using var client = await RawClient.ConnectAsync(port);
        try
        {
            if (leaves == 0)
            {
                await client.SendAsync(request[..random.Next(request.Length)]);
                await Task.Delay(random.Next(3));
                Leave();
                return false;
            }
            await client.SendAsync(request);
            if (leaves == 1)
            {
                await Task.Delay(random.Next(8));
                if (random.Next(2) == 0)
                    await client.Socket.ReceiveAsync(new byte[random.Next(1, 5000)]);
                Leave();
                return false;
            }
        }
        catch (SocketException)
        {
            return false;
        }
        var (answer, isComplete) = Dechunk((await client.ReadToEndOrResetAsync()).Text);
        foreach (Match match in AnyToken().Matches(answer))
        {
            if (match.Value[1..] != token)
                problems.Enqueue($"{token} got {match.Value}");
        }
        if (!answer.StartsWith("HTTP/1.1 200", StringComparison.Ordinal))
        {
            if (!killed)
                problems.Enqueue($"{request[..40]}: {answer[..Math.Min(300, answer.Length)]}");
            return false;
        }
        if (!answer.Contains($"T{token}|{length}|", StringComparison.Ordinal))
            problems.Enqueue($"{token}: the body did not arrive: {request[..40]} {answer[..Math.Min(500, answer.Length)]}");
        if (isComplete && !answer.Contains($"ENDT{token}", StringComparison.Ordinal))
            problems.Enqueue($"{token}: half an answer looks whole");
        if (!killed && !isComplete)
            problems.Enqueue($"{token}: half an answer");
        return isComplete;

        void Leave()
        {
            if (random.Next(2) == 0)
                client.Socket.LingerState = new(true, 0); // a reset
        }
    }

    // The answer without the marks of its chunks, and whether their end has come.
    private static (string Text, bool IsComplete) Dechunk(string answer)
    {
        var at = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
        if (at < 4 || !answer[..at].Contains("chunked", StringComparison.Ordinal))
            return (answer, at >= 4);
        var text = new System.Text.StringBuilder(answer, 0, at, answer.Length);
        while (true)
        {
            var end = answer.IndexOf("\r\n", at, StringComparison.Ordinal);
            if (end < 0)
                return (text.ToString(), false);
            var length = int.Parse(answer.AsSpan(at, end - at), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (length == 0)
                return (text.ToString(), true);
            at = end + 2;
            text.Append(answer, at, Math.Min(length, answer.Length - at));
            at += length + 2;
            if (at >= answer.Length)
                return (text.ToString(), false);
        }
    }

    [GeneratedRegex("T[0-9a-f]{12}")]
    private static partial Regex AnyToken();
}
