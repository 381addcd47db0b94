using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.Caching;

/// <summary>The cache where the route compresses.</summary>
public class CompressedCacheTests
{
    private static readonly string s_text = string.Concat(Enumerable.Repeat("hello ", 1000));

    private readonly Recorder _upstream = new();

    [Fact]
    public async Task The_upstream_is_asked_once_for_all_codings_and_each_is_compressed_once()
    {
        Answer(s_text, "text/plain");
        await using var app = await StartAsync();

        foreach (var coding in new[] { "br", "gzip", "br", "identity", "gzip", "br" })
        {
            using var response = await GetAsync(app, coding);
            Assert.Equal(s_text, await DecodeAsync(response, coding));
            Assert.Equal(coding == "identity" ? "\"1\"" : $"\"1-{coding}\"", response.Headers.ETag!.ToString());
        }

        Assert.Single(_upstream.Requests);
        Assert.Equal("identity", _upstream.Last["Accept-Encoding"]);
        using var last = await GetAsync(app, "br");
        Assert.Equal("ProxyKit; hit; ttl=60", last.Headers.GetValues("Cache-Status").Single());
        Assert.True(last.Content.Headers.ContentLength < 1000); // stored with its length
    }

    [Fact]
    public async Task What_is_compressed_is_fresh_as_long_as_what_it_was_made_of_and_goes_on_with_it()
    {
        Answer(s_text, "text/plain");
        await using var app = await StartAsync();
        using var first = await GetAsync(app, "br");
        app.Time.Advance(TimeSpan.FromSeconds(50));
        using var other = await GetAsync(app, "gzip"); // made of what is 50 seconds old
        Assert.Equal(TimeSpan.FromSeconds(50), other.Headers.Age);
        app.Time.Advance(TimeSpan.FromSeconds(11));
        _upstream.Answer = request => request.Headers.IfNoneMatch.ToString() == "\"1\"" ? new(HttpStatusCode.NotModified) { Headers = { ETag = new("\"1\""), CacheControl = new() { MaxAge = TimeSpan.FromSeconds(60) } } } : new(HttpStatusCode.InternalServerError);

        foreach (var coding in new[] { "gzip", "br", "identity" })
        {
            using var validated = await GetAsync(app, coding);
            Assert.Equal(s_text, await DecodeAsync(validated, coding));
        }

        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Fact]
    public async Task A_new_response_takes_the_place_of_all_that_was_made_of_the_old_one()
    {
        Answer("old " + s_text, "text/plain");
        await using var app = await StartAsync();
        foreach (var coding in new[] { "br", "gzip", "identity" })
            (await GetAsync(app, coding)).Dispose();
        app.Time.Advance(TimeSpan.FromSeconds(61));
        Answer("new " + s_text, "text/plain", "\"2\"");

        foreach (var coding in new[] { "gzip", "br", "identity" })
        {
            using var response = await GetAsync(app, coding);
            Assert.StartsWith("new ", await DecodeAsync(response, coding), StringComparison.Ordinal);
        }

        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Fact]
    public async Task What_is_not_compressed_is_stored_once()
    {
        Answer(s_text, "image/png");
        await using var app = await StartAsync();

        foreach (var coding in new[] { "br", "gzip", "identity", "br" })
        {
            using var response = await GetAsync(app, coding);
            Assert.Equal(s_text, await response.Content.ReadAsStringAsync());
        }

        Assert.Single(_upstream.Requests);
        Assert.Equal(1, await app.Services.GetRequiredService<IProxyCache>().PurgeAllAsync(CachePurgeMode.Remove));
    }

    [Fact]
    public async Task A_purge_and_an_unsafe_request_are_about_all_codings()
    {
        Answer(s_text, "text/plain");
        await using var app = await StartAsync();
        var cache = app.Services.GetRequiredService<IProxyCache>();
        foreach (var coding in new[] { "br", "gzip", "identity" })
            (await GetAsync(app, coding)).Dispose();

        Assert.Equal(3, await cache.PurgeAsync(new("http://localhost/"), CachePurgeMode.Remove));

        app.Time.Advance(TimeSpan.FromSeconds(1)); // what is asked for at the moment of a purge is not stored
        foreach (var coding in new[] { "br", "identity" })
            (await GetAsync(app, coding)).Dispose();
        (await app.Client.PostAsync("/", null)).Dispose();
        Assert.Equal(0, await cache.PurgeAsync(new("http://localhost/"), CachePurgeMode.Remove));
    }

    [Fact]
    public async Task What_is_the_first_clients_alone_is_in_no_compressed_response_either()
    {
        _upstream.Answer = _ =>
        {
            var response = new HttpResponseMessage { Content = new StringContent(s_text) };
            response.Headers.TryAddWithoutValidation("Cache-Control", "max-age=60, no-cache=\"Set-Cookie\", private=\"X-User\"");
            response.Headers.TryAddWithoutValidation("Set-Cookie", "sid=1");
            response.Headers.TryAddWithoutValidation("X-User", "a");
            return response;
        };
        await using var app = await StartAsync();

        using var first = await GetAsync(app, "br");
        using var hit = await GetAsync(app, "br");

        Assert.Equal("sid=1", first.Headers.GetValues("Set-Cookie").Single());
        Assert.False(hit.Headers.Contains("Set-Cookie"));
        Assert.False(hit.Headers.Contains("X-User"));
        Assert.Equal(s_text, await DecodeAsync(hit, "br"));
        Assert.Single(_upstream.Requests);
    }

    [Fact]
    public async Task Ranges_conditions_and_HEAD_are_answered_without_the_upstream()
    {
        Answer(s_text, "text/plain");
        await using var app = await StartAsync();
        (await GetAsync(app, "br")).Dispose();

        using var range = await GetAsync(app, "br", r => r.Headers.Range = new RangeHeaderValue(0, 4));
        using var notModified = await GetAsync(app, "br", r => r.Headers.IfNoneMatch.Add(new("\"1-br\"")));
        using var head = await GetAsync(app, "br", r => r.Method = HttpMethod.Head);

        Assert.Equal("hello", await range.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.NotModified, notModified.StatusCode);
        Assert.Equal("\"1-br\"", head.Headers.ETag!.ToString());
        Assert.Single(_upstream.Requests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_what_its_first_client_has_left_nothing_is_stored_without_its_end(bool finishes)
    {
        var body = new Pipe();
        _upstream.Answer = _ => new(HttpStatusCode.OK) { Content = new StreamContent(body.Reader.AsStream()) { Headers = { ContentType = new("text/plain") } }, Headers = { CacheControl = new() { MaxAge = TimeSpan.FromSeconds(60) } } };
        ProxyContext? first = null;
        await using var app = await ProxyApp.StartAsync(_upstream, r => r.WithCache(c =>
        {
            c.FinishWithoutClient = finishes;
            c.Bypass.When = context =>
            {
                first ??= context.GetProxyContext();
                return false;
            };
        }).WithCompression());
        await body.Writer.WriteAsync(Encoding.ASCII.GetBytes(s_text));

        using (var leaving = new HttpRequestMessage(HttpMethod.Get, "/"))
        {
            leaving.Headers.TryAddWithoutValidation("Accept-Encoding", "gzip");
            using var response = await app.Client.SendAsync(leaving, HttpCompletionOption.ResponseHeadersRead);
            await (await response.Content.ReadAsStreamAsync()).ReadExactlyAsync(new byte[1]);
        }
        while (first!.FailureClass == FailureClass.None)
            await Task.Yield(); // until the proxy has seen it go
        var second = GetAsync(app, "gzip");
        await body.Writer.WriteAsync(Encoding.ASCII.GetBytes("the end"));
        _upstream.Answer = _ => new(HttpStatusCode.OK) { Content = new StringContent(s_text + "the end"), Headers = { CacheControl = new() { MaxAge = TimeSpan.FromSeconds(60) } } };
        await body.Writer.CompleteAsync();

        using var third = await GetAsync(app, "gzip");
        foreach (var whole in new[] { await second, third })
        {
            var bytes = await whole.Content.ReadAsByteArrayAsync();
            Assert.Equal(s_text + "the end", await DecodeAsync(whole, "gzip"));
            Assert.Equal(s_text.Length + 7, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(^4..))); // RFC 1952 §2.3.1: a decoder may not miss it
            whole.Dispose();
        }
    }

    [Theory]
    [InlineData("identity")]
    [InlineData("")]
    [InlineData("gzip;q=0")]
    public async Task A_client_that_accepts_no_coding_is_told_that_others_get_one(string accepted)
    {
        Answer(s_text, "text/html");
        await using var app = await StartAsync();

        foreach (var range in (bool[])[false, false, true])
        {
            using var response = await GetAsync(app, accepted, r => r.Headers.Range = range ? new(0, 9) : null);
            Assert.Equal(range ? HttpStatusCode.PartialContent : HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(["Accept-Encoding"], response.Headers.Vary);
        }
        using var unchanged = await GetAsync(app, accepted, r => r.Headers.IfNoneMatch.Add(new("\"1\"")));
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);
        Assert.Equal(["Accept-Encoding"], unchanged.Headers.Vary);
        using var head = await GetAsync(app, accepted, r => r.Method = HttpMethod.Head);
        Assert.Equal(["Accept-Encoding"], head.Headers.Vary);
        Assert.Single(_upstream.Requests);
    }

    [Fact]
    public async Task A_response_that_is_never_compressed_has_no_vary()
    {
        Answer(s_text, "image/png");
        await using var app = await StartAsync();

        foreach (var accepted in (string[])["identity", "gzip", "identity"])
        {
            using var response = await GetAsync(app, accepted);
            Assert.Empty(response.Headers.Vary);
        }
    }

    [Fact]
    public async Task What_cannot_be_stored_has_the_vary_of_what_can()
    {
        Answer(s_text, "text/html");
        var answer = _upstream.Answer;
        _upstream.Answer = request =>
        {
            var response = answer(request);
            response.Headers.CacheControl = new() { NoStore = true };
            return response;
        };
        await using var app = await StartAsync();

        for (var i = 0; i < 2; i++)
        {
            using var response = await GetAsync(app, "identity");
            Assert.Equal(["Accept-Encoding"], response.Headers.Vary);
        }
    }

    private Task<ProxyApp> StartAsync() => ProxyApp.StartAsync(_upstream, r => r.WithCache().WithCompression());

    private void Answer(string body, string type, string tag = "\"1\"") => _upstream.Answer = _ =>
    {
        var response = new HttpResponseMessage { Content = new StringContent(body), Headers = { ETag = new(tag), CacheControl = new() { MaxAge = TimeSpan.FromSeconds(60) } } };
        response.Content.Headers.ContentType = new(type);
        return response;
    };

    private static async Task<HttpResponseMessage> GetAsync(ProxyApp app, string coding, Action<HttpRequestMessage>? configure = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.TryAddWithoutValidation("Accept-Encoding", coding);
        configure?.Invoke(request);
        return await app.Client.SendAsync(request);
    }

    private static async Task<string> DecodeAsync(HttpResponseMessage response, string coding)
    {
        Assert.Equal(coding == "identity" ? [] : [coding], response.Content.Headers.ContentEncoding);
        var body = await response.Content.ReadAsStreamAsync();
        await using Stream decoded = coding switch
        {
            "br" => new BrotliStream(body, CompressionMode.Decompress),
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            _ => body,
        };
        return await new StreamReader(decoded).ReadToEndAsync();
    }
}
