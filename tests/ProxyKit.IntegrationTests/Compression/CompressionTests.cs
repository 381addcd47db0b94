using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Compression;

using Wire = ProxyKit.IntegrationTests.Protocols.Wire;

/// <summary>Compression on real connections.</summary>
public class CompressionTests
{
    [Theory]
    [InlineData(Wire.Http1, "gzip")]
    [InlineData(Wire.Http1, "br")]
    [InlineData(Wire.Http1, "zstd")]
    [InlineData(Wire.H2C, "gzip")]
    [InlineData(Wire.H2C, "br")]
    [InlineData(Wire.H2C, "zstd")]
    public async Task Bodies_of_all_lengths_arrive_whole_and_the_connection_serves_the_next(Wire wire, string coding)
    {
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            var length = int.Parse(context.Request.Query["n"]!);
            context.Response.ContentType = "text/plain";
            if (context.Request.Query.ContainsKey("known"))
                context.Response.ContentLength = length;
            await context.Response.Body.WriteAsync(Text(length));
        });
        await using var proxy = await StartAsync(wire, upstream.Url);
        using var http = proxy.CreateClient(wire);

        foreach (var length in new[] { 1024, 5000, 50_000, 300_000, 3_000_000 })
        {
            foreach (var known in new[] { "&known", "" })
            {
                using var response = await GetAsync(http, wire, $"/?n={length}{known}", coding);
                Assert.Equal([coding], response.Content.Headers.ContentEncoding);
                Assert.Equal(Text(length), await DecodeAsync(response));
            }
        }
    }

    [Theory]
    [InlineData(Wire.Http1, "gzip", "text/plain")]
    [InlineData(Wire.Http1, "br", "text/event-stream")]
    [InlineData(Wire.Http1, "zstd", "text/plain")]
    [InlineData(Wire.H2C, "gzip", "text/event-stream")]
    [InlineData(Wire.H2C, "br", "text/plain")]
    [InlineData(Wire.H2C, "zstd", "text/event-stream")]
    public async Task What_the_upstream_flushes_is_there_before_the_next_is_sent(Wire wire, string coding, string type)
    {
        var messages = Channel.CreateUnbounded<string>();
        await using var upstream = await Peers.StartAsync(wire, async context =>
        {
            context.Response.ContentType = type;
            await foreach (var message in messages.Reader.ReadAllAsync(context.RequestAborted))
            {
                await context.Response.WriteAsync(message);
                await context.Response.Body.FlushAsync();
            }
        });
        await using var proxy = await StartAsync(wire, upstream.Url, c => c.ServerSentEvents = true, r => r.WithUpstream(wire));
        using var http = proxy.CreateClient(wire);
        messages.Writer.TryWrite("data: first\n\n");
        using var response = await GetAsync(http, wire, "/", coding);
        Assert.Equal([coding], response.Content.Headers.ContentEncoding);
        using var reader = new StreamReader(Decoder(await response.Content.ReadAsStreamAsync(), coding));

        Assert.Equal("data: first", await reader.ReadLineAsync().WaitAsync(Peers.Patience));
        for (var i = 0; i < 10; i++)
        {
            messages.Writer.TryWrite($"data: {i}\n\n");
            Assert.Equal("", await reader.ReadLineAsync().WaitAsync(Peers.Patience));
            Assert.Equal($"data: {i}", await reader.ReadLineAsync().WaitAsync(Peers.Patience));
        }
        messages.Writer.Complete();
        Assert.Equal("", (await reader.ReadToEndAsync().WaitAsync(Peers.Patience)).Trim());
    }

    [Theory]
    [InlineData("br")]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public async Task Trailers_come_after_a_compressed_body(string coding)
    {
        await using var upstream = await Peers.StartAsync(Wire.H2C, async context =>
        {
            context.Response.ContentType = "text/plain";
            context.Response.DeclareTrailer("X-Sum");
            await context.Response.Body.WriteAsync(Text(20_000));
            context.Response.AppendTrailer("X-Sum", "42");
            context.Response.AppendTrailer("Repr-Digest", "sha-256=:x:");
        });
        await using var proxy = await StartAsync(Wire.H2C, upstream.Url, route: r => r.WithUpstream(Wire.H2C));
        using var http = proxy.CreateClient(Wire.H2C);

        using var response = await GetAsync(http, Wire.H2C, "/", coding);
        await response.Content.LoadIntoBufferAsync(); // a decoder knows where its data end, and does not wait for what comes then

        Assert.Equal(Text(20_000), await DecodeAsync(response));
        Assert.Equal("42", response.TrailingHeaders.GetValues("X-Sum").Single());
        Assert.False(response.TrailingHeaders.Contains("Repr-Digest"));
    }

    [Theory]
    [InlineData("Content-Length: 100000\r\n\r\n", "br")]
    [InlineData("Content-Length: 100000\r\n\r\n", "gzip")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nffff\r\n", "br")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nffff\r\n", "gzip")]
    public async Task Half_a_response_is_never_ended_as_if_it_were_whole(string framing, string coding)
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{framing}{new string('a', 30_000)}");
        });
        await using var proxy = await StartAsync(Wire.Http1, upstream.Url);

        var answer = await RawClient.SendAsync(proxy.Port, $"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n\r\n");

        Assert.False(answer.EndsWith("0\r\n\r\n", StringComparison.Ordinal));
        if (answer.StartsWith("HTTP/1.1 200", StringComparison.Ordinal))
            Assert.Contains("Transfer-Encoding: chunked", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    public async Task The_upstream_learns_that_the_client_has_left(Wire wire)
    {
        var left = new TaskCompletionSource();
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            context.Response.ContentType = "text/plain";
            try
            {
                while (true)
                    await context.Response.Body.WriteAsync(Peers.Bytes(10_000, 1), context.RequestAborted);
            }
            finally
            {
                left.TrySetResult();
            }
        });
        await using var proxy = await StartAsync(wire, upstream.Url);
        using (var http = proxy.CreateClient(wire))
        using (var response = await GetAsync(http, wire, "/", "br"))
            await (await response.Content.ReadAsStreamAsync()).ReadExactlyAsync(new byte[10_000]);

        await left.Task.WaitAsync(Peers.Patience);
    }

    [Theory]
    [InlineData("br")]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public async Task A_gigabyte_takes_no_memory(string coding)
    {
        const long Size = 1_000_000_000;
        var block = Text(100_000);
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            context.Response.ContentType = "text/plain";
            for (long sent = 0; sent < Size; sent += block.Length)
                await context.Response.Body.WriteAsync(block);
        });
        await using var proxy = await StartAsync(Wire.Http1, upstream.Url, c => c.Levels["br"] = c.Levels["gzip"] = c.Levels["zstd"] = 1);
        using var http = proxy.CreateClient(Wire.Http1);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        using var response = await GetAsync(http, Wire.Http1, "/", coding);
        await using var body = Decoder(await response.Content.ReadAsStreamAsync(), coding);
        var buffer = new byte[128 * 1024];
        long total = 0, peak = 0;
        int read;
        while ((read = await body.ReadAsync(buffer)) > 0)
        {
            if (total / 100_000_000 != (total + read) / 100_000_000)
                peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: true) - before);
            total += read;
        }

        Assert.Equal(Size, total);
        Assert.True(peak < 250_000_000, $"{peak:n0} bytes"); // with what other tests take meanwhile
    }

    [Fact]
    public async Task An_encoding_of_the_upstreams_passes_or_is_taken_off()
    {
        var compressed = new MemoryStream();
        await using (var gzip = new GZipStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
            await gzip.WriteAsync(Text(2_000_000));
        await using var upstream = await Peers.StartAsync(Wire.Http1, async context =>
        {
            (context.Response.ContentType, context.Response.Headers.ContentEncoding, context.Response.ContentLength) = ("text/plain", "gzip", compressed.Length);
            await context.Response.Body.WriteAsync(compressed.ToArray());
        });
        await using var proxy = await StartAsync(Wire.Http1, upstream.Url, c => c.Decompress = true);
        using var http = proxy.CreateClient(Wire.Http1);

        using var passed = await GetAsync(http, Wire.Http1, "/", "gzip, br");
        Assert.Equal(compressed.ToArray(), await passed.Content.ReadAsByteArrayAsync());
        using var plain = await GetAsync(http, Wire.Http1, "/", "identity");
        Assert.Empty(plain.Content.Headers.ContentEncoding);
        Assert.Equal(SHA256.HashData(Text(2_000_000)), SHA256.HashData(await plain.Content.ReadAsByteArrayAsync()));
        using var other = await GetAsync(http, Wire.Http1, "/", "br");
        Assert.Equal(["br"], other.Content.Headers.ContentEncoding);
        Assert.Equal(SHA256.HashData(Text(2_000_000)), SHA256.HashData(await DecodeAsync(other)));
    }

    private static Task<KestrelApp> StartAsync(Wire wire, string upstream, Action<CompressionOptions>? compression = null, Action<ProxyRouteBuilder>? route = null) => Peers.StartAsync(
        wire,
        app =>
        {
            var builder = app.MapProxy("/{**path}", upstream).WithCompression(compression ?? (static _ => { }));
            route?.Invoke(builder);
        },
        services => services.AddReverseProxy().AddZstdCompression());

    private static Task<HttpResponseMessage> GetAsync(HttpClient http, Wire wire, string path, string acceptEncoding)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path) { Version = wire.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.TryAddWithoutValidation("Accept-Encoding", acceptEncoding);
        return http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private static Stream Decoder(Stream body, string coding) => coding switch
    {
        "gzip" => new GZipStream(body, CompressionMode.Decompress),
        "br" => new BrotliStream(body, CompressionMode.Decompress),
        _ => new ZstdSharp.DecompressionStream(body),
    };

    private static async Task<byte[]> DecodeAsync(HttpResponseMessage response)
    {
        // A decoder may not read on to the end of the message, where the trailers are.
        await using var body = Decoder(new MemoryStream(await response.Content.ReadAsByteArrayAsync()), response.Content.Headers.ContentEncoding.Single());
        var bytes = new MemoryStream();
        await body.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    private static byte[] Text(int length)
    {
        var text = new StringBuilder(length + 32);
        for (var i = 0; text.Length < length; i++)
            text.Append("line ").Append(i * 7919 % 1000).Append(" of a text\n");
        text.Length = length;
        return Encoding.Latin1.GetBytes(text.ToString());
    }
}
