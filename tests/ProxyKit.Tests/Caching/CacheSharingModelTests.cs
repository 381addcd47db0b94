using System.Net;
using CsCheck;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using ProxyKit.Caching;

namespace ProxyKit.Tests.Caching;

/// <summary>
/// Whatever clients send in whatever order, and whatever the origin says of its responses: a client gets a response that was made for another client's request only where RFC 9111 lets the two share it.
/// </summary>
public class CacheSharingModelTests
{
    private const string Trusted = "10.0.0.1";

    private static readonly string[] s_fields = ["Origin", "X-Tenant", "X-Session", "X-Removed", "X-User", "X-Tier", "Cookie", "Accept-Language", "X-Forwarded-For", "X-Forwarded-Host"];

    // Half of them do without.
    private static readonly Gen<string?> s_value = Gen.Frequency((2, Gen.Const((string?)null)), (1, Gen.Const<string?>("alice")), (1, Gen.Const<string?>("bob")));

    private static readonly Gen<Client> s_client = Gen.Select(
        Gen.Select(OneOf("/a", "/b"), OneOf("", "?u=alice", "?u=bob", "?page=home&u=alice", "?page=home&u=bob", "?u=bob&page=home")),
        s_value.Array[s_fields.Length],
        Gen.Frequency((3, Gen.Const("")), (1, OneOf("Origin", "close, X-Tenant", "x-session", "Cookie, Origin", "X-Removed", "Accept-Language, X-Tenant", "X-User"))),
        Gen.Select(OneOf<string?>(null, "Basic alice", "Basic bob", null, null), Gen.Bool, OneOf("one.test", "two.test"), OneOf<string?>(null, null, "http", "https"), Gen.Int[0, 19]),
        (url, values, connection, rest) => new Client(url.Item1, url.Item2, values, connection, rest.Item1, rest.Item2, rest.Item3, rest.Item4, IsBad: rest.Item5 == 0));

    private static readonly Gen<Says> s_says = Gen.Select(
        OneOf(s_fields).Array[0, 2],
        OneOf("max-age=60", "max-age=60", "max-age=60", "public, max-age=60", "s-maxage=60", "max-age=60, must-revalidate", "private, max-age=60", "no-store", "no-cache", "max-age=60, private=\"X-Own\"", "max-age=0, stale-while-revalidate=60"),
        OneOf<string?>(null, null, "params=(\"u\")", "key-order", "params"),
        Gen.Int[0, 9],
        (vary, control, search, other) => new Says(vary, control, search, SetsCookie: other == 0, Status: other == 1 ? 404 : 200));

    private static readonly Gen<Settings> s_settings = Gen.Select(Gen.Bool, Gen.Bool, Gen.Bool, OneOf("", "X-Tenant", "X-User", "Origin"),
        (delegates, token, tier, keyField) => new Settings(delegates, delegates && token, tier, keyField));

    [Fact]
    public async Task No_client_gets_a_response_that_was_made_for_another_unless_they_may_share_it() =>
        await Gen.Select(s_settings, s_client.Array[1, 4].Array[1, 12], s_says.Array[1, 6], Gen.Int[0, 30].Array[12]).SampleAsync(
            async (settings, batches, says, pauses) =>
            {
                var origin = new Origin(says);
                await using var app = await ProxyApp.StartAsync(
                    origin.Handle,
                    r => r.WithCache(c =>
                    {
                        if (settings.KeyField.Length > 0)
                            c.Key.Headers.Add(settings.KeyField);
                    }).WithTransforms(settings.Apply),
                    o => o.TrustedProxies.Add(Trusted));
                for (var i = 0; i < batches.Length; i++)
                {
                    await Task.WhenAll(batches[i].Select(client => CheckAsync(app, origin, settings, client)));
                    app.Time.Advance(TimeSpan.FromSeconds(pauses[i]));
                }
            },
            iter: 400, threads: 1, print: sample => Print(sample.Item2, sample.Item3, sample.Item1));

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static async Task CheckAsync(ProxyApp app, Origin origin, Settings settings, Client client)
    {
        var answer = await app.GetRawAsync(client.Path + client.Query, client.Write);
        var text = await new StreamReader(answer.Response.Body).ReadToEndAsync();
        if (client.IsBad && answer.Response.StatusCode == 400)
            return;
        var made = origin.Made[int.Parse(text, System.Globalization.CultureInfo.InvariantCulture)];
        if (made.Received["X-Request"] == client.Id)
            return; // its own
        Assert.DoesNotContain("no-store", made.Says.CacheControl);
        Assert.DoesNotContain("private,", made.Says.CacheControl);
        Assert.NotEqual("no-cache", made.Says.CacheControl);
        Assert.False(made.Says.SetsCookie, "A cookie was shared.");
        if (made.Received["Authorization"] is not null)
            Assert.Matches("public|s-maxage|must-revalidate", made.Says.CacheControl);
        Assert.Equal(made.Path, client.Path);
        var rule = made.Says.NoVarySearch is { } field ? NoVarySearch.Parse(field) : null;
        Assert.Equal(rule?.Normalize(made.Query) ?? made.Query, rule?.Normalize(client.Query) ?? client.Query);
        foreach (var name in made.Says.Vary.Append(settings.KeyField).Where(name => name.Length > 0).Append("X-Forwarded-Host").Append("X-Forwarded-Proto"))
            Assert.True(made.Received[name] == client.Sent(name, settings), $"{name}: '{made.Received[name]}' was shared with '{client.Sent(name, settings)}'.");
    }

    private static string Print(Client[][] batches, Says[] says, Settings settings) =>
        $"{settings}\n{string.Join('\n', says.Select(s => $"{s} {string.Join(',', s.Vary)}"))}\n{string.Join("\n--\n", batches.Select(b => string.Join('\n', b.Select(c => $"{c} {string.Join(',', c.Values)}"))))}";

    private sealed record Settings(bool HasDelegate, bool HasToken, bool HasTier, string KeyField)
    {
        public void Apply(TransformBuilder transforms)
        {
            transforms.RemoveRequestHeader("X-Removed");
            if (HasTier)
                transforms.SetRequestHeader("X-Tier", "gold");
            if (!HasDelegate)
                return;
            transforms.OnRequest(context =>
            {
                var headers = context.Request.Headers;
                headers.Remove("X-User");
                if (context.HttpContext.Request.Headers["X-Session"] is { Count: > 0 } session)
                    headers.Add("X-User", session.ToString());
                if (HasToken && context.HttpContext.Request.Headers["X-Session"] is { Count: > 0 } user)
                {
                    headers.Remove("Authorization");
                    headers.Add("Authorization", "Bearer " + user);
                }
                return default;
            });
        }
    }

    private sealed record Says(string[] Vary, string CacheControl, string? NoVarySearch, bool SetsCookie, int Status);

    private sealed record Client(string Path, string Query, string?[] Values, string Connection, string? Authorization, bool IsBehindBalancer, string Host, string? Proto, bool IsBad)
    {
        public string Id { get; } = Guid.NewGuid().ToString();

        public void Write(HttpContext context)
        {
            var request = context.Request;
            request.Host = new(Host);
            context.Connection.RemoteIpAddress = IPAddress.Parse(IsBehindBalancer ? Trusted : "203.0.113.1");
            for (var i = 0; i < s_fields.Length; i++)
            {
                if (Values[i] is { } value)
                    request.Headers[s_fields[i]] = value;
            }
            if (Connection.Length > 0)
                request.Headers.Connection = Connection;
            if (Authorization is not null)
                request.Headers.Authorization = Authorization;
            if (Proto is not null)
                request.Headers["X-Forwarded-Proto"] = Proto;
            if (IsBad)
                request.Headers["B@d"] = "1";
            request.Headers["X-Request"] = Id;
        }

        /// <summary>What the origin is sent of a field, by the rules in the docs.</summary>
        public string? Sent(string name, Settings settings)
        {
            var index = Array.IndexOf(s_fields, name);
            var value = index < 0 ? null : Values[index];
            var isNominated = Connection.Split(',', StringSplitOptions.TrimEntries).Contains(name, StringComparer.OrdinalIgnoreCase);
            return name switch
            {
                "X-Removed" => null,
                "X-Tier" when settings.HasTier => "gold",
                "X-User" when settings.HasDelegate => Values[Array.IndexOf(s_fields, "X-Session")],
                "X-Forwarded-For" => (IsBehindBalancer, value) switch { (true, null) => Trusted, (true, _) => $"{value}, {Trusted}", _ => "203.0.113.1" },
                "X-Forwarded-Host" => IsBehindBalancer && value is not null ? value : Host,
                "X-Forwarded-Proto" => IsBehindBalancer && Proto is not null ? Proto : "http",
                "Cookie" => value,
                _ => isNominated ? null : value,
            };
        }
    }

    private sealed class Origin(Says[] says)
    {
        private readonly List<(Says, Received, string, string)> _made = [];

        public IReadOnlyList<(Says Says, Received Received, string Path, string Query)> Made => _made;

        public HttpResponseMessage Handle(HttpRequestMessage request)
        {
            int number;
            Says now;
            lock (_made)
            {
                number = _made.Count;
                now = says[number % says.Length];
                var uri = request.RequestUri!;
                _made.Add((now, new(request, ""), uri.AbsolutePath, uri.Query));
            }
            var response = new HttpResponseMessage((HttpStatusCode)now.Status) { Content = new StringContent($"{number}") };
            response.Headers.TryAddWithoutValidation("Cache-Control", now.CacheControl);
            if (now.Vary.Length > 0)
                response.Headers.TryAddWithoutValidation("Vary", string.Join(", ", now.Vary));
            if (now.NoVarySearch is not null)
                response.Headers.TryAddWithoutValidation("No-Vary-Search", now.NoVarySearch);
            if (now.SetsCookie)
                response.Headers.TryAddWithoutValidation("Set-Cookie", "id=1");
            return response;
        }
    }
}
