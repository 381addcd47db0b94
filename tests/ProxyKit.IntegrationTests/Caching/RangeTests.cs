using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace ProxyKit.IntegrationTests.Caching;

/// <summary>Ranges of what is stored, and what comes of ranges that are not (RFC 9110 §14, RFC 9111 §3.3, §3.4).</summary>
public class RangeTests
{
    private static readonly string s_text = string.Concat(Enumerable.Range(0, 10).Select(i => $"{i}bcdefghij"));

    private readonly DateTimeOffset _modified = DateTimeOffset.UtcNow.AddDays(-1);
    private string _etag = "\"v1\"";

    [Theory]
    [InlineData("bytes=10-19", 10, 19)]
    [InlineData("bytes=95-", 95, 99)]
    [InlineData("bytes=90-1000", 90, 99)]
    [InlineData("bytes=-5", 95, 99)]
    [InlineData("bytes=0-0", 0, 0)]
    public async Task A_range_is_cut_from_what_is_stored(string range, int from, int to)
    {
        await using var origin = await StoredAsync();

        using var response = await origin.GetAsync("/", ("Range", range));

        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Equal($"bytes {from}-{to}/100", response.Content.Headers.ContentRange!.ToString());
        Assert.Equal(to - from + 1, response.Content.Headers.ContentLength);
        Assert.Equal(s_text[from..(to + 1)], await response.Content.ReadAsStringAsync());
        Assert.Equal(1, origin.Requests);
    }

    [Fact]
    public async Task Several_ranges_are_parts_of_one_response()
    {
        await using var origin = await StoredAsync();

        using var response = await origin.GetAsync("/", ("Range", "bytes=0-4, 20-24, -3"));

        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Null(response.Content.Headers.ContentRange);
        var type = MediaTypeHeaderValue.Parse(response.Content.Headers.ContentType!.ToString());
        Assert.Equal("multipart/byteranges", type.MediaType.ToString());
        var body = await response.Content.ReadAsByteArrayAsync();
        Assert.Equal(response.Content.Headers.ContentLength, body.Length);
        var reader = new MultipartReader(HeaderUtilities.RemoveQuotes(type.Boundary).ToString(), new MemoryStream(body));
        foreach (var (from, to) in ((int, int)[])[(0, 4), (20, 24), (97, 99)])
        {
            var part = await reader.ReadNextSectionAsync();
            Assert.Equal($"bytes {from}-{to}/100", part!.Headers!["Content-Range"]);
            Assert.Equal("text/plain", part.ContentType);
            Assert.Equal(s_text[from..(to + 1)], await part.ReadAsStringAsync());
        }
        Assert.Null(await reader.ReadNextSectionAsync());
        Assert.Equal(1, origin.Requests);
    }

    [Theory]
    [InlineData("bytes=100-")]
    [InlineData("bytes=-0")]
    [InlineData("bytes=200-300, 400-500")]
    public async Task What_is_not_in_the_stored_body_is_not_satisfiable(string range)
    {
        await using var origin = await StoredAsync();

        using var response = await origin.GetAsync("/", ("Range", range));

        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, response.StatusCode);
        Assert.Equal("bytes */100", response.Content.Headers.ContentRange!.ToString());
        Assert.Equal(s_text, await origin.TextAsync("/"));
        Assert.Equal(1, origin.Requests);
    }

    [Theory]
    [InlineData("bytes=a-b")]
    [InlineData("bytes=5-1")]
    [InlineData("bytes")]
    [InlineData("lines=1-2")]
    public async Task What_is_no_range_is_answered_with_the_whole(string range)
    {
        await using var origin = await StoredAsync();

        using var response = await origin.GetAsync("/", ("Range", range));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(s_text, await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("\"v1\"", true)]
    [InlineData("\"v2\"", false)]
    [InlineData("W/\"v1\"", false)]
    [InlineData("the date", true)]
    [InlineData("another date", false)]
    [InlineData("nonsense", false)]
    public async Task If_Range_that_does_not_match_what_is_stored_makes_the_answer_whole(string condition, bool isPart)
    {
        await using var origin = await StoredAsync();
        if (condition.EndsWith(" date", StringComparison.Ordinal))
            condition = Date(_modified.AddHours(condition == "the date" ? 0 : -1));

        using var response = await origin.GetAsync("/", ("Range", "bytes=0-9"), ("If-Range", condition));

        Assert.Equal(isPart ? HttpStatusCode.PartialContent : HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(isPart ? s_text[..10] : s_text, await response.Content.ReadAsStringAsync());
        Assert.Equal(1, origin.Requests);
    }

    [Fact]
    public async Task A_thousand_ranges_are_not_a_thousand_bodies()
    {
        const int length = 1024 * 1024;
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync(new('x', length)));
        await origin.TextAsync("/");
        await origin.StoredAsync();

        foreach (var range in (string[])["0-", "0-1", "-1000000", "5-1000000"])
        {
            using var response = await origin.GetAsync("/", ("Range", $"bytes={string.Join(',', Enumerable.Repeat(range, 1000))}"));
            Assert.InRange((await response.Content.ReadAsByteArrayAsync()).Length, 0, length + 1000);
        }
        Assert.Equal(1, origin.Requests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_a_range_of_what_is_not_stored_the_whole_is_still_whole(bool hasRanges)
    {
        await using var origin = await CachedOrigin.StartAsync(hasRanges ? AnswerRangeAsync : AnswerWholeAsync);

        using var part = await origin.GetAsync("/", ("Range", "bytes=0-3"));
        Assert.Equal(s_text[..4], (await part.Content.ReadAsStringAsync())[..4]);

        using var whole = await origin.GetAsync("/");
        Assert.Equal(HttpStatusCode.OK, whole.StatusCode);
        Assert.Equal(s_text, await whole.Content.ReadAsStringAsync());
        Assert.InRange(origin.Requests, 1, 2);
    }

    [Fact]
    public async Task A_stored_part_answers_for_what_it_has()
    {
        await using var origin = await CachedOrigin.StartAsync(AnswerRangeAsync);
        await origin.TextAsync("/", ("Range", "bytes=10-49"));
        await origin.StoredAsync();

        using var response = await origin.GetAsync("/", ("Range", "bytes=20-29"));

        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Equal("bytes 20-29/100", response.Content.Headers.ContentRange!.ToString());
        Assert.Equal(s_text[20..30], await response.Content.ReadAsStringAsync());
        Assert.Equal(1, origin.Requests);
    }

    // cache-tests #189
    [Fact]
    public async Task Stored_parts_of_the_same_representation_make_the_whole()
    {
        await using var origin = await CachedOrigin.StartAsync(AnswerRangeAsync);
        await origin.TextAsync("/", ("Range", "bytes=0-49"));
        await origin.StoredAsync();
        await origin.TextAsync("/", ("Range", "bytes=50-99"));
        await PutTogetherAsync(origin);

        using var whole = await origin.GetAsync("/");

        Assert.Equal(HttpStatusCode.OK, whole.StatusCode);
        Assert.Equal(s_text, await whole.Content.ReadAsStringAsync());
        Assert.InRange(origin.Requests, 1, 2);
    }

    [Theory]
    [InlineData("\"v2\"")]
    [InlineData("W/\"v1\"")]
    [InlineData("")]
    public async Task Parts_of_different_representations_are_not_put_together(string second)
    {
        var text = s_text;
        await using var origin = await CachedOrigin.StartAsync(context => AnswerRangeAsync(context, text));
        if (second is "" or "W/\"v1\"")
            _etag = second;
        await origin.TextAsync("/", ("Range", "bytes=0-49"));
        (_etag, text) = (second, new string('z', 100));
        await origin.TextAsync("/", ("Range", "bytes=50-99"));

        using var whole = await origin.GetAsync("/");

        Assert.Equal(HttpStatusCode.OK, whole.StatusCode);
        Assert.Equal(text, await whole.Content.ReadAsStringAsync());
    }

    // cache-tests #193
    [Fact]
    public async Task An_origins_several_parts_are_not_taken_for_the_whole()
    {
        const string parts = "--b\r\nContent-Range: bytes 0-0/100\r\n\r\n0\r\n--b--\r\n";
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.Headers.ETag = _etag;
            if (context.Request.Headers.Range.Count == 0)
                return context.AnswerAsync(s_text);
            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.ContentType = "multipart/byteranges; boundary=b";
            return context.AnswerAsync(parts);
        });

        Assert.Equal(parts, await origin.TextAsync("/", ("Range", "bytes=0-0,200-201")));

        using var whole = await origin.GetAsync("/");
        Assert.Equal(HttpStatusCode.OK, whole.StatusCode);
        Assert.Equal(s_text, await whole.Content.ReadAsStringAsync());
    }

    // cache-tests #192
    [Fact]
    public async Task An_origins_416_is_for_the_one_who_asked()
    {
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            if (context.Request.Headers.Range.Count == 0)
                return context.AnswerAsync(s_text);
            context.Response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            context.Response.Headers.ContentRange = "bytes */100";
            return context.AnswerAsync("");
        });

        using var refused = await origin.GetAsync("/", ("Range", "bytes=200-"));
        using var whole = await origin.GetAsync("/");

        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, refused.StatusCode);
        Assert.Equal(HttpStatusCode.OK, whole.StatusCode);
        Assert.Equal(s_text, await whole.Content.ReadAsStringAsync());
    }

    // cache-tests #146
    [Fact]
    public async Task A_stored_part_does_not_stand_in_for_the_whole_when_the_origin_fails()
    {
        var fails = false;
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            if (!fails)
                return AnswerRangeAsync(context);
            context.Abort();
            return Task.CompletedTask;
        });
        await origin.TextAsync("/", ("Range", "bytes=0-49"));
        fails = true;
        origin.Time.Advance(TimeSpan.FromMinutes(2));

        using var whole = await origin.GetAsync("/");

        Assert.Equal(HttpStatusCode.BadGateway, whole.StatusCode);
    }

    // That happens after the second part has gone to its client. Who asks so does not reach the origin.
    private static async Task PutTogetherAsync(CachedOrigin origin)
    {
        using var limit = new CancellationTokenSource(Protocols.Peers.Patience);
        while (true)
        {
            using var response = await origin.GetAsync("/", ("Cache-Control", "only-if-cached")).WaitAsync(limit.Token);
            if (response.StatusCode == HttpStatusCode.OK)
                return;
            await Task.Delay(5, limit.Token);
        }
    }

    private async Task<CachedOrigin> StoredAsync()
    {
        var origin = await CachedOrigin.StartAsync(AnswerWholeAsync);
        Assert.Equal(s_text, await origin.TextAsync("/"));
        await origin.StoredAsync(); // a range does not wait for others' answers
        return origin;
    }

    private Task AnswerWholeAsync(HttpContext context)
    {
        AddFields(context);
        return context.AnswerAsync(s_text);
    }

    private Task AnswerRangeAsync(HttpContext context) => AnswerRangeAsync(context, s_text);

    private Task AnswerRangeAsync(HttpContext context, string text)
    {
        AddFields(context);
        if (!RangeHeaderValue.TryParse(context.Request.Headers.Range.ToString(), out var range))
            return context.AnswerAsync(text);
        var (from, to) = ((int)range.Ranges.Single().From!, (int)range.Ranges.Single().To!);
        context.Response.StatusCode = StatusCodes.Status206PartialContent;
        context.Response.Headers.ContentRange = $"bytes {from}-{to}/{text.Length}";
        return context.AnswerAsync(text[from..(to + 1)]);
    }

    private void AddFields(HttpContext context)
    {
        context.Response.ContentType = "text/plain";
        if (_etag.Length > 0)
            context.Response.Headers.ETag = _etag;
        if (_etag.StartsWith('"'))
            context.Response.Headers.LastModified = Date(_modified); // a strong validator too
    }

    private static string Date(DateTimeOffset date) => date.ToString("R", CultureInfo.InvariantCulture);
}
