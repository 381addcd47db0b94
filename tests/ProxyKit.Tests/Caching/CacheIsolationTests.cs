using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.Caching;

/// <summary>Responses that were made for one client never reach another: keys and variants are made of what the upstream is sent.</summary>
public class CacheIsolationTests
{
    private readonly Recorder _upstream = new();

    [Fact]
    public async Task No_vary_search_governs_the_response_that_carries_it_and_no_other()
    {
        _upstream.Answer = request => Response(request, request.RequestUri!.Query.Contains("page=home") ? [("No-Vary-Search", "params=(\"u\")")] : []);
        await using var app = await StartAsync();

        await app.Client.GetStringAsync("/?page=home&u=x");
        Assert.EndsWith("page=home&u=x", await app.Client.GetStringAsync("/?page=home&u=y"));
        Assert.EndsWith("u=alice", await app.Client.GetStringAsync("/?page=acct&u=alice"));
        Assert.EndsWith("u=bob", await app.Client.GetStringAsync("/?page=acct&u=bob"));
    }

    [Fact]
    public async Task No_vary_search_ends_when_the_origin_no_longer_sends_it()
    {
        var hasRule = true;
        _upstream.Answer = request => Response(request, hasRule ? [("No-Vary-Search", "params=(\"u\")")] : []);
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/?u=x");
        hasRule = false;
        app.Time.Advance(TimeSpan.FromSeconds(61));

        Assert.EndsWith("u=y", await app.Client.GetStringAsync("/?u=y"));
        Assert.EndsWith("u=z", await app.Client.GetStringAsync("/?u=z"));
        Assert.EndsWith("u=x", await app.Client.GetStringAsync("/?u=x"));
        Assert.EndsWith("u=y", await app.Client.GetStringAsync("/?u=y"));
        Assert.Equal(4, _upstream.Requests.Count);
    }

    [Fact]
    public async Task A_purge_by_url_removes_what_no_vary_search_makes_the_response_to_it()
    {
        _upstream.Answer = request => Response(request, ("No-Vary-Search", "params=(\"u\")"));
        await using var app = await StartAsync();
        await app.Client.GetStringAsync("/?u=x");

        Assert.Equal(1, await app.Services.GetRequiredService<IProxyCache>().PurgeAsync(new Uri("http://localhost/?u=y"), CachePurgeMode.Remove));
        await app.Client.GetStringAsync("/?u=x");

        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Theory]
    [InlineData("Origin", "close, Origin")]
    [InlineData("Origin", "origin")]
    [InlineData("X-Tenant", "keep-alive, x-tenant")]
    [InlineData("Accept-Language", "close, accept-language")]
    public async Task A_nominated_field_selects_no_variant(string field, string connection)
    {
        _upstream.Answer = request => Response(request, field, ("Vary", field));
        await using var app = await StartAsync();
        await GetAsync(app, (field, "victim"), ("Connection", connection));

        Assert.EndsWith(" victim", await GetAsync(app, (field, "victim")));
        Assert.EndsWith(" ", await GetAsync(app));
    }

    [Fact]
    public async Task A_nominated_field_is_no_part_of_the_key()
    {
        _upstream.Answer = request => Response(request, "X-Tenant");
        await using var app = await StartAsync(c => c.Key.Headers.Add("X-Tenant"));
        await GetAsync(app, ("X-Tenant", "victim"), ("Connection", "X-Tenant"));

        Assert.EndsWith(" victim", await GetAsync(app, ("X-Tenant", "victim")));
        Assert.EndsWith(" ", await GetAsync(app));
        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Fact]
    public async Task A_field_that_is_not_copied_tells_no_responses_apart()
    {
        _upstream.Answer = request => Response(request, "X-Tenant", ("Vary", "X-Tenant"));
        await using var app = await StartAsync(route: r => r.WithTransforms(t => t.AllowRequestHeaders("Accept")));

        await GetAsync(app, ("X-Tenant", "a"));
        await GetAsync(app, ("X-Tenant", "b"));

        Assert.Single(_upstream.Requests);
    }

    [Theory]
    [InlineData("X-Forwarded-For")]
    [InlineData("X-Real-IP")]
    [InlineData("Client-IP")]
    public async Task A_forwarding_field_of_an_untrusted_client_selects_no_variant(string field)
    {
        _upstream.Answer = request => Response(request, "X-None", ("Vary", field));
        await using var app = await StartAsync();

        await GetAsync(app, (field, "10.0.0.1"));
        await GetAsync(app, (field, "10.0.0.2"));

        Assert.Single(_upstream.Requests);
    }

    [Fact]
    public async Task Vary_on_a_field_that_a_delegate_sets_is_judged_by_what_was_sent()
    {
        _upstream.Answer = request => Response(request, "X-User", ("Vary", "X-User"));
        await using var app = await StartAsync(route: r => r.WithTransforms(t => t.OnRequest(context =>
        {
            context.Request.Headers.Add("X-User", context.HttpContext.Request.Headers["X-Session"].ToString());
            return default;
        })));

        Assert.EndsWith(" alice", await GetAsync(app, ("X-Session", "alice")));
        Assert.EndsWith(" bob", await GetAsync(app, ("X-Session", "bob")));
        Assert.EndsWith(" alice", await GetAsync(app, ("X-Session", "alice")));
    }

    [Fact]
    public async Task Vary_on_a_field_that_a_delegate_sets_for_some_users_only_is_judged_by_what_was_sent()
    {
        _upstream.Answer = request => Response(request, "X-User", ("Vary", "X-User"));
        await using var app = await StartAsync(route: r => r.WithTransforms(t => t.OnRequest(context =>
        {
            if (context.HttpContext.Request.Headers["X-Session"] is { Count: > 0 } session)
            {
                context.Request.Headers.Remove("X-User");
                context.Request.Headers.Add("X-User", session.ToString());
            }
            return default;
        })));

        Assert.EndsWith(" ", await GetAsync(app));
        Assert.EndsWith(" alice", await GetAsync(app, ("X-Session", "alice"), ("X-User", "alice")));
        Assert.EndsWith(" bob", await GetAsync(app, ("X-Session", "bob"), ("X-User", "alice")));
        Assert.EndsWith(" bob", await GetAsync(app, ("X-Session", "bob")));
    }

    [Fact]
    public async Task A_delegate_that_changes_nothing_of_it_leaves_what_varies_by_what_browsers_send()
    {
        _upstream.Answer = request => Response(request, "Accept-Language", ("Vary", "Accept-Language, Accept-Encoding, Origin"));
        await using var app = await StartAsync(route: r => r.WithTransforms(t => t.OnRequest(context =>
        {
            context.Request.Headers.Add("X-Trace", "1");
            return default;
        })));

        await GetAsync(app, ("Accept-Language", "de"));
        await GetAsync(app, ("Accept-Language", "de"));

        Assert.Single(_upstream.Requests);
    }

    [Fact]
    public async Task Vary_on_a_field_that_a_transform_sets_is_judged_by_what_was_sent()
    {
        _upstream.Answer = request => Response(request, "X-Tier", ("Vary", "X-Tier"));
        await using var app = await StartAsync(route: r => r.WithTransforms(t => t.SetRequestHeader("X-Tier", "gold")));

        await GetAsync(app, ("X-Tier", "a"));
        Assert.EndsWith(" gold", await GetAsync(app, ("X-Tier", "b")));
        Assert.Single(_upstream.Requests);
    }

    [Fact]
    public async Task A_token_that_the_proxy_adds_makes_a_response_the_users_own()
    {
        _upstream.Answer = request => Response(request, "Authorization");
        await using var app = await StartAsync(route: r => r.WithTransforms(t => t.OnRequest(context =>
        {
            context.Request.Headers.Add("Authorization", "Bearer " + context.HttpContext.Request.Headers["X-Session"]);
            return default;
        })));

        Assert.EndsWith("alice", await GetAsync(app, ("X-Session", "alice")));
        Assert.EndsWith("bob", await GetAsync(app, ("X-Session", "bob")));
    }

    [Fact]
    public async Task A_url_that_a_delegate_changes_is_not_stored_under_the_clients_own()
    {
        _upstream.Answer = request => Response(request);
        await using var app = await StartAsync(route: r => r.WithTransforms(t => t.OnRequest(context =>
        {
            context.Request.RequestUri = new(context.Request.RequestUri + "?user=" + context.HttpContext.Request.Headers["X-Session"]);
            return default;
        })));

        Assert.EndsWith("alice", (await GetAsync(app, ("X-Session", "alice"))).Trim());
        Assert.EndsWith("bob", (await GetAsync(app, ("X-Session", "bob"))).Trim());
    }

    [Theory]
    [InlineData("B@d", "1")]
    [InlineData("X-A", "a\u0001b")]
    [InlineData("Via", "1.1 ProxyKit")]
    public async Task A_request_that_the_proxy_refuses_switches_no_caching_off(string name, string value)
    {
        _upstream.Answer = request => Response(request);
        await using var app = await StartAsync(c => c.StatusTimeToLive["4xx"] = TimeSpan.FromMinutes(1));
        await app.GetRawAsync("/a", context => context.Request.Headers[name] = value);

        await app.Client.GetStringAsync("/a");
        await app.Client.GetStringAsync("/a");

        Assert.Single(_upstream.Requests);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(406)]
    [InlineData(417)]
    [InlineData(429)]
    [InlineData(431)]
    public async Task A_status_that_a_client_can_provoke_switches_no_caching_off(int status)
    {
        _upstream.Answer = request => request.Headers.Contains("X-Bad") ? new((HttpStatusCode)status) : Response(request);
        await using var app = await StartAsync();
        using (await app.Client.SendAsync(new(HttpMethod.Get, "/a") { Headers = { { "X-Bad", "1" } } }))
        {
        }

        await app.Client.GetStringAsync("/a");
        await app.Client.GetStringAsync("/a");

        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Theory]
    [InlineData("X-Forwarded-Host", "evil.test")]
    [InlineData("X-Forwarded-Host", "localhost/a")]
    [InlineData("X-Forwarded-Proto", "https")]
    [InlineData("X-Forwarded-Port", "8443")]
    [InlineData("X-Forwarded-Prefix", "/evil")]
    [InlineData("Forwarded", "for=10.0.0.1;host=evil.test")]
    [InlineData("Forwarded", "proto=https, for=10.0.0.1")]
    [InlineData("X-Original-Host", "evil.test")]
    public async Task What_a_trusted_peer_says_of_the_url_is_in_the_key(string name, string value)
    {
        _upstream.Answer = request => Response(request, name);
        await using var app = await StartAsync(options: o => o.TrustedProxies.Add("10.0.0.1"), cache: null);
        await app.GetRawAsync("/b", Peer(name, value));
        await app.GetRawAsync("/b", Peer("X-Other", "1"));
        Assert.Equal(2, _upstream.Requests.Count);
        await app.GetRawAsync("/b", Peer(name, value));
        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Fact]
    public async Task The_address_that_a_trusted_peer_names_is_no_part_of_the_key()
    {
        _upstream.Answer = request => Response(request);
        await using var app = await StartAsync(options: o => o.TrustedProxies.Add("10.0.0.1"), cache: null);

        await app.GetRawAsync("/b", Peer("X-Forwarded-For", "203.0.113.1"));
        await app.GetRawAsync("/b", Peer("X-Forwarded-For", "203.0.113.2"));
        await app.GetRawAsync("/b", Peer("Forwarded", "for=203.0.113.2"));
        await app.GetRawAsync("/b", Peer("Forwarded", "for=203.0.113.3"));

        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Theory]
    [InlineData("Location", 302)]
    [InlineData("Content-Location", 200)]
    [InlineData("Refresh", 200)]
    public async Task With_an_ignored_host_what_leads_to_the_requests_host_is_not_shared(string field, int status)
    {
        _upstream.Answer = request =>
        {
            var response = Response(request);
            response.StatusCode = (HttpStatusCode)status;
            response.Headers.TryAddWithoutValidation(field, field == "Refresh" ? "1; url=http://upstream.test/login" : "http://upstream.test/login");
            response.Content.Headers.TryAddWithoutValidation(field, "http://upstream.test/login");
            return response;
        };
        await using var app = await StartAsync(c => c.Key.IgnoreHost = true);
        await app.GetRawAsync("/", context => context.Request.Host = new("evil.example"));

        var good = await app.GetRawAsync("/", context => context.Request.Host = new("good.example"));

        Assert.DoesNotContain("evil", good.Response.Headers[field].ToString());
        Assert.Contains("good.example", good.Response.Headers[field].ToString());
    }

    [Theory]
    [InlineData("X-HTTP-Method-Override")]
    [InlineData("X_HTTP_Method_Override")]
    [InlineData("x-http_method.override")]
    [InlineData("X_HTTP_METHOD")]
    [InlineData("X_Method-Override")]
    public async Task A_request_that_frameworks_take_for_another_method_is_not_stored(string name)
    {
        _upstream.Answer = request => Response(request);
        await using var app = await StartAsync(options: o => o.UnderscoreHeaders = UnderscoreHeaders.Keep, cache: null);
        await app.GetRawAsync("/", context => context.Request.Headers[name] = "DELETE");

        await app.GetRawAsync("/");

        Assert.Equal(2, _upstream.Requests.Count);
    }

    [Fact]
    public async Task Spellings_that_cgi_folds_to_one_name_are_one_field()
    {
        _upstream.Answer = request => Response(request, "X_User", ("Vary", "X-User"));
        await using var app = await StartAsync(options: o => o.UnderscoreHeaders = UnderscoreHeaders.Keep, cache: null);

        Assert.EndsWith(" alice", await GetAsync(app, ("X_User", "alice")));
        Assert.EndsWith(" ", await GetAsync(app));
        Assert.EndsWith(" bob", await GetAsync(app, ("X_User", "bob")));
    }

    [Theory]
    [InlineData("identity", 2)]
    [InlineData("br", 2)]
    [InlineData("gzip;q=0, *", 2)]
    [InlineData("deflate, gzip;q=0.5", 1)]
    [InlineData("x-gzip", 1)]
    [InlineData("*", 1)]
    [InlineData(null, 1)]
    public async Task A_stored_coding_that_the_client_refuses_answers_it_not(string? accepted, int requests)
    {
        _upstream.Answer = request =>
        {
            var response = Response(request);
            if (_upstream.Requests.Count == 1)
                response.Content.Headers.ContentEncoding.Add("gzip");
            return response;
        };
        await using var app = await StartAsync();
        await GetAsync(app, ("Accept-Encoding", "gzip"));

        await GetAsync(app, accepted is null ? [] : [("Accept-Encoding", accepted)]);

        Assert.Equal(requests, _upstream.Requests.Count);
    }

    [Fact]
    public async Task A_stored_coding_that_the_client_refuses_answers_it_where_that_is_not_checked()
    {
        _upstream.Answer = request =>
        {
            var response = Response(request);
            response.Content.Headers.ContentEncoding.Add("gzip");
            return response;
        };
        await using var app = await StartAsync(c => c.CheckAcceptEncoding = false);

        await GetAsync(app, ("Accept-Encoding", "gzip"));
        await GetAsync(app, ("Accept-Encoding", "identity"));

        Assert.Single(_upstream.Requests);
    }

    [Theory]
    [InlineData("X-Forwarded-For", "203.0.113.9", 403)]
    [InlineData("x_forwarded_for", "203.0.113.9", 403)]
    [InlineData("X-Forwarded-Proto", "https", 403)]
    [InlineData("Forwarded", "for=203.0.113.9", 403)]
    [InlineData("X-Real-IP", "203.0.113.9", 403)]
    [InlineData("X-Original-For", "203.0.113.9", 403)]
    [InlineData("Via", "1.1 balancer", 403)]
    [InlineData("Proxy-Purge", "soft", 200)]
    public async Task Without_authorization_a_purge_comes_from_this_machine_itself(string name, string value, int status)
    {
        foreach (var peer in (IPAddress?[])[IPAddress.Loopback, IPAddress.IPv6Loopback, null])
        {
            _upstream.Answer = request => Response(request);
            await using var app = await ProxyApp.StartAsync(
                services =>
                {
                    services.AddReverseProxy();
                    var destinations = new ProxyKit.Testing.TestDestinations();
                    destinations.Map(ProxyApp.Upstream, _upstream.Handle);
                    services.AddProxyTestDestinations(destinations);
                },
                web =>
                {
                    web.MapCachePurge("/{**path}");
                    web.MapProxy("/{**path}", ProxyApp.Upstream).WithCache();
                });
            await app.Client.GetStringAsync("/a");

            var answered = await app.GetRawAsync("/a", context =>
            {
                context.Request.Method = "PURGE";
                context.Connection.RemoteIpAddress = peer;
                context.Request.Headers[name] = value;
            });

            Assert.Equal(status, answered.Response.StatusCode);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_background_validation_that_fails_is_logged(bool throws)
    {
        _upstream.Answer = request =>
        {
            if (_upstream.Requests.Count > 1)
                return throws ? throw new HttpRequestException(HttpRequestError.ConnectionError) : new(HttpStatusCode.ServiceUnavailable);
            var response = Response(request);
            response.Headers.Remove("Cache-Control");
            response.Headers.Add("Cache-Control", "max-age=1, stale-while-revalidate=100");
            return response;
        };
        await using var app = await StartAsync();
        await GetAsync(app);
        app.Time.Advance(TimeSpan.FromSeconds(2));

        await GetAsync(app);

        while (!app.Logs.GetSnapshot().Any(log => log.Id.Id == 162))
            await Task.Yield();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_response_that_breaks_off_at_once_ends_as_without_a_cache(bool isCached)
    {
        await using var app = await ProxyApp.StartAsync(
            _ => new()
            {
                Content = new StreamContent(new BrokenStream(12_000)),
                Headers = { { "Cache-Control", "max-age=60" } },
            },
            r =>
            {
                if (isCached)
                    r.WithCache();
            });

        await Assert.ThrowsAnyAsync<Exception>(() => app.Client.GetStringAsync("/"));

        Assert.Equal(ProxyError.ResponseBodyDestination, (await app.OutcomeAsync()).Error);
        Assert.DoesNotContain(app.Logs.GetSnapshot(), log => log.Message.Contains("unhandled exception", StringComparison.OrdinalIgnoreCase));
    }

    private static Action<HttpContext> Peer(string name, string value) => context =>
    {
        context.Connection.RemoteIpAddress = IPAddress.Parse("10.0.0.1");
        context.Request.Headers[name] = value;
    };

    private Task<ProxyApp> StartAsync(Action<CacheOptions>? cache = null, Action<ProxyRouteBuilder>? route = null, Action<ReverseProxyOptions>? options = null) =>
        ProxyApp.StartAsync(
            _upstream,
            r =>
            {
                r.WithCache(cache ?? (_ => { }));
                route?.Invoke(r);
            },
            options);

    private static async Task<string> GetAsync(ProxyApp app, params (string Name, string Value)[] fields)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        foreach (var (name, value) in fields)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await app.Client.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    private static HttpResponseMessage Response(HttpRequestMessage request, params (string Name, string Value)[] headers) => Response(request, "X-None", headers);

    private static HttpResponseMessage Response(HttpRequestMessage request, string echo, params (string Name, string Value)[] headers)
    {
        var value = request.Headers.NonValidated.TryGetValues(echo, out var values) ? values.ToString() : "";
        var response = new HttpResponseMessage { Content = new StringContent(echo == "X-None" ? request.RequestUri!.PathAndQuery : $"{request.RequestUri!.PathAndQuery} {value}") };
        response.Headers.TryAddWithoutValidation("Cache-Control", "max-age=60");
        foreach (var (name, text) in headers)
            response.Headers.TryAddWithoutValidation(name, text);
        return response;
    }

    /// <summary>So many bytes at once, then an error.</summary>
    private sealed class BrokenStream(int length) : MemoryStream
    {
        private int _left = length;

        public override bool CanSeek => false;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_left == 0)
                throw new IOException("A bad chunk.");
            var count = Math.Min(buffer.Length, _left);
            _left -= count;
            return new(count);
        }
    }
}
