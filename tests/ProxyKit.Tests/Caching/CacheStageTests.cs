using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.Caching;

/// <summary>What clients and the upstream see of the cache.</summary>
public class CacheStageTests
{
    private readonly Recorder _upstream = new();

    [Fact]
    public async Task A_fresh_response_answers_the_next_request_with_its_age()
    {
        Answer("hello", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""), ("X-Custom", "a"));
        await using var app = await StartAsync();

        using var first = await app.Client.GetAsync("/a?x=1");
        app.Time.Advance(TimeSpan.FromSeconds(10));
        using var second = await app.Client.GetAsync("/a?x=1");

        Assert.Single(_upstream.Requests);
        Assert.Equal("hello", await first.Content.ReadAsStringAsync());
        Assert.Equal("hello", await second.Content.ReadAsStringAsync());
        Assert.Equal("a", second.Headers.GetValues("X-Custom").Single());
        Assert.Equal(TimeSpan.FromSeconds(10), second.Headers.Age);
        Assert.Equal(first.Headers.Date, second.Headers.Date);
        Assert.Equal(5, second.Content.Headers.ContentLength);
        Assert.Equal("ProxyKit; fwd=uri-miss; fwd-status=200; stored", Status(first));
        Assert.Equal("ProxyKit; hit; ttl=50", Status(second));
        Assert.Equal(CacheResult.Miss, (await app.OutcomeAsync()).CacheResult);
        Assert.Equal(CacheResult.Hit, (await app.OutcomeAsync()).CacheResult);
    }

    [Fact]
    public async Task A_stale_response_is_validated_with_both_validators_and_goes_on()
    {
        Answer("hello", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""), ("Last-Modified", "Mon, 01 Jan 2001 00:00:00 GMT"), ("X-Old", "old"));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/a");
        app.Time.Advance(TimeSpan.FromSeconds(61));
        Answer(HttpStatusCode.NotModified, null, ("Cache-Control", "max-age=100"), ("ETag", "\"1\""), ("X-Old", "new"));

        using var validated = await app.Client.GetAsync("/a");
        using var hit = await app.Client.GetAsync("/a");

        Assert.Equal(2, _upstream.Requests.Count);
        Assert.Equal("\"1\"", _upstream.Last["If-None-Match"]);
        Assert.Equal("Mon, 01 Jan 2001 00:00:00 GMT", _upstream.Last["If-Modified-Since"]);
        Assert.Equal("hello", await validated.Content.ReadAsStringAsync());
        Assert.Equal("new", validated.Headers.GetValues("X-Old").Single());
        Assert.Equal("ProxyKit; fwd=stale; fwd-status=304; ttl=100", Status(validated));
        Assert.Equal("ProxyKit; hit; ttl=100", Status(hit));
        Assert.Equal("hello", await hit.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_changed_response_takes_the_place_of_a_stale_one()
    {
        Answer("old", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/");
        app.Time.Advance(TimeSpan.FromSeconds(61));
        Answer("new", ("Cache-Control", "max-age=60"), ("ETag", "\"2\""));

        Assert.Equal("new", await app.Client.GetStringAsync("/"));
        Assert.Equal("new", await app.Client.GetStringAsync("/"));
        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Theory]
    [InlineData("no-store")]
    [InlineData("private")]
    public async Task A_304_that_forbids_to_store_answers_once_and_nothing_of_it_stays(string cacheControl)
    {
        Answer("hello", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/");
        app.Time.Advance(TimeSpan.FromSeconds(61));
        Answer(HttpStatusCode.NotModified, null, ("Cache-Control", cacheControl), ("ETag", "\"1\""), ("X-User", "a"));

        using var validated = await app.Client.GetAsync("/");
        Answer(HttpStatusCode.NotModified, null, ("Cache-Control", "max-age=60"), ("ETag", "\"1\""));
        using var next = await app.Client.GetAsync("/");

        Assert.Equal("hello", await validated.Content.ReadAsStringAsync());
        Assert.Equal("a", validated.Headers.GetValues("X-User").Single());
        Assert.Equal("hello", await next.Content.ReadAsStringAsync());
        Assert.False(next.Headers.Contains("X-User"));
        Assert.Equal(3, _upstream.Requests.Count);
    }

    [Fact]
    public async Task A_304_that_is_for_one_client_answers_no_other_that_waits_for_it()
    {
        Answer("hello", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/");
        app.Time.Advance(TimeSpan.FromSeconds(61));
        var isAsked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var mayAnswer = new SemaphoreSlim(0);
        var count = 0;
        _upstream.Answer = request =>
        {
            var user = Interlocked.Increment(ref count);
            isAsked.TrySetResult();
            mayAnswer.Wait();
            var response = Response("hello", ("Cache-Control", "private"), ("ETag", "\"1\""), ("X-User", $"{user}"));
            if (request.Headers.IfNoneMatch.Count > 0)
                (response.StatusCode, response.Content) = (HttpStatusCode.NotModified, new ByteArrayContent([]));
            return response;
        };

        var first = app.Client.GetAsync("/");
        await isAsked.Task;
        var second = app.Client.GetAsync("/");
        mayAnswer.Release(2);

        using var one = await first;
        using var two = await second;
        Assert.Equal(("1", "2"), (one.Headers.GetValues("X-User").Single(), two.Headers.GetValues("X-User").Single()));
        Assert.Equal(("hello", "hello"), (await one.Content.ReadAsStringAsync(), await two.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task An_upstream_whose_surrogate_control_is_believed_is_told_so()
    {
        Answer("hello", ("Cache-Control", "no-store"), ("Surrogate-Control", "max-age=60;proxykit"));
        await using var app = await StartAsync(c => c.SurrogateControl = true);

        using var first = await app.Client.GetAsync("/");
        await app.Client.GetStringAsync("/");

        Assert.Equal("proxykit=\"Surrogate/1.0\"", _upstream.Last["Surrogate-Capability"]);
        Assert.Single(_upstream.Requests);
        Assert.False(first.Headers.Contains("Surrogate-Control"));
    }

    [Fact]
    public async Task Variants_stand_side_by_side()
    {
        _upstream.Answer = request => Response(request.Headers.AcceptLanguage.ToString(), ("Cache-Control", "max-age=60"), ("Vary", "Accept-Language"));
        await using var app = await StartAsync();

        foreach (var language in new[] { "de", "fr", "de", "fr" })
            Assert.Equal(language, await GetAsync(app, "/", ("Accept-Language", language)));

        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Fact]
    public async Task The_spelling_of_Accept_Encoding_makes_no_variant()
    {
        _upstream.Answer = _ => Response("x", ("Cache-Control", "max-age=60"), ("Vary", "Accept-Encoding"));
        await using var app = await StartAsync();

        foreach (var spelling in new[] { "gzip, br", "br, gzip", "gzip,br", "GZIP, br" })
            await GetAsync(app, "/", ("Accept-Encoding", spelling));

        Assert.Single(_upstream.Requests);
        Assert.Equal("br,gzip", _upstream.Last["Accept-Encoding"]);
    }

    [Fact]
    public async Task A_response_that_may_not_be_stored_says_why_and_is_remembered()
    {
        Answer("x", ("Cache-Control", "no-store"));
        await using var app = await StartAsync();

        using var first = await app.Client.GetAsync("/");
        using var second = await app.Client.GetAsync("/");

        Assert.Equal(2, _upstream.Requests.Count);
        Assert.Equal("ProxyKit; fwd=uri-miss; fwd-status=200; detail=ResponseNoStore", Status(first));
        Assert.Equal("ProxyKit; fwd=bypass; detail=ResponseNoStore", Status(second));
        Assert.Equal(CacheRefusal.ResponseNoStore, (await app.OutcomeAsync()).CacheRefusal);
    }

    [Fact]
    public async Task A_cookie_is_stored_only_where_the_route_says_so()
    {
        Answer("x", ("Cache-Control", "max-age=60"), ("Set-Cookie", "a=b"));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/");
        await app.Client.GetStringAsync("/");
        Assert.Equal(2, _upstream.Requests.Count);

        await using var storing = await StartAsync(c => c.StoreSetCookie = true);
        await storing.Client.GetStringAsync("/");
        using var hit = await storing.Client.GetAsync("/");
        Assert.Equal(3, _upstream.Requests.Count);
        Assert.Equal("a=b", hit.Headers.GetValues("Set-Cookie").Single());
    }

    [Fact]
    public async Task HEAD_is_answered_from_a_GET()
    {
        Answer("hello", ("Cache-Control", "max-age=60"));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/");

        using var response = await app.Client.SendAsync(new(HttpMethod.Head, "/"));

        Assert.Single(_upstream.Requests);
        Assert.Equal(5, response.Content.Headers.ContentLength);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("If-None-Match", "\"1\"", HttpStatusCode.NotModified)]
    [InlineData("If-None-Match", "\"2\"", HttpStatusCode.OK)]
    [InlineData("If-Modified-Since", "Mon, 01 Jan 2001 00:00:00 GMT", HttpStatusCode.NotModified)]
    [InlineData("If-Match", "\"2\"", HttpStatusCode.OK)]
    [InlineData("Range", "bytes=1-2", HttpStatusCode.PartialContent)]
    [InlineData("Range", "bytes=9-", HttpStatusCode.RequestedRangeNotSatisfiable)]
    public async Task The_clients_conditions_and_ranges_are_asked_of_what_is_stored(string name, string value, HttpStatusCode status)
    {
        Answer("hello", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""), ("Last-Modified", "Mon, 01 Jan 2001 00:00:00 GMT"));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/");

        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.TryAddWithoutValidation(name, value);
        using var response = await app.Client.SendAsync(request);

        Assert.Single(_upstream.Requests);
        Assert.Equal(status, response.StatusCode);
        if (status == HttpStatusCode.PartialContent)
        {
            Assert.Equal("el", await response.Content.ReadAsStringAsync());
            Assert.Equal("bytes 1-2/5", response.Content.Headers.ContentRange!.ToString());
        }
    }

    [Fact]
    public async Task Several_ranges_are_a_multipart_response()
    {
        Answer("0123456789", ("Cache-Control", "max-age=60"), ("Content-Type", "text/plain"));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/");

        using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { Range = new() } };
        request.Headers.Range.Ranges.Add(new RangeItemHeaderValue(0, 1));
        request.Headers.Range.Ranges.Add(new RangeItemHeaderValue(8, 9));
        using var response = await app.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Equal("multipart/byteranges", response.Content.Headers.ContentType!.MediaType);
        var body = await response.Content.ReadAsStringAsync();
        Assert.Equal(response.Content.Headers.ContentLength, body.Length);
        Assert.Contains("Content-Range: bytes 8-9/10\r\n", body, StringComparison.Ordinal);
        Assert.Contains("\r\n\r\n89\r\n", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unsafe_method_makes_what_is_stored_invalid_if_it_succeeds()
    {
        Answer("x", ("Cache-Control", "max-age=60"));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/a");

        Answer(HttpStatusCode.BadRequest, "");
        await app.Client.PostAsync("/a", null);
        await app.Client.GetStringAsync("/a");
        Assert.Equal(2, _upstream.Requests.Count);

        Answer("y", ("Cache-Control", "max-age=60"), ("Location", "/b"));
        await app.Client.PostAsync("/a", null);
        Assert.Equal("y", await app.Client.GetStringAsync("/a"));
        Assert.Equal(4, _upstream.Requests.Count);
    }

    [Theory]
    [InlineData(HttpStatusCode.ServiceUnavailable)]
    [InlineData(HttpStatusCode.BadGateway)]
    public async Task A_stale_response_is_served_when_the_upstream_fails(HttpStatusCode status)
    {
        Answer("x", ("Cache-Control", "max-age=60"));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/");
        app.Time.Advance(TimeSpan.FromSeconds(61));

        Answer(status, "broken");
        Assert.Equal("x", await app.Client.GetStringAsync("/"));
        _upstream.Answer = _ => throw new HttpRequestException("refused");
        Assert.Equal("x", await app.Client.GetStringAsync("/"));
        Assert.Equal(3, _upstream.Requests.Count);
    }

    [Fact]
    public async Task A_response_that_must_be_validated_is_not_served_when_the_upstream_fails()
    {
        Answer("x", ("Cache-Control", "max-age=60, must-revalidate"));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/");
        app.Time.Advance(TimeSpan.FromSeconds(61));
        Answer(HttpStatusCode.ServiceUnavailable, "broken");

        using var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("broken", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Stale_while_revalidate_serves_at_once_and_validates_once_in_the_background()
    {
        Answer("old", ("Cache-Control", "max-age=60, stale-while-revalidate=60"));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/");
        app.Time.Advance(TimeSpan.FromSeconds(61));
        Answer("new", ("Cache-Control", "max-age=60"));

        Assert.Equal("old", await app.Client.GetStringAsync("/"));

        while (await app.Client.GetStringAsync("/") == "old")
            await Task.Yield();
        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Fact]
    public async Task Only_if_cached_is_504_where_nothing_is()
    {
        await using var app = await StartAsync();

        using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { CacheControl = new() { OnlyIfCached = true } } };
        using var response = await app.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Empty(_upstream.Requests);
    }

    [Fact]
    public async Task Clients_force_a_refresh_only_where_they_may()
    {
        Answer("x", ("Cache-Control", "max-age=60"));
        foreach (var (may, count) in new[] { (false, 1), (true, 2) })
        {
            await using var app = await StartAsync(c => c.AllowClientRefresh = may);
            var before = _upstream.Requests.Count;
            await app.Client.GetStringAsync("/");
            await GetAsync(app, "/", ("Cache-Control", "no-cache"));
            Assert.Equal(count, _upstream.Requests.Count - before);
        }
    }

    [Fact]
    public async Task A_parameter_that_counts_counts_however_its_name_is_written()
    {
        _upstream.Answer = request => Response(request.RequestUri!.Query, ("Cache-Control", "max-age=60"));
        await using var app = await StartAsync(c => c.Key.QueryParameters = ["id"]);

        Assert.Equal("", await GetAsync(app, "/p"));
        Assert.Equal("?%69d=2", await new StreamReader((await app.GetRawAsync("/p?%69d=2")).Response.Body).ReadToEndAsync());
        Assert.Equal("", await GetAsync(app, "/p?other=1"));
        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Fact]
    public async Task A_purge_finds_what_was_stored_under_the_path_as_it_was_sent()
    {
        Answer("x", ("Cache-Control", "max-age=60"));
        await using var app = await StartAsync();
        await new StreamReader((await app.GetRawAsync("/%7Euser?a=%7E")).Response.Body).ReadToEndAsync();

        Assert.Equal(1, await app.Services.GetRequiredService<IProxyCache>().PurgeAsync(new("http://localhost/%7Euser?a=%7E"), CachePurgeMode.Remove));
    }

    [Fact]
    public async Task What_was_made_invalid_is_validated_and_serves_if_that_fails()
    {
        Answer("x", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/");
        app.Time.Advance(TimeSpan.FromSeconds(1));
        await app.Services.GetRequiredService<IProxyCache>().PurgeAllAsync(CachePurgeMode.MarkInvalid);

        Answer(HttpStatusCode.ServiceUnavailable, "broken");
        Assert.Equal("x", await app.Client.GetStringAsync("/"));
        Assert.Equal("\"1\"", _upstream.Last["If-None-Match"]);
        app.Time.Advance(TimeSpan.FromSeconds(1));
        Answer(HttpStatusCode.NotModified, null, ("Cache-Control", "max-age=60"), ("ETag", "\"1\""));
        Assert.Equal("x", await app.Client.GetStringAsync("/"));
        Assert.Equal("x", await app.Client.GetStringAsync("/"));
        Assert.Equal(3, _upstream.Requests.Count);
    }

    [Theory]
    [InlineData("no-cache")]
    [InlineData(null)] // nothing but a validator
    [InlineData("max-age=0")]
    public async Task What_must_be_validated_answers_nobody_who_merely_waited(string? cacheControl)
    {
        var all = new TaskCompletionSource();
        var count = 0;
        await using var app = await StartAsync(async _ =>
        {
            var number = Interlocked.Increment(ref count);
            if (number == 1)
                await all.Task;
            return Response($"page of user {number}", cacheControl is null ? [("ETag", $"\"{number}\"")] : [("ETag", $"\"{number}\""), ("Cache-Control", cacheControl)]);
        });

        var users = Enumerable.Range(0, 5).Select(_ => app.Client.GetStringAsync("/me")).ToArray();
        while (Volatile.Read(ref count) == 0)
            await Task.Yield();
        all.SetResult();

        Assert.Equal(5, (await Task.WhenAll(users)).Distinct().Count());
    }

    [Fact]
    public async Task A_HEAD_that_passes_the_cache_by_changes_nothing_of_it()
    {
        Answer("hello", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""));
        await using var app = await StartAsync(c => c.Bypass.Cookies.Add("session"));
        await app.Client.GetStringAsync("/");
        Answer("other", ("Cache-Control", "private"), ("ETag", "\"2\""), ("X-User", "a"));

        foreach (var (name, value) in new[] { ("X-HTTP-Method-Override", "POST"), ("Cookie", "session=1") })
        {
            using var request = new HttpRequestMessage(HttpMethod.Head, "/");
            request.Headers.Add(name, value);
            (await app.Client.SendAsync(request)).Dispose();
        }

        using var hit = await app.Client.GetAsync("/");
        Assert.Equal("hello", await hit.Content.ReadAsStringAsync());
        Assert.False(hit.Headers.Contains("X-User"));
        Assert.Equal(3, _upstream.Requests.Count);
    }

    [Fact]
    public async Task An_error_or_a_range_keeps_nobody_from_storing_the_next_answer()
    {
        await using var app = await StartAsync();
        Answer(HttpStatusCode.ServiceUnavailable, "broken");
        (await app.Client.GetAsync("/a")).Dispose();
        Answer(HttpStatusCode.RequestedRangeNotSatisfiable, "", ("Cache-Control", "max-age=60"));
        await GetAsync(app, "/a", ("Range", "bytes=999-"));
        Answer("x", ("Cache-Control", "max-age=60"));

        Assert.Equal("x", await app.Client.GetStringAsync("/a"));
        Assert.Equal("x", await app.Client.GetStringAsync("/a"));
        Assert.Equal(3, _upstream.Requests.Count);
    }

    [Fact]
    public async Task An_unsafe_request_makes_invalid_what_is_stored_under_another_query_that_means_the_same()
    {
        Answer("x", ("Cache-Control", "max-age=60"), ("No-Vary-Search", "key-order"));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/?b=2&a=1");
        Assert.Equal("x", await app.Client.GetStringAsync("/?a=1&b=2"));
        Assert.Single(_upstream.Requests);

        app.Time.Advance(TimeSpan.FromSeconds(1));
        (await app.Client.PostAsync("/?b=2&a=1", null)).Dispose();
        await app.Client.GetStringAsync("/?a=1&b=2");

        Assert.Equal(3, _upstream.Requests.Count);
    }

    [Fact]
    public async Task Two_routes_for_one_URL_do_not_share_what_they_store()
    {
        var names = 0;
        _upstream.Answer = _ => Response($"{++names}", ("Cache-Control", "max-age=60"));
        await using var two = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                var destinations = new ProxyKit.Testing.TestDestinations();
                destinations.Map(ProxyApp.Upstream, _upstream.Handle);
                services.AddProxyTestDestinations(destinations);
            },
            web =>
            {
                web.MapProxy("/{**path}", ProxyApp.Upstream).WithCache();
                web.MapProxy("/{**path}", ProxyApp.Upstream).WithCache().WithMatch(m => m.Headers.Add(new() { Name = "X-Team", Values = ["a"] }));
            });

        Assert.Equal("1", await GetAsync(two, "/"));
        Assert.Equal("2", await GetAsync(two, "/", ("X-Team", "a")));
        Assert.Equal("1", await GetAsync(two, "/"));
        Assert.Equal("2", await GetAsync(two, "/", ("X-Team", "a")));
    }

    [Fact]
    public async Task An_endpoint_of_the_apps_own_is_cached_and_purged()
    {
        var count = 0;
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy(),
            web => web.MapGet("/time/{zone}", (HttpContext context, string zone) =>
            {
                context.Response.Headers.CacheControl = "max-age=60";
                return $"{zone} {++count}";
            }).WithProxyCache());
        var cache = app.Services.GetRequiredService<IProxyCache>();

        Assert.Equal("utc 1", await app.Client.GetStringAsync("/time/utc"));
        Assert.Equal("utc 1", await app.Client.GetStringAsync("/time/utc"));
        Assert.Equal(1, await cache.PurgeAsync(new("http://localhost/time/utc"), CachePurgeMode.Remove));
        Assert.Equal("utc 2", await app.Client.GetStringAsync("/time/utc"));
        Assert.Equal([200, 404], await cache.WarmUpAsync([new("http://localhost/time/cet"), new("http://localhost/other")], TestContext.Current.CancellationToken));
        Assert.Equal("cet 3", await app.Client.GetStringAsync("/time/cet"));
    }

    private static Task<ProxyApp> StartAsync(Func<HttpRequestMessage, Task<HttpResponseMessage>> answer) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            var destinations = new ProxyKit.Testing.TestDestinations();
            destinations.Map(ProxyApp.Upstream, new Handler(answer));
            services.AddProxyTestDestinations(destinations);
        },
        web => web.MapProxy("/{**path}", ProxyApp.Upstream).WithCache());

    private sealed class Handler(Func<HttpRequestMessage, Task<HttpResponseMessage>> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => answer(request);
    }

    private Task<ProxyApp> StartAsync(Action<CacheOptions>? cache = null) => ProxyApp.StartAsync(_upstream, r => r.WithCache(cache ?? (_ => { })));

    private void Answer(string body, params (string Name, string Value)[] headers) => _upstream.Answer = _ => Response(body, headers);

    private void Answer(HttpStatusCode status, string? body, params (string Name, string Value)[] headers) => _upstream.Answer = _ =>
    {
        var response = Response(body ?? "", headers);
        response.StatusCode = status;
        return response;
    };

    private static HttpResponseMessage Response(string body, params (string Name, string Value)[] headers)
    {
        var response = new HttpResponseMessage { Content = new StringContent(body) };
        foreach (var (name, value) in headers)
        {
            if (!response.Headers.TryAddWithoutValidation(name, value))
            {
                response.Content.Headers.Remove(name);
                response.Content.Headers.TryAddWithoutValidation(name, value);
            }
        }
        return response;
    }

    private static async Task<string> GetAsync(ProxyApp app, string url, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await app.Client.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    private static string Status(HttpResponseMessage response) => string.Join(" | ", response.Headers.GetValues("Cache-Status"));
}
