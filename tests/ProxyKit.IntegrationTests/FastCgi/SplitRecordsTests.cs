using System.Globalization;
using System.Text;
using CsCheck;
using Microsoft.AspNetCore.Builder;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.FastCgi;

/// <summary>A client on a kept connection gets each response whole, wherever the application's bytes are split in two.</summary>
public sealed class SplitRecordsTests
{
    private const string EndOfRequest = "\x01\x05\x00\x01\x00\x00\x00\x00", End = "\x01\x03\x00\x01\x00\x08\x00\x00\0\0\0\0\0\0\0\0";

    private static readonly Gen<Reply> s_replies = Gen.Select(
        Gen.Char['a', 'z'].Array[1, 3000], Gen.Select(Gen.Int[1, 2000], Gen.Int[0, 255]).Array[1, 6], Gen.Bool, Gen.Double[0, 1],
        (body, records, hasLength, split) => new Reply(new(body), records, hasLength, split));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_response_is_whole_wherever_it_is_split(bool hasLength)
    {
        await using var exchange = await Exchange.StartAsync(route => route.WithBuffering(b => b.Response.Enabled = hasLength));
        var whole = new Reply("The body of a response.", [(30, 3), (7, 0), (60, 5)], hasLength, Split: 1);

        for (var i = 0; i <= whole.Length; i++)
            await exchange.AssertWholeAsync(whole with { Split = (double)i / whole.Length });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Any_response_is_whole_wherever_it_is_split(bool isBuffered)
    {
        await using var exchange = await Exchange.StartAsync(route => route.WithBuffering(b => b.Response.Enabled = isBuffered));

        await s_replies.SampleAsync(exchange.AssertWholeAsync, iter: 300, threads: 1);
    }

    /// <param name="Body">The body.</param>
    /// <param name="Records">The lengths of the records' content and of their padding, again and again until all is sent.</param>
    /// <param name="HasLength">Whether there is a Content-Length.</param>
    /// <param name="Split">Where the second part begins, from 0 to 1.</param>
    private sealed record Reply(string Body, (int Length, int Padding)[] Records, bool HasLength, double Split)
    {
        private string Head => "Content-Type: text/plain\r\n" + (HasLength ? string.Create(CultureInfo.InvariantCulture, $"Content-Length: {Body.Length}\r\n\r\n") : "\r\n");

        public int Length => Build(int.MaxValue).First.Length;

        /// <summary>The two parts, and how much of the body the first of them has.</summary>
        public (string First, string Second, int BodyInFirst) Parts
        {
            get
            {
                var (bytes, _) = Build(int.MaxValue);
                var split = (int)Math.Round(Split * bytes.Length);
                return (bytes[..split], bytes[split..], Math.Max(0, Build(split).Output - Head.Length));
            }
        }

        private (string First, int Output) Build(int split)
        {
            var (bytes, output, rest) = (new StringBuilder(), 0, Head + Body);
            for (var i = 0; rest.Length > 0; i++)
            {
                var (length, padding) = Records[i % Records.Length];
                var content = rest[..Math.Min(length, rest.Length)];
                rest = rest[content.Length..];
                bytes.Append("\x01\x06\x00\x01").Append((char)(content.Length >> 8)).Append((char)(content.Length & 255)).Append((char)padding).Append('\0');
                output += Math.Clamp(split - bytes.Length, 0, content.Length);
                bytes.Append(content).Append('P', padding);
            }
            return (bytes.Append(End).ToString(), output);
        }
    }

    /// <summary>An application that sends the second part when the client has what the first one has, and a client with one connection.</summary>
    private sealed class Exchange : IAsyncDisposable
    {
        private RawUpstream _application = null!;
        private KestrelApp _proxy = null!;
        private RawClient _client = null!;
        private (string First, string Second, int BodyInFirst) _parts;
        private TaskCompletionSource _received = new();

        public static async Task<Exchange> StartAsync(Action<ProxyRouteBuilder> route)
        {
            var exchange = new Exchange();
            exchange._application = new(async connection =>
            {
                await connection.ReadUntilAsync(EndOfRequest);
                // The client's next request may come before this one has ended.
                var ((first, second, _), received) = (exchange._parts, exchange._received.Task);
                await connection.SendAsync(first);
                await received;
                await connection.SendAsync(second);
            });
            exchange._proxy = await KestrelApp.StartProxyAsync($"fastcgi://127.0.0.1:{exchange._application.Port}", route);
            exchange._client = await RawClient.ConnectAsync(exchange._proxy.Port);
            return exchange;
        }

        public async Task AssertWholeAsync(Reply reply)
        {
            (_parts, _received) = (reply.Parts, new(TaskCreationOptions.RunContinuationsAsynchronously));
            await _client.SendAsync("GET /x.php HTTP/1.1\r\nHost: a\r\n\r\n");
            var text = "";
            if (_parts.BodyInFirst > 0)
                text = await ReadAsync(text, body => body.Length >= _parts.BodyInFirst);
            _received.SetResult();
            text = await ReadAsync(text, body => reply.HasLength ? body.Length >= reply.Body.Length : body.EndsWith("\r\n0\r\n\r\n", StringComparison.Ordinal));

            var received = Body(text)!;
            Assert.Equal(reply.Body, reply.HasLength || !text.Contains("chunked", StringComparison.Ordinal) ? received : Dechunk(received));
        }

        public async ValueTask DisposeAsync()
        {
            _client.Dispose();
            await _proxy.DisposeAsync();
            await _application.DisposeAsync();
        }

        private async Task<string> ReadAsync(string text, Func<string, bool> isEnough)
        {
            using var limit = new CancellationTokenSource(Peers.Patience);
            var buffer = new byte[64 * 1024];
            while (Body(text) is not { } body || !(isEnough(body) || (IsWhole(text) && body.Length > 0)))
            {
                var read = await _client.Socket.ReceiveAsync(buffer, limit.Token);
                Assert.True(read > 0, $"The connection was closed after: {text}");
                text += Encoding.Latin1.GetString(buffer, 0, read);
            }
            return text;
        }

        // A response that came in one piece has a length that the server gives it.
        private static bool IsWhole(string text) =>
            Wire.Raw.Value(text, "Content-Length") is { } length && Body(text)!.Length >= int.Parse(length, CultureInfo.InvariantCulture);

        private static string? Body(string text)
        {
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            return end < 0 ? null : text[(end + 4)..];
        }

        private static string Dechunk(string chunks)
        {
            var body = new StringBuilder();
            while (true)
            {
                var line = chunks.IndexOf("\r\n", StringComparison.Ordinal);
                var length = int.Parse(chunks.AsSpan(0, line), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                if (length == 0)
                    return body.ToString();
                body.Append(chunks, line + 2, length);
                chunks = chunks[(line + 2 + length + 2)..];
            }
        }
    }
}
