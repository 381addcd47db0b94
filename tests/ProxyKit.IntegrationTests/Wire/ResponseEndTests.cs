using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Wire;

using Wire = Protocols.Wire;

/// <summary>The client gets the last bytes of a body when they are written, whatever stages the response passes through.</summary>
public class ResponseEndTests
{
    private const string EndOfRequest = "\x01\x05\x00\x01\x00\x00\x00\x00";

    private static readonly string s_body = string.Concat(Enumerable.Range(0, 8054).Select(i => (char)('a' + i % 26)));

    public enum Upstream
    {
        FastCgi,
        Length,
        Chunked,
        UntilClose,
    }

    public enum Stage
    {
        Default,
        Buffered,
        Unbuffered,
        Compressed,
        CompressedBuffered,
        Cached,
        CachedCompressed,
        Paced,
        NotFound,
    }

    public static MatrixTheoryData<Wire, Upstream, Stage> Exits => new([Wire.Http1, Wire.H2C], Enum.GetValues<Upstream>(), Enum.GetValues<Stage>());

    // The first part has reached the client before the upstream writes the last one, together with the end.
    [Theory, MemberData(nameof(Exits))]
    public async Task The_last_part_arrives_together_with_the_end(Wire client, Upstream kind, Stage stage)
    {
        var firstReceived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var upstream = Answering(kind, s_body[..571], s_body[571..], stage, firstReceived.Task);
        await using var proxy = await Peers.StartProxyAsync(client, (kind == Upstream.FastCgi ? "fastcgi" : "http") + $"://127.0.0.1:{upstream.Port}", route => Configure(route, stage));
        using var handler = Peers.CreateHandler();
        handler.AutomaticDecompression = DecompressionMethods.GZip;
        using var http = new HttpClient(handler) { BaseAddress = proxy.Address, DefaultRequestVersion = client.Version(), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };

        // The second one goes over the same connection.
        for (var i = 0; i < 2; i++)
        {
            using var response = await http.GetAsync("/x.php", HttpCompletionOption.ResponseHeadersRead).WaitAsync(Peers.Patience);
            await using var body = await response.Content.ReadAsStreamAsync();
            var received = await body.ReadSomeAsync(571);
            firstReceived.TrySetResult();
            received += await body.ReadSomeAsync(8054 - 571);

            Assert.Equal(s_body, received);
            Assert.Equal(0, await body.ReadAsync(new byte[1]).AsTask().WaitAsync(Peers.Patience));
        }
    }

    private static void Configure(ProxyRouteBuilder route, Stage stage)
    {
        switch (stage)
        {
            case Stage.Buffered:
                route.WithBuffering();
                break;
            case Stage.Unbuffered:
                route.WithBuffering(b => b.Response.Enabled = false);
                break;
            case Stage.Compressed:
                route.WithCompression().WithBuffering(b => b.Response.Enabled = false);
                break;
            case Stage.CompressedBuffered:
                route.WithCompression().WithBuffering();
                break;
            case Stage.Cached:
                route.WithCache();
                break;
            case Stage.CachedCompressed:
                route.WithCache().WithCompression();
                break;
        }
    }

    private static RawUpstream Answering(Upstream kind, string first, string last, Stage stage, Task received)
    {
        var status = stage == Stage.NotFound ? "404 Not Found" : "200 OK";
        var head = $"Content-Type: text/plain\r\nCache-Control: max-age=60\r\n{(stage == Stage.Paced ? "X-Accel-Limit-Rate: 100000\r\n" : "")}";
        var length = $"Content-Length: {first.Length + last.Length}\r\n";
        return new(async connection =>
        {
            while (true)
            {
                if (kind == Upstream.FastCgi)
                    await connection.ReadUntilAsync(EndOfRequest);
                else
                    await connection.ReadRequestAsync();
                await connection.SendAsync(kind switch
                {
                    Upstream.FastCgi => Output($"Status: {status}\r\n{head}{length}\r\n{first}"),
                    Upstream.Length => $"HTTP/1.1 {status}\r\n{head}{length}\r\n{first}",
                    Upstream.Chunked => $"HTTP/1.1 {status}\r\n{head}Transfer-Encoding: chunked\r\n\r\n{first.Length:x}\r\n{first}\r\n",
                    _ => $"HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n{first}",
                });
                await received;
                await connection.SendAsync(kind switch
                {
                    Upstream.FastCgi => Output(last) + "\x01\x03\x00\x01\x00\x08\x00\x00\0\0\0\0\0\0\0\0",
                    Upstream.Chunked => $"{last.Length:x}\r\n{last}\r\n0\r\n\r\n",
                    _ => last,
                });
                if (kind is Upstream.FastCgi or Upstream.UntilClose)
                    return;
            }
        });
    }

    private static string Output(string text) => new StringBuilder("\x01\x06\x00\x01").Append((char)(text.Length >> 8)).Append((char)(text.Length & 255)).Append("\x00\x00").Append(text).ToString();
}
