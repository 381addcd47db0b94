using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
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

    public static MatrixTheoryData<Wire, string> Requests => new([Wire.Http1, Wire.H2C], ["GET", "HEAD", "bytes=0-9", "bytes=-70000", "bytes=0-9,100-199", "bytes=900000-", "304", "gzip", "502"]);

    // From the cache and past it: each response ends on the connection that carries the next.
    [Theory, MemberData(nameof(Requests))]
    public async Task Every_kind_of_response_ends(Wire client, string kind)
    {
        var text = new string('x', 100_000);
        await using var upstream = await Peers.StartAsync(Wire.Http1, context =>
        {
            context.Response.Headers.CacheControl = "max-age=60";
            context.Response.Headers.ETag = "\"1\"";
            context.Response.ContentType = "text/plain";
            context.Response.ContentLength = text.Length;
            return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.WriteAsync(text);
        });
        var address = kind == "502" ? "http://127.0.0.1:1" : upstream.Url;
        await using var proxy = await Peers.StartAsync(
            client,
            app =>
            {
                app.MapProxy("/plain/{**path}", address);
                app.MapProxy("/cached/{**path}", address).WithCache().WithCompression();
                app.MapProxy("/buffered/{**path}", address).WithCache().WithBuffering();
            },
            services => services.AddReverseProxy());
        using var http = proxy.CreateClient(client);

        foreach (var path in new[] { "/plain/", "/cached/", "/cached/", "/cached/", "/buffered/", "/buffered/", "/plain/" })
        {
            using var request = new HttpRequestMessage(kind == "HEAD" ? HttpMethod.Head : HttpMethod.Get, path) { Version = client.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            if (kind.StartsWith("bytes", StringComparison.Ordinal))
                request.Headers.TryAddWithoutValidation("Range", kind);
            else if (kind == "304")
                request.Headers.TryAddWithoutValidation("If-None-Match", "\"1\"");
            else if (kind == "gzip")
                request.Headers.TryAddWithoutValidation("Accept-Encoding", "gzip");

            using var response = await http.SendAsync(request);

            var length = (await response.Content.ReadAsByteArrayAsync().WaitAsync(Peers.Patience)).Length;
            if (kind != "HEAD" && response.Content.Headers.ContentLength is { } announced)
                Assert.Equal(announced, length);
            if (kind == "GET")
                Assert.Equal(text.Length, length);
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
