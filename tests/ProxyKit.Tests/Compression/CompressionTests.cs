using System.Net;
using Microsoft.AspNetCore.Builder;

namespace ProxyKit.Tests.Compression;

public class CompressionTests
{
    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("br", "br")]
    [InlineData("zstd", "zstd")]
    [InlineData("gzip, deflate, br, zstd", "zstd")]
    [InlineData("gzip, deflate, br", "br")]
    [InlineData("x-gzip", "gzip")]
    public async Task A_response_comes_compressed_and_whole(string acceptEncoding, string coding)
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text));

        using var response = await app.GetAsync(acceptEncoding);

        Assert.Equal(coding, response.Encoding());
        Assert.Equal("Accept-Encoding", response.Field("Vary"));
        await response.Content.LoadIntoBufferAsync();
        var length = (await response.Content.ReadAsByteArrayAsync()).Length;
        Assert.InRange(length, 20, CompressingApp.Text.Length / 4);
        Assert.Equal(length, response.Content.Headers.ContentLength);
        Assert.Equal(CompressingApp.Text, await response.TextAsync());
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("zstd")]
    public async Task Bodies_of_any_length_and_framing_arrive_whole(string coding)
    {
        var current = new byte[0];
        var isKnown = false;
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(isKnown ? new ByteArrayContent(current) : new UnknownLength(System.Text.Encoding.Latin1.GetString(current)), ("Content-Type", "application/json")),
            c => c.MinimumSize = 0);

        foreach (var length in new[] { 1, 100, 4096, 32 * 1024, 70_000, 128 * 1024, 1_000_000, 5_000_000 })
        {
            foreach (var known in new[] { true, false })
            {
                current = Enumerable.Range(0, length).Select(i => (byte)(32 + (i * 7919L % 90 + i / 1000) % 90)).ToArray();
                isKnown = known;

                using var response = await app.GetAsync(coding);

                Assert.Equal(coding, response.Encoding());
                var text = await response.TextAsync();
                Assert.Equal(length, text.Length);
                Assert.True(System.Text.Encoding.Latin1.GetBytes(text).AsSpan().SequenceEqual(current), $"{length} {known}");
            }
        }
    }

    [Theory]
    [InlineData("text/html; charset=utf-8", true)]
    [InlineData("TEXT/CSS", true)]
    [InlineData("application/json", true)]
    [InlineData("application/problem+json", true)]
    [InlineData("application/atom+xml", true)]
    [InlineData("image/svg+xml", true)]
    [InlineData("application/wasm", true)]
    [InlineData("text/javascript", true)]
    [InlineData("image/png", false)]
    [InlineData("font/woff2", false)]
    [InlineData("application/octet-stream", false)]
    [InlineData("application/grpc", false)]
    [InlineData("application/grpc-web+json", false)]
    [InlineData("text/event-stream", false)]
    [InlineData("", false)]
    public async Task What_is_compressed_by_default(string type, bool isCompressed)
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text, ("Content-Type", type)));

        using var response = await app.GetAsync("gzip");

        Assert.Equal(isCompressed ? "gzip" : null, response.Encoding());
        Assert.Equal(isCompressed ? "Accept-Encoding" : null, response.Field("Vary"));
        Assert.Equal(CompressingApp.Text, await response.TextAsync());
    }

    [Theory]
    [InlineData("application/x-mine", true)]
    [InlineData("application/x-mine; a=b", true)]
    [InlineData("model/a+gltf", true)]
    [InlineData("model/a", false)]
    [InlineData("audio/wav", true)]
    [InlineData("text/plain", false)]
    public async Task Types_can_be_named_one_by_one_and_with_wildcards(string type, bool isCompressed)
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text, ("Content-Type", type)), c =>
        {
            c.MimeTypes.Clear();
            foreach (var pattern in new[] { "application/X-Mine", "model/*+gltf", "audio/*" })
                c.MimeTypes.Add(pattern);
        });

        using var response = await app.GetAsync("gzip");

        Assert.Equal(isCompressed ? "gzip" : null, response.Encoding());
    }

    [Theory]
    [InlineData("Content-Encoding", "br")]
    [InlineData("Content-Encoding", "something")]
    [InlineData("Cache-Control", "public, no-transform")]
    [InlineData("Cache-Control", "NO-TRANSFORM")]
    public async Task A_response_that_says_so_remains_as_it_is(string name, string value)
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text, (name, value), ("ETag", "\"a\"")));

        using var response = await app.GetAsync("gzip");

        Assert.Equal(name == "Content-Encoding" ? value : null, response.Encoding());
        Assert.Equal((null, "\"a\"", CompressingApp.Text.Length), (response.Field("Vary"), response.Field("ETag"), response.Content.Headers.ContentLength));
        Assert.Equal(CompressingApp.Text, await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Content_encoding_identity_is_none()
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text, ("Content-Encoding", "identity")));

        using var response = await app.GetAsync("gzip");

        Assert.Equal("gzip", response.Encoding());
    }

    [Theory]
    [InlineData(206, false)]
    [InlineData(200, true)]
    [InlineData(404, true)]
    [InlineData(503, true)]
    public async Task Parts_are_not_compressed_and_errors_are(int status, bool isCompressed)
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text, (":status", $"{status}"), ("Content-Range", "bytes 0-9/100"), ("Accept-Ranges", "bytes")));

        using var response = await app.GetAsync("gzip");

        Assert.Equal(isCompressed ? "gzip" : null, response.Encoding());
        Assert.Equal(isCompressed ? null : "bytes", response.Field("Accept-Ranges"));
        Assert.Equal("Accept-Encoding", response.Field("Vary"));
    }

    [Theory]
    [InlineData(1023, null)]
    [InlineData(1024, "gzip")]
    public async Task Short_ones_are_not_worth_it(int length, string? coding)
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(new string('a', length)));

        using var response = await app.GetAsync("gzip");

        Assert.Equal(coding, response.Encoding());
        Assert.Equal(coding is null ? null : "Accept-Encoding", response.Field("Vary"));
    }

    [Fact]
    public async Task A_request_that_wants_nothing_changed_gets_nothing_changed()
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text));

        using var response = await app.GetAsync("gzip", ("Cache-Control", "no-transform"));

        Assert.Null(response.Encoding());
    }

    [Theory]
    [InlineData(null, "Accept-Encoding")]
    [InlineData("Origin", "Origin, Accept-Encoding")]
    [InlineData("accept-encoding", "accept-encoding")]
    [InlineData("Origin,ACCEPT-ENCODING", "Origin,ACCEPT-ENCODING")]
    [InlineData("*", "*")]
    public async Task Vary_names_the_field_once(string? vary, string expected)
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text, vary is null ? [] : [("Vary", vary)]));

        foreach (var acceptEncoding in new[] { "gzip", "identity", null })
        {
            using var response = await app.GetAsync(acceptEncoding);
            Assert.Equal(acceptEncoding == "gzip" ? "gzip" : null, response.Encoding());
            Assert.Equal(expected, response.Field("Vary"));
        }
    }

    [Fact]
    public async Task What_was_about_the_bytes_goes()
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(
            CompressingApp.Text, ("Accept-Ranges", "bytes"), ("Content-MD5", "x"), ("Digest", "sha-256=x"), ("Content-Digest", "sha-256=:x:"), ("Repr-Digest", "sha-256=:x:"), ("Unencoded-Digest", "sha-256=:x:"), ("ETag", "\"abc\"")));
        string[] fields = ["Accept-Ranges", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest"];

        using var compressed = await app.GetAsync("br");
        Assert.All(fields, field => Assert.Null(compressed.Field(field)));
        Assert.Equal(("\"abc-br\"", "sha-256=:x:"), (compressed.Field("ETag"), compressed.Field("Unencoded-Digest")));

        using var plain = await app.GetAsync("identity");
        Assert.All(fields, field => Assert.NotNull(plain.Field(field)));
        Assert.Equal("\"abc\"", plain.Field("ETag"));
    }

    [Fact]
    public async Task HEAD_has_the_fields_of_GET()
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text, ("ETag", "\"abc\""), ("Accept-Ranges", "bytes")));

        foreach (var acceptEncoding in new[] { "br", "identity" })
        {
            using var get = await app.GetAsync(acceptEncoding);
            using var head = await app.GetAsync(acceptEncoding, (":method", "HEAD"));
            foreach (var field in new[] { "Content-Encoding", "Vary", "ETag", "Accept-Ranges", "Content-Type" })
                Assert.Equal(get.Field(field), head.Field(field));
            Assert.NotEqual(acceptEncoding == "br" ? CompressingApp.Text.Length : 0, head.Content.Headers.ContentLength ?? -1);
        }
    }

    [Theory]
    [InlineData(false, null)]
    [InlineData(true, "gzip")]
    public async Task Over_HTTPS_only_where_it_was_asked_for(bool enable, string? coding)
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text), c => c.EnableForHttps = enable);

        using var response = await app.GetAsync("gzip", (":scheme", "https"));

        Assert.Equal(coding, response.Encoding());
        Assert.Equal(enable ? "Accept-Encoding" : null, response.Field("Vary"));
    }

    [Fact]
    public async Task The_routes_codings_in_the_routes_order()
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text), c =>
        {
            c.Codings.Add("gzip");
            c.Codings.Add("zstd");
        });

        using var all = await app.GetAsync("zstd, br, gzip");
        using var brotli = await app.GetAsync("br");

        Assert.Equal(("gzip", null), (all.Encoding(), brotli.Encoding()));
    }

    [Theory]
    [InlineData("gzip", 1, 9)]
    [InlineData("br", 0, 11)]
    [InlineData("zstd", -7, 19)]
    public async Task A_higher_level_makes_it_smaller(string coding, int low, int high)
    {
        var random = new Random(1);
        var words = Enumerable.Range(0, 2000).Select(_ => string.Concat(Enumerable.Range(0, random.Next(2, 9)).Select(_ => (char)random.Next('a', 'z')))).ToArray();
        var text = string.Join(' ', Enumerable.Range(0, 20_000).Select(_ => words[(int)(Math.Pow(random.NextDouble(), 3) * words.Length)]));
        async Task<int> LengthAsync(int level)
        {
            await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(text), c => c.Levels[coding] = level);
            using var response = await app.GetAsync(coding);
            var bytes = await response.Content.ReadAsByteArrayAsync();
            Assert.Equal(text, new StreamReader(CompressingApp.Decoder(new MemoryStream(bytes), coding)).ReadToEnd());
            return bytes.Length;
        }

        Assert.InRange(await LengthAsync(high), 1, await LengthAsync(low) - 1000);
    }

    [Fact]
    public async Task A_coding_of_ones_own_is_offered_last()
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text), proxy: p => p.AddContentCoding<Rot13>());

        using var response = await app.GetAsync("rot13");
        using var other = await app.GetAsync("rot13, gzip");

        Assert.Equal(("rot13", "gzip"), (response.Encoding(), other.Encoding()));
        Assert.StartsWith("line 0".Replace('l', 'y').Replace('i', 'v').Replace('n', 'a').Replace('e', 'r'), await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_body_and_one_without_content_are_left_alone()
    {
        var status = HttpStatusCode.OK;
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(new ByteArrayContent([]), (":status", $"{(int)status}"), ("ETag", "\"a\"")), c => c.MinimumSize = 0);

        foreach (var code in new[] { HttpStatusCode.OK, HttpStatusCode.NoContent, HttpStatusCode.ResetContent })
        {
            status = code;
            using var response = await app.GetAsync("gzip");
            Assert.Equal((code, null, "\"a\""), (response.StatusCode, response.Encoding(), response.Field("ETag")));
            Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task The_proxys_own_error_pages_are_compressed_too()
    {
        var page = Path.GetTempFileName() + ".html";
        await File.WriteAllTextAsync(page, CompressingApp.Text);
        await using var app = await CompressingApp.StartAsync(_ => throw new HttpRequestException("down"), route: r => r.WithErrorPage("5xx", page));

        using var response = await app.GetAsync("gzip");

        Assert.Equal((HttpStatusCode.BadGateway, "gzip"), (response.StatusCode, response.Encoding()));
        Assert.Equal(CompressingApp.Text, await response.TextAsync());
        File.Delete(page);
    }

    private sealed class Rot13 : IContentCoding
    {
        public string Name => "rot13";

        public int MinLevel => 13;

        public int MaxLevel => 13;

        public int DefaultLevel => 13;

        public IContentEncoder CreateEncoder(int level) => new Encoder();

        public Stream CreateDecoder(Stream source) => throw new NotSupportedException();

        private sealed class Encoder : IContentEncoder
        {
            public void Write(ReadOnlySpan<byte> content, System.Buffers.IBufferWriter<byte> output)
            {
                var target = output.GetSpan(content.Length);
                for (var i = 0; i < content.Length; i++)
                    target[i] = content[i] is >= (byte)'a' and <= (byte)'z' ? (byte)('a' + ((content[i] - 'a' + 13) % 26)) : content[i];
                output.Advance(content.Length);
            }

            public void Flush(System.Buffers.IBufferWriter<byte> output)
            {
            }

            public void Finish(System.Buffers.IBufferWriter<byte> output)
            {
            }

            public void Dispose()
            {
            }
        }
    }
}
