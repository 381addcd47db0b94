using Microsoft.AspNetCore.Builder;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>A proxy between raw sockets: what goes in and out is compared byte for byte.</summary>
internal sealed class WireProxy : IAsyncDisposable
{
    public const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private WireProxy(RawUpstream upstream, KestrelApp proxy) => (Upstream, Proxy) = (upstream, proxy);

    public RawUpstream Upstream { get; }

    public KestrelApp Proxy { get; }

    /// <summary>The one request that has reached the upstream.</summary>
    public string Forwarded => Assert.Single(Upstream.Requests);

    public static async Task<WireProxy> StartAsync(
        RawUpstream upstream, string basePath = "", Action<ProxyRouteBuilder>? route = null, Action<ReverseProxyOptions>? options = null) =>
        new(upstream, await KestrelApp.StartProxyAsync(upstream.Url + basePath, route, options));

    public Task<RawClient> ConnectAsync() => RawClient.ConnectAsync(Proxy.Port);

    /// <summary>Sends these bytes on a connection of their own and returns all that comes until the proxy closes it.</summary>
    public Task<string> SendAsync(string bytes) => RawClient.SendAsync(Proxy.Port, bytes);

    /// <summary>Sends a request with these header lines, and closes after it.</summary>
    public Task<string> GetAsync(string target, params string[] headers) =>
        SendAsync($"GET {target} HTTP/1.1\r\nHost: public.example\r\nConnection: close\r\n{Lines(headers)}\r\n");

    public static string Lines(params string[] headers) => string.Concat(headers.Select(line => line + "\r\n"));

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        await Upstream.DisposeAsync();
    }
}

/// <summary>Tests that hold for both transports: a class below each runs them with HttpClient's in place of ProxyKit's own.</summary>
public abstract class WireTests
{
    protected virtual bool OverHttpClient => false;

    internal Task<WireProxy> StartAsync() => StartAsync(RawUpstream.KeepAlive(WireProxy.Ok));

    internal Task<WireProxy> StartAsync(Action<ReverseProxyOptions> options) => StartAsync(RawUpstream.KeepAlive(WireProxy.Ok), options: options);

    internal Task<WireProxy> StartAsync(string reply) => StartAsync(new RawUpstream(reply));

    internal Task<WireProxy> StartAsync(
        RawUpstream upstream, string basePath = "", Action<ProxyRouteBuilder>? route = null, Action<ReverseProxyOptions>? options = null) =>
        WireProxy.StartAsync(
            upstream, basePath,
            builder =>
            {
                route?.Invoke(builder);
                HttpClientIfAsked(builder);
            },
            options);

    internal void HttpClientIfAsked(ProxyRouteBuilder route)
    {
        if (OverHttpClient)
            route.WithTransforms(t => t.OnRequest(_ => ValueTask.CompletedTask)); // who wants its messages gets its transport
    }
}

/// <summary>Reads raw messages.</summary>
internal static class Raw
{
    public static int Status(string response)
    {
        Assert.StartsWith("HTTP/1.1 ", response);
        return int.Parse(response.AsSpan(9, 3));
    }

    public static string Head(string message) => message[..(message.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 2)];

    public static string Body(string message) => message[(message.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];

    /// <summary>What follows interim responses.</summary>
    public static string Final(string response)
    {
        while (Status(response) < 200)
            response = Body(response);
        return response;
    }

    /// <summary>The values of the header lines of that name, in their order.</summary>
    public static string[] Values(string message, string name) =>
        [.. Head(message).Split("\r\n").Skip(1).Where(l => l.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)).Select(l => l[(name.Length + 1)..].Trim(' '))];

    public static string? Value(string message, string name) => Values(message, name) is [.., var last] ? last : null;

    public static bool Has(string message, string name) => Values(message, name).Length > 0;

    /// <summary>What stands between method and version.</summary>
    public static string Target(string request) => request[(request.IndexOf(' ', StringComparison.Ordinal) + 1)..request.IndexOf(" HTTP/1.1\r\n", StringComparison.Ordinal)];

    /// <summary>How many final responses stand in these bytes.</summary>
    public static int Responses(string bytes) => bytes.Split("HTTP/1.1 ").Length - 1;
}
