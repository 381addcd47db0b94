using System.Net;

namespace ProxyKit.Tests.Compression;

/// <summary>Each encoding has an entity tag of its own, and the upstream never hears of it.</summary>
public class ConditionalRequestTests
{
    [Theory]
    [InlineData("br", "\"abc-br\"", "\"abc\"", "\"abc-br\"")]
    [InlineData("br, gzip", "\"abc-gzip\"", "\"abc\"", "\"abc-gzip\"")]
    [InlineData("br, gzip", "\"abc-gzip\", \"abc-br\"", "\"abc\", \"abc\"", "\"abc-br\"")]
    [InlineData("br", "\"x\", W/\"y-br\" , \"abc-br\"", "\"x\", W/\"y\", \"abc\"", "\"abc-br\"")]
    [InlineData("br", "W/\"abc-br\"", "W/\"abc\"", "\"abc-br\"")]
    [InlineData("br", "\"abc\"", "\"abc\"", "\"abc\"")]
    [InlineData("gzip", "\"abc-br\", \"abc-gzip\"", "\"abc-br\", \"abc\"", "\"abc-gzip\"")]
    [InlineData("identity", "\"abc-br\", \"abc\"", "\"abc-br\", \"abc\"", "\"abc\"")]
    public async Task Nothing_new_is_told_under_the_clients_own_tag(string acceptEncoding, string ifNoneMatch, string forwarded, string answered)
    {
        var upstream = new Recorder { Answer = _ => CompressingApp.Answer(new ByteArrayContent([]), (":status", "304"), ("ETag", "\"abc\""), ("Content-Type", "")) };
        await using var app = await CompressingApp.StartAsync(upstream.Handle);

        using var response = await app.GetAsync(acceptEncoding, ("If-None-Match", ifNoneMatch));

        Assert.Equal(forwarded, Field(upstream, "If-None-Match"));
        Assert.Equal((HttpStatusCode.NotModified, answered), (response.StatusCode, response.Field("ETag")));
        Assert.Equal(answered == "\"abc\"" ? null : "Accept-Encoding", response.Field("Vary"));
    }

    [Fact]
    public async Task A_tag_that_the_client_can_not_read_is_not_confirmed()
    {
        var upstream = new Recorder { Answer = request => CompressingApp.Answer(CompressingApp.Text, ("ETag", "\"abc\"")) };
        await using var app = await CompressingApp.StartAsync(upstream.Handle);

        using var response = await app.GetAsync("gzip", ("If-None-Match", "\"abc-br\""));

        Assert.Equal("\"abc-br\"", upstream.Last["If-None-Match"]);
        Assert.Equal("\"abc-gzip\"", response.Field("ETag"));
    }

    [Fact]
    public async Task Weak_tags_are_the_same_for_all_encodings()
    {
        var upstream = new Recorder { Answer = _ => CompressingApp.Answer(CompressingApp.Text, ("ETag", "W/\"abc\"")) };
        await using var app = await CompressingApp.StartAsync(upstream.Handle);

        using var response = await app.GetAsync("gzip", ("If-None-Match", "W/\"abc\""));

        Assert.Equal(("gzip", "W/\"abc\"", "W/\"abc\""), (response.Encoding(), response.Field("ETag"), upstream.Last["If-None-Match"]));
    }

    [Fact]
    public async Task A_change_is_made_to_what_the_client_has_seen()
    {
        var upstream = new Recorder();
        await using var app = await CompressingApp.StartAsync(upstream.Handle);

        using var response = await app.GetAsync(null, (":method", "DELETE"), ("If-Match", "\"a-zstd\", \"b-gzip\", \"c\""), ("If-None-Match", "\"d-br\""));

        Assert.Equal(("\"a\", \"b\", \"c\"", "\"d\""), (Field(upstream, "If-Match"), Field(upstream, "If-None-Match")));
    }

    [Theory]
    [InlineData("\"abc-br\"", false)]
    [InlineData("\"abc\"", true)]
    [InlineData("Sat, 28 Nov 2026 00:00:00 GMT", true)]
    public async Task The_rest_of_compressed_bytes_is_not_asked_for(string ifRange, bool isForwarded)
    {
        var upstream = new Recorder { Answer = _ => CompressingApp.Answer(CompressingApp.Text, ("ETag", "\"abc\"")) };
        await using var app = await CompressingApp.StartAsync(upstream.Handle);

        using var response = await app.GetAsync("br", ("Range", "bytes=100-"), ("If-Range", ifRange));

        Assert.Equal(isForwarded ? (ifRange, "bytes=100-") : (null, null), (upstream.Last["If-Range"], upstream.Last["Range"]));
    }

    [Fact]
    public async Task Middlewares_around_the_proxy_see_the_clients_own_fields()
    {
        string?[] seen = [];
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text, ("ETag", "\"abc\"")), use: app => Microsoft.AspNetCore.Builder.UseExtensions.Use(app, async (context, next) =>
        {
            await next(context);
            var headers = context.Request.Headers;
            seen = [headers.IfNoneMatch, headers.IfMatch, headers.IfRange, headers.Range];
        }));

        using var response = await app.GetAsync("br", ("If-None-Match", "\"x-br\""), ("If-Match", "\"y-br\""), ("If-Range", "\"z-br\""), ("Range", "bytes=1-"));
        await response.TextAsync();
        await app.OutcomeAsync();

        Assert.Equal(["\"x-br\"", "\"y-br\"", "\"z-br\"", "bytes=1-"], seen);
    }

    [Fact]
    public async Task Without_compression_tags_that_look_so_pass()
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream);

        using var response = await app.GetAsync("br", ("If-None-Match", "\"x-br\""));

        Assert.Equal("\"x-br\"", upstream.Last["If-None-Match"]);
    }

    // As one line, be it one or not.
    private static string? Field(Recorder upstream, string name) => upstream.Last[name]?.Replace(" | ", ", ", StringComparison.Ordinal).Replace(" ,", ",", StringComparison.Ordinal);
}
