using System.Net;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.IntegrationTests.Caching;

/// <summary>What requests do to what is stored (RFC 9111 §4.3.5, §4.4, RFC 9875).</summary>
public class InvalidationTests
{
    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("M-SEARCH")]
    public async Task An_unsafe_method_that_succeeds_invalidates_what_is_stored(string method)
    {
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync("an answer"));
        await origin.TextAsync("/");

        using var change = await origin.SendAsync(new(method), "/");
        await origin.TextAsync("/");

        Assert.Equal(["GET /", $"{method} /", "GET /"], origin.Targets);
    }

    [Fact]
    public async Task An_unsafe_method_that_fails_invalidates_nothing()
    {
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.StatusCode = HttpMethods.IsGet(context.Request.Method) ? 200 : 403;
            return context.AnswerAsync("an answer");
        });
        await origin.TextAsync("/");

        using var change = await origin.SendAsync(HttpMethod.Post, "/");
        await origin.TextAsync("/");

        Assert.Equal(2, origin.Requests);
    }

    // cache-tests #178
    [Theory]
    [InlineData("HEAD")]
    [InlineData("OPTIONS")]
    [InlineData("QUERY")]
    public async Task A_safe_method_invalidates_nothing(string method)
    {
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync("an answer"));
        await origin.TextAsync("/");

        using var question = await origin.SendAsync(new(method), "/");
        await origin.TextAsync("/");

        Assert.Single(origin.Targets, "GET /");
    }

    [Fact]
    public async Task A_group_is_invalidated_by_an_unsafe_request_that_says_so()
    {
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.Headers[HttpMethods.IsPost(context.Request.Method) ? "Cache-Group-Invalidation" : "Cache-Groups"] = context.Request.Path == "/alone" ? "\"another\"" : "\"articles\"";
            return context.AnswerAsync("an answer");
        });
        foreach (var path in (string[])["/one", "/two", "/alone"])
            await origin.TextAsync(path);

        using var change = await origin.SendAsync(HttpMethod.Post, "/edit");
        foreach (var path in (string[])["/one", "/two", "/alone"])
            await origin.TextAsync(path);

        Assert.Equal(["GET /one", "GET /two", "GET /alone", "POST /edit", "GET /one", "GET /two"], origin.Targets);
    }

    [Fact]
    public async Task A_group_of_another_origin_or_a_safe_request_invalidates_nothing()
    {
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.Headers["Cache-Groups"] = "\"articles\"";
            if (context.Request.Path == "/edit")
                context.Response.Headers["Cache-Group-Invalidation"] = "\"articles\"";
            return context.AnswerAsync("an answer");
        });
        await origin.TextAsync("/one");

        using var elsewhere = await origin.SendAsync(HttpMethod.Post, "/edit", ("Host", "another.example"));
        using var safe = await origin.GetAsync("/edit");
        await origin.TextAsync("/one");

        Assert.Single(origin.Targets, "GET /one");
    }

    [Fact]
    public async Task A_HEAD_is_answered_by_a_stored_GET()
    {
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync("an answer"));
        await origin.TextAsync("/");
        await origin.StoredAsync();

        using var head = await origin.SendAsync(HttpMethod.Head, "/");

        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal(9, head.Content.Headers.ContentLength);
        Assert.Equal(1, origin.Requests);
    }

    [Fact]
    public async Task A_GET_is_not_answered_by_a_HEAD()
    {
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync("an answer"));
        using var head = await origin.SendAsync(HttpMethod.Head, "/");

        Assert.Equal("an answer", await origin.TextAsync("/"));
    }
}
