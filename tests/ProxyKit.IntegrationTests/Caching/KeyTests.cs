using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Caching;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Caching;

/// <summary>What is one thing to the cache, and what is not; what strangers can do about it.</summary>
public class KeyTests
{
    [Theory]
    [InlineData("/?a=1&b=2", "/?b=2&a=1")]
    [InlineData("/?a=1", "/?a=2")]
    [InlineData("/?a", "/?a=")]
    [InlineData("/", "/?")]
    [InlineData("/CaSe/A", "/case/a")]
    [InlineData("/a", "/a/")]
    [InlineData("/a%2Fb", "/a/b")]
    [InlineData("/x?a=1&a=2", "/x?a=2&a=1")]
    public async Task Different_targets_are_different_resources(string one, string other)
    {
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync(context.Features.Get<IHttpRequestFeature>()!.RawTarget));

        foreach (var target in (string[])[one, other, one, other])
            Assert.Equal(target, await SendAsync(origin, target));

        Assert.Equal([$"GET {one}", $"GET {other}"], origin.Targets);
    }

    [Fact]
    public async Task Different_hosts_are_different_resources()
    {
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync("an answer"));

        await origin.TextAsync("/", ("Host", "one.example"));
        await origin.TextAsync("/", ("Host", "two.example"));
        await origin.TextAsync("/", ("Host", "ONE.example"));

        Assert.Equal(2, origin.Requests);
    }

    [Theory]
    [InlineData("key-order", "/?a=1&b=2", "/?b=2&a=1", true)]
    [InlineData("key-order", "/?a=1&b=2", "/?b=1&a=2", false)]
    [InlineData("params=(\"utm\")", "/?a=1&utm=x", "/?utm=y&a=1", true)]
    [InlineData("params=(\"utm\")", "/?a=1&utm=x", "/?a=1", true)]
    [InlineData("params=(\"utm\")", "/?a=1&utm=x", "/?a=2&utm=x", false)]
    [InlineData("params", "/?a=1", "/?b=2", true)]
    [InlineData("params, except=(\"id\")", "/?id=1&a=1", "/?id=1&a=2", true)]
    [InlineData("params, except=(\"id\")", "/?id=1", "/?id=2", false)]
    [InlineData("params=utm", "/?utm=1", "/?utm=2", false)] // not well-formed: not there
    public async Task No_Vary_Search_tells_which_parameters_do_not_matter(string field, string one, string other, bool isSame)
    {
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.Headers["No-Vary-Search"] = field;
            return context.AnswerAsync(context.Request.QueryString.Value!);
        });

        await origin.TextAsync(one);
        await origin.StoredAsync();
        var answer = await origin.TextAsync(other);

        Assert.Equal(isSame ? one[1..] : other[1..], answer);
        Assert.Equal(isSame ? 1 : 2, origin.Requests);
    }

    [Theory]
    [InlineData("X-Forwarded-Host", "evil.example")]
    [InlineData("X-Forwarded-Proto", "evil")]
    [InlineData("X-Forwarded-Port", "evil")]
    [InlineData("X-Forwarded-Prefix", "/evil")]
    [InlineData("X-Forwarded-For", "evil")]
    [InlineData("Forwarded", "host=evil.example;proto=evil")]
    public async Task Whoever_asks_first_cannot_put_words_into_what_others_get(string field, string value)
    {
        // An app that believes what proxies say of the client, as many do, and writes it into its pages.
        await using var origin = await CachedOrigin.StartAsync(context =>
            context.AnswerAsync(string.Join('\n', context.Request.Headers.Where(h => h.Key.Contains("forwarded", StringComparison.OrdinalIgnoreCase)).Select(h => $"{h.Key}: {h.Value}"))));

        await origin.TextAsync("/", (field, value));

        Assert.DoesNotContain("evil", await origin.TextAsync("/"));
    }

    [Fact]
    public async Task A_GET_with_a_body_is_neither_stored_nor_answered_from_the_store()
    {
        await using var origin = await CachedOrigin.StartAsync(async context => await context.AnswerAsync($"[{await new StreamReader(context.Request.Body).ReadToEndAsync()}]"));

        Assert.Equal("[evil]", await FatGetAsync(origin));
        Assert.Equal("[]", await origin.TextAsync("/"));
        Assert.Equal("[evil]", await FatGetAsync(origin));
        Assert.Equal("[]", await origin.TextAsync("/"));
        Assert.Equal(3, origin.Requests);
    }

    [Theory]
    [InlineData("/account/x.css")]
    [InlineData("/account.php/x.css")]
    [InlineData("/account;x.css")]
    [InlineData("/account%2fx.css")]
    [InlineData("/account%2Fx.js")]
    [InlineData("/account%0ax.css")]
    [InlineData("/account%3bx.jpg")]
    [InlineData("/account%3fx.png")]
    [InlineData("/account%23x.ico")]
    public async Task What_looks_like_a_file_and_is_somebodys_page_is_for_nobody_else(string path)
    {
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.ContentType = "text/html; charset=utf-8";
            return context.AnswerAsync($"The account of {context.Request.Headers.Cookie}");
        });

        foreach (var user in (string[])["user=alice", "user=mallory"])
        {
            var answer = await RawClient.SendAsync(origin.Proxy.Port, $"GET {path} HTTP/1.1\r\nHost: a\r\nCookie: {user}\r\nConnection: close\r\n\r\n");
            Assert.True(answer.EndsWith($"The account of {user}", StringComparison.Ordinal) || answer.StartsWith("HTTP/1.1 400 ", StringComparison.Ordinal), answer);
        }
    }

    [Fact]
    public async Task A_file_that_is_one_is_stored()
    {
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.ContentType = "text/css";
            return context.AnswerAsync("body {}");
        });

        await origin.TextAsync("/x.css");
        await origin.TextAsync("/x.css");

        Assert.Equal(1, origin.Requests);
    }

    [Fact]
    public async Task Accept_Encoding_has_one_spelling()
    {
        await using var origin = await CachedOrigin.StartAsync(context =>
        {
            context.Response.Headers.Vary = "Accept-Encoding";
            return context.AnswerAsync("an answer");
        });

        foreach (var spelling in (string[])["gzip, br", "br, gzip", "gzip,br", "GZIP, br"])
            await origin.TextAsync("/", ("Accept-Encoding", spelling));

        Assert.Equal(1, origin.Requests);
    }

    [Fact]
    public async Task Variants_stand_side_by_side()
    {
        await using var origin = await CachedOrigin.StartAsync(AnswerColorAsync);

        foreach (var color in (string[])["red", "blue", "red", "blue"])
            Assert.Equal(color, await origin.TextAsync("/", ("Color", color)));

        Assert.Equal(2, origin.Requests);
    }

    [Fact]
    public async Task A_flood_of_variants_is_capped_and_leaves_other_resources_alone()
    {
        await using var origin = await CachedOrigin.StartAsync(AnswerColorAsync, c => c.MaxVariants = 4);
        await origin.TextAsync("/other");

        for (var i = 0; i < 50; i++)
            await origin.TextAsync("/", ("Color", $"{i}"));
        Assert.Equal(51, origin.Requests);

        for (var i = 46; i < 50; i++)
            Assert.Equal($"{i}", await origin.TextAsync("/", ("Color", $"{i}")));
        await origin.TextAsync("/other");
        Assert.Equal(51, origin.Requests);
        await origin.TextAsync("/", ("Color", "45"));
        Assert.Equal(52, origin.Requests);
    }

    [Fact]
    public async Task A_flood_of_keys_stays_within_the_limit()
    {
        const int limit = 1024 * 1024;
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync(new('x', 10_000)), options: o => o.Cache.MaxMemory = limit);
        var store = origin.Proxy.Services.GetServices<IProxyCacheStore>().OfType<MemoryCacheStore>().Single();

        for (var i = 0; i < 500; i++)
        {
            await origin.TextAsync($"/?{i}");
            Assert.InRange(store.Size, 0, limit);
        }

        await Peers.EventuallyAsync(() => store.Size > 0);
        Assert.InRange(store.Count, 1, limit / 10_000);
    }

    [Fact]
    public async Task A_key_without_end_is_answered_and_not_stored()
    {
        await using var origin = await CachedOrigin.StartAsync(context => context.AnswerAsync("an answer"), c => c.Key.Headers.Add("Color"));
        var (path, color) = ($"/?{new string('x', 6000)}", ("Color", new string('x', 6000)));

        Assert.Equal("an answer", await origin.TextAsync(path, color));
        using var second = await origin.GetAsync(path, color);

        Assert.Equal(HttpStatusCode.OK, second.StatusCode);
        Assert.Equal(2, origin.Requests);
    }

    private static Task AnswerColorAsync(HttpContext context)
    {
        context.Response.Headers.Vary = "Color";
        return context.AnswerAsync(context.Request.Headers["Color"].ToString());
    }

    private static async Task<string> FatGetAsync(CachedOrigin origin)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Content = new StringContent("evil") };
        using var response = await origin.Http.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    // HttpClient would tidy the target up.
    private static async Task<string> SendAsync(CachedOrigin origin, string target)
    {
        var answer = await RawClient.SendAsync(origin.Proxy.Port, $"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", answer);
        return answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
    }
}
