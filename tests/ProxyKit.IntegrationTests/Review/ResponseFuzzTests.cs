using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ProxyKit.IntegrationTests.Wire;

namespace ProxyKit.IntegrationTests.Review;

/// <summary>Seeded random responses through the whole proxy. A failure names the seed and the case; the same seed makes the same bytes.</summary>
[Collection("alone")]
public class ResponseFuzzTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    private static readonly string[] s_poison =
    [
        "\r", "\n", "\r\n", "\r\n\r\n", "\0", ":", " ", "\t", ";", ",", "0\r\n\r\n", "ffffffffffffffff\r\n", "-1", "+", "0x", "\u00ff", "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 101 X\r\n\r\n", " chunked",
    ];

    private sealed record Case(string Bytes, int[] Splits, int Status, string Body, bool Head);

    [Theory]
    [InlineData(1)]
    [InlineData(20261123)]
    public async Task A_response_means_the_same_however_it_is_cut_into_packets(int seed)
    {
        var random = new Random(seed);
        await using var fuzz = await StartAsync();
        for (var i = 0; i < 120; i++)
        {
            var made = Make(random);
            var whole = await fuzz.SendAsync(made with { Splits = [] });
            var cut = await fuzz.SendAsync(made);

            var where = $"seed {seed}, case {i}: {made.Bytes}";
            Assert.True(whole is { } one && one.Status == made.Status && one.Body == made.Body, $"{where}\n{whole}");
            Assert.True(whole == cut, $"{where}\n{whole}\n{cut}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(20261123)]
    public async Task A_broken_response_neither_hangs_nor_reaches_another_request(int seed)
    {
        var random = new Random(seed);
        await using var fuzz = await StartAsync();
        for (var i = 0; i < 150; i++)
        {
            var made = Mutate(Make(random), random);
            var where = $"seed {seed}, case {i}: {made.Bytes}";
            try
            {
                await fuzz.SendAsync(made); // a response, a 502, or null for an abort: never a hang
            }
            catch (Exception e)
            {
                Assert.Fail($"{where}\n{e}");
            }
            await Task.Delay(2, TestContext.Current.CancellationToken); // what came too much has been noticed

            var ping = $"ping {i}";
            var pong = await fuzz.SendAsync(new($"HTTP/1.1 200 OK\r\nContent-Length: {ping.Length}\r\n\r\n{ping}", [], 200, ping, Head: false));
            Assert.True(pong is { Status: 200 } && pong.Body == ping, $"{where}\n{pong}");
        }
    }

    // A valid response: informational ones before it, odd but legal framing, trailers, extensions.
    private static Case Make(Random random)
    {
        var bytes = new StringBuilder();
        for (var i = random.Next(4) == 0 ? random.Next(1, 4) : 0; i > 0; i--)
            bytes.Append(random.Next(2) == 0 ? "HTTP/1.1 100 Continue\r\n\r\n" : "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        var head = random.Next(8) == 0;
        var status = random.Next(6) switch { 0 => 404, 1 => 204, 2 => 304, 3 => 503, _ => 200 };
        var body = new string('\0', random.Next(4) switch { 0 => 0, 1 => random.Next(1, 40), 2 => random.Next(1, 2_000), _ => random.Next(1, 12_000) });
        body = string.Create(body.Length, random, static (span, random) =>
        {
            foreach (ref var c in span)
                c = (char)random.Next(256);
        });
        bytes.Append(CultureInfo.InvariantCulture, $"HTTP/1.1 {status}{(random.Next(3) == 0 ? "" : " Some reason")}\r\n");
        for (var i = random.Next(6); i > 0; i--)
            bytes.Append(CultureInfo.InvariantCulture, $"X-{i}:{new string(' ', random.Next(3))}{new string('v', random.Next(60))}{(random.Next(4) == 0 ? "\t" : "")}\r\n");

        if (status is 204 or 304)
        {
            bytes.Append("\r\n");
            body = "";
        }
        else
        {
            switch (random.Next(3))
            {
                case 0:
                    bytes.Append(CultureInfo.InvariantCulture, $"content-length: {body.Length}\r\n\r\n");
                    if (!head)
                        bytes.Append(body);
                    break;
                case 1:
                    bytes.Append("Transfer-Encoding: Chunked\r\n\r\n");
                    if (!head)
                        Chunk(bytes, body, random);
                    break;
                default:
                    bytes.Append("Connection: close\r\n\r\n");
                    if (!head)
                        bytes.Append(body);
                    break;
            }
            if (head)
                body = "";
        }
        var text = bytes.ToString();
        var splits = new int[random.Next(12)];
        for (var i = 0; i < splits.Length; i++)
            splits[i] = random.Next(text.Length); // many fall into the head
        Array.Sort(splits);
        return new(text, splits, status, body, head);
    }

    private static void Chunk(StringBuilder bytes, string body, Random random)
    {
        for (var at = 0; at < body.Length;)
        {
            var length = Math.Min(body.Length - at, random.Next(3) == 0 ? random.Next(1, 5) : random.Next(1, 3_000));
            bytes.Append(length.ToString(random.Next(2) == 0 ? "x" : "X4", null)).Append(random.Next(3) == 0 ? " ;a=\"b\"" : "").Append("\r\n");
            bytes.Append(body, at, length).Append("\r\n");
            at += length;
        }
        bytes.Append(random.Next(2) == 0 ? "0\r\n" : "000;x\r\n").Append(random.Next(3) == 0 ? "X-Trailer: 1\r\n" : "").Append("\r\n");
    }

    private static Case Mutate(Case made, Random random)
    {
        var bytes = new StringBuilder(made.Bytes);
        for (var i = random.Next(1, 4); i > 0 && bytes.Length > 4; i--)
        {
            // Most of it where the framing is.
            var at = random.Next(random.Next(4) == 0 ? bytes.Length : Math.Min(bytes.Length, 160));
            var length = Math.Min(random.Next(1, 12), bytes.Length - at);
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] = (char)random.Next(256);
                    break;
                case 1:
                    bytes.Remove(at, length);
                    break;
                case 2:
                    bytes.Insert(at, bytes.ToString(at, length));
                    break;
                case 3 when random.Next(3) == 0:
                    bytes.Length = at;
                    break;
                default:
                    bytes.Insert(at, s_poison[random.Next(s_poison.Length)]);
                    break;
            }
        }
        var text = bytes.ToString();
        return made with { Bytes = text, Splits = [.. made.Splits.Where(s => s < text.Length)] };
    }

    private static async Task<Fuzz> StartAsync()
    {
        var cases = new ConcurrentDictionary<string, (Case Case, TaskCompletionSource Sent)>();
        var upstream = new RawUpstream(async connection =>
        {
            connection.Socket.NoDelay = true;
            while (true)
            {
                // A proxy that waits for more than the case has is told that there is no more; one that has had enough may come again.
                var request = await connection.ReadRequestAsync().WaitAsync(TimeSpan.FromMilliseconds(25)).ContinueWith(static t => t.IsCompletedSuccessfully ? t.Result : null, TaskScheduler.Default);
                if (request is null)
                    return;
                var (made, sent) = cases[Raw.Target(request)];
                try
                {
                    var start = 0;
                    foreach (var end in made.Splits.Append(made.Bytes.Length))
                    {
                        if (end > start)
                            await connection.SendAsync(made.Bytes[start..end]);
                        start = end;
                        if (end < made.Bytes.Length)
                            await Task.Yield();
                    }
                    if (made.Bytes.Contains("Connection: close", StringComparison.Ordinal))
                        return;
                }
                finally
                {
                    sent.TrySetResult();
                }
            }
        });
        return new(upstream, await KestrelApp.StartProxyAsync(upstream.Url), cases);
    }

    private sealed record Answer(int Status, string Headers, string Body);

    private sealed class Fuzz(RawUpstream upstream, KestrelApp proxy, ConcurrentDictionary<string, (Case, TaskCompletionSource)> cases) : IAsyncDisposable
    {
        private readonly HttpClient _client = new() { BaseAddress = proxy.Address };
        private int _count;

        /// <summary>What the client gets of it; null if the proxy aborted.</summary>
        public async Task<Answer?> SendAsync(Case made)
        {
            var path = $"/{++_count}";
            var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            cases[path] = (made, sent);
            try
            {
                using var limit = new CancellationTokenSource(s_limit);
                using var request = new HttpRequestMessage(made.Head ? HttpMethod.Head : HttpMethod.Get, path);
                using var response = await _client.SendAsync(request, limit.Token);
                var headers = response.Headers.Where(h => h.Key.StartsWith("X-", StringComparison.Ordinal)).Select(h => $"{h.Key}={string.Join('|', h.Value)}");
                return new((int)response.StatusCode, string.Join('\n', headers), Encoding.Latin1.GetString(await response.Content.ReadAsByteArrayAsync(limit.Token)));
            }
            catch (HttpRequestException)
            {
                return null;
            }
            finally
            {
                // What an upstream says unasked can answer the next request before it is read; the connection is closed then, and nothing more is sent.
                await sent.Task.WaitAsync(s_limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        public async ValueTask DisposeAsync()
        {
            _client.Dispose();
            await proxy.DisposeAsync();
            await upstream.DisposeAsync();
        }
    }
}
