using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.SessionAffinity;

/// <summary>A proxy with session affinity in front of a few destinations, each of which answers with its name.</summary>
internal static class AffinityApp
{
    public const string Cookie = "stay";

    public static readonly string[] Names = ["a", "b", "c"];

    public static Task<ProxyApp> StartAsync(Action<SessionAffinityOptions> affinity, params string[] names) => StartAsync(affinity, Answer, names);

    public static Task<ProxyApp> StartAsync(Action<SessionAffinityOptions> affinity, Func<HttpRequestMessage, HttpResponseMessage> answer, params string[] names) => ProxyApp.StartAsync(
        services =>
        {
            services.AddDataProtection();
            services.AddReverseProxy();
            services.AddProxyTestDestinations(Destinations(answer));
        },
        app =>
        {
            var route = app.MapProxy("/{**path}").WithSessionAffinity(options =>
            {
                options.AffinityKeyName = Cookie;
                affinity(options);
            });
            foreach (var name in names.Length > 0 ? names : Names)
                route.WithDestination($"http://{name}.test", d => d.Name = name);
        });

    /// <summary>A proxy whose cluster changes.</summary>
    public static Task<ProxyApp> StartAsync(InMemoryProxyConfigSource source, Func<HttpRequestMessage, HttpResponseMessage> answer) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy().AddConfigSource(source);
            services.AddProxyTestDestinations(Destinations(answer));
        },
        app => app.MapReverseProxy());

    public static TestDestinations Destinations(Func<HttpRequestMessage, HttpResponseMessage> answer)
    {
        var destinations = new TestDestinations();
        foreach (var name in Names)
            destinations.Map($"http://{name}.test", answer);
        return destinations;
    }

    public static HttpResponseMessage Answer(HttpRequestMessage request) => new(HttpStatusCode.OK) { Content = new StringContent(request.RequestUri!.Host[..1]) };

    /// <summary>A browser with a session on the destination of that name.</summary>
    public static async Task<Browser> SessionOnAsync(this ProxyApp app, string name)
    {
        while (true)
        {
            var browser = new Browser(app);
            if ((await browser.GetAsync()).Body == name)
                return browser;
        }
    }
}

/// <summary>A client that keeps cookies.</summary>
internal sealed class Browser(ProxyApp app, string address = "http://localhost/")
{
    public Dictionary<string, string> Cookies { get; } = [];

    public Dictionary<string, string> Headers { get; } = [];

    public async Task<Visit> GetAsync()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (Cookies.Count > 0)
            request.Headers.TryAddWithoutValidation("Cookie", string.Join("; ", Cookies.Select(c => $"{c.Key}={c.Value}")));
        foreach (var (name, value) in Headers)
            request.Headers.TryAddWithoutValidation(name, value);
        var response = await app.Client.SendAsync(request);
        string[] set = [.. response.Headers.TryGetValues("Set-Cookie", out var values) ? values : []];
        foreach (var cookie in set)
        {
            var (name, value) = (cookie[..cookie.IndexOf('=')], cookie[(cookie.IndexOf('=') + 1)..].Split(';')[0]);
            if (value.Length > 0)
                Cookies[name] = value;
            else
                Cookies.Remove(name);
        }
        return new(response, await response.Content.ReadAsStringAsync(), set, await app.OutcomeAsync());
    }

    /// <summary>The destinations that answer the next few requests.</summary>
    public async Task<string> NextAsync(int count = 12)
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < count; i++)
            names.Add((await GetAsync()).Body);
        return string.Concat(names);
    }
}

internal sealed record Visit(HttpResponseMessage Response, string Body, string[] SetCookies, ProxyContext Proxy);
