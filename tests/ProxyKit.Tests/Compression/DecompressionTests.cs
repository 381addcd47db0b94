using System.Net;
using System.Text;

namespace ProxyKit.Tests.Compression;

public class DecompressionTests
{
    [Theory]
    [InlineData("gzip")]
    [InlineData("x-gzip")]
    [InlineData("br")]
    [InlineData("deflate")]
    [InlineData("zstd")]
    public async Task A_client_that_does_not_accept_the_upstreams_coding_gets_plain_text(string coding)
    {
        await using var app = await StartAsync(coding, CompressingApp.Text);

        using var response = await app.GetAsync(null);

        Assert.Equal((null, "Accept-Encoding", "\"abc-identity\"", null), (response.Encoding(), response.Field("Vary"), response.Field("ETag"), response.Field("Content-Digest")));
        Assert.Equal(CompressingApp.Text, await response.Content.ReadAsStringAsync());
        Assert.Equal(ProxyError.None, (await app.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task One_that_accepts_another_gets_that()
    {
        await using var app = await StartAsync("gzip", CompressingApp.Text);

        using var response = await app.GetAsync("br");

        Assert.Equal(("br", "\"abc-identity-br\""), (response.Encoding(), response.Field("ETag")));
        Assert.Equal(CompressingApp.Text, await response.TextAsync());
    }

    [Fact]
    public async Task One_that_accepts_it_gets_the_upstreams_bytes()
    {
        await using var app = await StartAsync("gzip", CompressingApp.Text);

        using var response = await app.GetAsync("br, gzip");

        Assert.Equal(("gzip", "\"abc\"", "Accept-Encoding"), (response.Encoding(), response.Field("ETag"), response.Field("Vary")));
        Assert.Equal(CompressingApp.Compress("gzip", Encoding.UTF8.GetBytes(CompressingApp.Text)), await response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task It_is_done_over_HTTPS_too_and_nothing_is_compressed_there()
    {
        await using var app = await StartAsync("gzip", CompressingApp.Text);

        using var response = await app.GetAsync("br", (":scheme", "https"));

        Assert.Null(response.Encoding());
        Assert.Equal(CompressingApp.Text, await response.TextAsync());
    }

    [Fact]
    public async Task By_default_it_is_not_done()
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(new ByteArrayContent(CompressingApp.Compress("gzip", [1, 2, 3])), ("Content-Encoding", "gzip")));

        using var response = await app.GetAsync(null);

        Assert.Equal("gzip", response.Encoding());
    }

    [Theory]
    [InlineData(null, "\"abc-identity\"", "\"abc-identity\"")]
    [InlineData("br", "\"abc-identity-br\"", "\"abc-identity-br\"")]
    public async Task Conditions_match_the_upstreams_tag(string? acceptEncoding, string ifNoneMatch, string answered)
    {
        var upstream = new Recorder { Answer = _ => CompressingApp.Answer(new ByteArrayContent([]), (":status", "304"), ("ETag", "\"abc\""), ("Content-Type", "")) };
        await using var app = await CompressingApp.StartAsync(upstream.Handle, c => c.Decompress = true);

        using var response = await app.GetAsync(acceptEncoding, ("If-None-Match", ifNoneMatch));

        Assert.Equal(("\"abc\"", answered), (upstream.Last["If-None-Match"], response.Field("ETag")));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("zstd")]
    public async Task What_is_no_such_content_is_an_error_of_the_upstreams(string coding)
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(new ByteArrayContent(Encoding.UTF8.GetBytes(new string('!', 3000))), ("Content-Encoding", coding)), c => c.Decompress = true);

        using var response = await app.GetAsync(null);

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal(ProxyError.ResponseBodyDestination, (await app.OutcomeAsync()).Error);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("zstd")]
    public async Task What_ends_too_early_is_not_taken_for_a_whole_one(string coding)
    {
        var random = new Random(1);
        var bytes = CompressingApp.Compress(coding, Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 300_000).Select(_ => (char)random.Next('0', 'z')))));
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(new ByteArrayContent(bytes[..^100]), ("Content-Encoding", coding)), c => c.Decompress = true);

        using var response = await app.GetAsync(null);

        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsByteArrayAsync());
        Assert.Equal((ProxyError.ResponseBodyDestination, FailureClass.ResponseStarted), (await app.OutcomeAsync()) is var o ? (o.Error, o.FailureClass) : default);
    }

    [Fact]
    public async Task What_breaks_off_is_not_taken_for_a_whole_one()
    {
        var content = new UpstreamPipe();
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(content.Content, ("Content-Encoding", "gzip")), c => c.Decompress = true);
        var random = new Random(1);
        await content.SendAsync(CompressingApp.Compress("gzip", Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 300_000).Select(_ => (char)random.Next('0', 'z')))))[..^1000]);
        using var response = await app.GetAsync(null);
        content.Break();

        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData(20_000_000, 100, "MaxDecompressionRatio")]
    [InlineData(1_000_000, 100, null)]
    [InlineData(20_000_000, int.MaxValue, null)]
    [InlineData(40_000_000, int.MaxValue, "MaxDecompressedSize")]
    public async Task A_bomb_does_not_go_off(int size, int ratio, string? problem)
    {
        var bytes = CompressingApp.Compress("br", new byte[size]);
        await using var app = await CompressingApp.StartAsync(
            _ => CompressingApp.Answer(new ByteArrayContent(bytes), ("Content-Encoding", "br")), c => (c.Decompress, c.MaxDecompressionRatio, c.MaxDecompressedSize) = (true, ratio, 30_000_000));

        using var response = await app.GetAsync(null);

        if (problem is null)
        {
            Assert.Equal(size, (await response.Content.ReadAsByteArrayAsync()).Length);
            return;
        }
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsByteArrayAsync());
        Assert.Contains(problem, (await app.OutcomeAsync()).Exception!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pieces_reach_the_client_as_they_come()
    {
        var content = new UpstreamPipe();
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(content.Content, ("Content-Encoding", "gzip")), c => c.Decompress = true);
        var target = new MemoryStream();
        await using var gzip = new System.IO.Compression.GZipStream(target, System.IO.Compression.CompressionLevel.Fastest);
        async Task SendAsync(string text)
        {
            await gzip.WriteAsync(Encoding.UTF8.GetBytes(text));
            await gzip.FlushAsync();
            await content.SendAsync(target.ToArray());
            target.SetLength(0);
        }
        await SendAsync("first\n");
        using var response = await app.GetAsync(null);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));

        Assert.Equal("first", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
        await SendAsync("second\n");
        Assert.Equal("second", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task What_follows_the_content_is_nobodys()
    {
        byte[] bytes = [.. CompressingApp.Compress("br", Encoding.UTF8.GetBytes(CompressingApp.Text)), .. new byte[500_000]];
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(new ByteArrayContent(bytes), ("Content-Encoding", "br")), c => c.Decompress = true);

        using var response = await app.GetAsync(null);

        Assert.Equal(CompressingApp.Text, await response.Content.ReadAsStringAsync());
    }

    private static Task<ProxyApp> StartAsync(string coding, string text) => CompressingApp.StartAsync(
        _ => CompressingApp.Answer(new ByteArrayContent(CompressingApp.Compress(coding, Encoding.UTF8.GetBytes(text))), ("Content-Encoding", coding), ("ETag", "\"abc\""), ("Content-Digest", "sha-256=:x:")),
        c => c.Decompress = true);
}
