using ProxyKit.Compression;

namespace ProxyKit.Tests.StaticSites;

/// <summary>Files that lie beside themselves in compressed form.</summary>
public class PrecompressedTests
{
    private static readonly DateTime s_later = new(2026, 1, 2, 4, 0, 0, DateTimeKind.Utc);

    [Theory]
    [InlineData(null, null)]
    [InlineData("", null)]
    [InlineData("identity", null)]
    [InlineData("deflate", null)]
    [InlineData("gzip", "gzip")]
    [InlineData("x-gzip", "gzip")]
    [InlineData("GZIP", "gzip")]
    [InlineData("br", "br")]
    [InlineData("zstd", "zstd")]
    [InlineData("gzip, deflate, br, zstd", "br")]
    [InlineData("gzip, zstd", "zstd")]
    [InlineData("br;q=0.5, gzip;q=0.9", "gzip")]
    [InlineData("br;q=0.9, gzip;q=0.9", "br")]
    [InlineData("br; q=0, gzip", "gzip")]
    [InlineData("br;q=0", null)]
    [InlineData("*", "br")]
    [InlineData("*;q=0", null)]
    [InlineData("br;q=0, *", "zstd")]
    [InlineData("gzip;q=0.2, *;q=0.1", "gzip")]
    [InlineData("identity, br;q=0.5", null)]
    [InlineData("identity;q=0.3, br;q=0.5", "br")]
    [InlineData("identity;q=0.5, *;q=0.5", "br")]
    [InlineData("br;q=rubbish, gzip;q=0.1", "gzip")]
    [InlineData("br;q=2", null)]
    [InlineData("br;q=-1", null)]
    [InlineData(",, ,br", "br")]
    public async Task The_client_chooses_and_among_equals_the_server(string? acceptEncoding, string? expected)
    {
        using var folder = WithSiblings();
        await using var app = await folder.StartAsync();

        var answer = await SiteAnswer.GetAsync(app, "/app.js", configure: r => r.Headers.AcceptEncoding = acceptEncoding);

        Assert.Equal((200, expected, "Accept-Encoding"), (answer.Status, answer["Content-Encoding"], answer["Vary"]));
        Assert.Equal(expected is null ? "the script itself" : "as " + expected, answer.Body);
        Assert.Equal("text/javascript", answer["Content-Type"]);
        Assert.Equal(answer.Body.Length.ToString(), answer["Content-Length"]);
    }

    [Fact]
    public async Task Each_encoding_has_an_ETag_of_its_own_and_conditions_are_about_it()
    {
        using var folder = WithSiblings();
        await using var app = await folder.StartAsync();
        var plain = await SiteAnswer.GetAsync(app, "/app.js");
        var brotli = await SiteAnswer.GetAsync(app, "/app.js", configure: r => r.Headers.AcceptEncoding = "br");
        var gzip = await SiteAnswer.GetAsync(app, "/app.js", configure: r => r.Headers.AcceptEncoding = "gzip");

        Assert.Equal(3, new[] { plain["ETag"], brotli["ETag"], gzip["ETag"] }.Distinct().Count());
        Assert.Matches("^\"[0-9a-f]+-br\"$", brotli["ETag"]!);

        var notModified = await SiteAnswer.GetAsync(app, "/app.js", configure: r => (r.Headers.AcceptEncoding, r.Headers.IfNoneMatch) = ("br", brotli["ETag"]));
        Assert.Equal((304, brotli["ETag"], "Accept-Encoding", null), (notModified.Status, notModified["ETag"], notModified["Vary"], notModified["Content-Encoding"]));
        Assert.Equal(200, (await SiteAnswer.GetAsync(app, "/app.js", configure: r => (r.Headers.AcceptEncoding, r.Headers.IfNoneMatch) = ("br", gzip["ETag"]))).Status);
        Assert.Equal(412, (await SiteAnswer.GetAsync(app, "/app.js", configure: r => (r.Headers.AcceptEncoding, r.Headers.IfMatch) = ("br", gzip["ETag"]))).Status);
    }

    [Fact]
    public async Task A_range_is_a_part_of_what_was_chosen()
    {
        using var folder = WithSiblings();
        await using var app = await folder.StartAsync();

        var part = await SiteAnswer.GetAsync(app, "/app.js", configure: r => (r.Headers.AcceptEncoding, r.Headers.Range) = ("gzip", "bytes=3-4"));
        var beyond = await SiteAnswer.GetAsync(app, "/app.js", configure: r => (r.Headers.AcceptEncoding, r.Headers.Range) = ("gzip", "bytes=7-"));
        var changed = await SiteAnswer.GetAsync(app, "/app.js", configure: r => (r.Headers.AcceptEncoding, r.Headers.Range, r.Headers.IfRange) = ("br", "bytes=3-4", part["ETag"]));

        Assert.Equal((206, "gz", "bytes 3-4/7", "gzip"), (part.Status, part.Body, part["Content-Range"], part["Content-Encoding"]));
        Assert.Equal((416, "bytes */7", null), (beyond.Status, beyond["Content-Range"], beyond["Content-Encoding"]));
        Assert.Equal((200, "as br", "br"), (changed.Status, changed.Body, changed["Content-Encoding"])); // the client's part is of another encoding
    }

    [Fact]
    public async Task HEAD_says_what_GET_would()
    {
        using var folder = WithSiblings();
        await using var app = await folder.StartAsync();

        var head = await SiteAnswer.GetAsync(app, "/app.js", "HEAD", r => r.Headers.AcceptEncoding = "br");

        Assert.Equal((200, "", "5", "br", "text/javascript"), (head.Status, head.Body, head["Content-Length"], head["Content-Encoding"], head["Content-Type"]));
    }

    [Fact]
    public async Task A_sibling_that_is_older_than_its_file_is_not_sent()
    {
        var modified = new DateTime(2026, 1, 2, 3, 4, 5, 678, DateTimeKind.Utc);
        using var folder = new StaticFolder().Add("app.js", "new", modified)
            .Add("app.js.br", "old", modified.AddMilliseconds(-1)).Add("app.js.zst", "old", modified.AddDays(-1)).Add("app.js.gz", "same second", modified.AddMilliseconds(-678))
            .Add("b.js", "new", modified).Add("b.js.br", "same", modified).Add("c.js", "new", modified).Add("c.js.br", "old", modified.AddDays(-1));
        await using var app = await folder.StartAsync();

        Assert.Equal("same second", (await SiteAnswer.GetAsync(app, "/app.js", configure: r => r.Headers.AcceptEncoding = "br, zstd, gzip")).Body);
        Assert.Equal("same", (await SiteAnswer.GetAsync(app, "/b.js", configure: r => r.Headers.AcceptEncoding = "br")).Body);
        var without = await SiteAnswer.GetAsync(app, "/c.js", configure: r => r.Headers.AcceptEncoding = "br");
        Assert.Equal(("new", null), (without.Body, without["Vary"]));
    }

    [Fact]
    public async Task A_sibling_is_a_file_of_its_own_as_well()
    {
        using var folder = WithSiblings();
        await using var app = await folder.StartAsync();

        foreach (var (name, body, type) in new[] { ("app.js.gz", "as gzip", "application/x-gzip"), ("app.js.br", "as br", "application/octet-stream"), ("app.js.zst", "as zstd", "application/zstd") })
        {
            var answer = await SiteAnswer.GetAsync(app, "/" + name, configure: r => r.Headers.AcceptEncoding = "gzip, br, zstd");
            Assert.Equal((200, body, type, null), (answer.Status, answer.Body, answer["Content-Type"], answer["Content-Encoding"]));
        }
    }

    [Fact]
    public async Task A_file_without_siblings_says_nothing_about_encodings()
    {
        using var folder = new StaticFolder().Add("app.js").Add("photo.jpg").Add("photo.jpg.br", "odd", s_later);
        await using var app = await folder.StartAsync();

        foreach (var target in (string[])["/app.js", "/photo.jpg"])
        {
            var answer = await SiteAnswer.GetAsync(app, target, configure: r => r.Headers.AcceptEncoding = "br");
            Assert.Equal((null, null), (answer["Vary"], answer["Content-Encoding"]));
        }
    }

    [Fact]
    public async Task The_order_can_be_another_and_it_can_be_switched_off()
    {
        using var folder = WithSiblings();
        await using (var app = await folder.StartAsync(o => { o.Precompressed.Clear(); o.Precompressed.Add("gzip"); o.Precompressed.Add("br"); }))
        {
            Assert.Equal("as gzip", (await SiteAnswer.GetAsync(app, "/app.js", configure: r => r.Headers.AcceptEncoding = "br, zstd, gzip")).Body);
            Assert.Equal("the script itself", (await SiteAnswer.GetAsync(app, "/app.js", configure: r => r.Headers.AcceptEncoding = "zstd")).Body);
        }
        await using (var app = await folder.StartAsync(o => o.Precompressed.Clear()))
        {
            var answer = await SiteAnswer.GetAsync(app, "/app.js", configure: r => r.Headers.AcceptEncoding = "br");
            Assert.Equal(("the script itself", null), (answer.Body, answer["Vary"]));
        }
    }

    [Theory]
    [InlineData("text/html", "text/html", 1000)]
    [InlineData("application/xhtml+xml, text/html;level=1;q=0.25, */*;q=0.8", "text/html", 250)]
    [InlineData("*/*", "text/html", -1)]
    [InlineData("text/htmlx", "text/html", -1)]
    [InlineData("a;q=0.1, a;q=0.7, a;q=0.3", "a", 700)]
    [InlineData("a;q=", "a", -1)]
    [InlineData("a;q=1e0", "a", -1)]
    [InlineData("a;q=-0.5, a;q=0.4", "a", 400)]
    [InlineData("a;Q=0.001", "a", 1)]
    public void Weights_are_read(string field, string name, int expected) => Assert.Equal(expected, AcceptedQuality.Of(field, name));

    private static StaticFolder WithSiblings() => new StaticFolder().Add("app.js", "the script itself")
        .Add("app.js.br", "as br", s_later).Add("app.js.gz", "as gzip", s_later).Add("app.js.zst", "as zstd", s_later);
}
