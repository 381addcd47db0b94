using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.Caching;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Caching;

using Wire = Protocols.Wire;

/// <summary>An origin that keeps count of what reaches it, and a proxy before it whose cache lives by a clock of the test's.</summary>
internal sealed class CachedOrigin : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = NewSignal();
    private KestrelApp? _origin;
    private long _stored;
    private int _entered;
    private int _gone;

    private CachedOrigin()
    {
    }

    public FakeTimeProvider Time { get; } = new(DateTimeOffset.UtcNow);

    public KestrelApp Proxy { get; private set; } = null!;

    public HttpClient Http { get; private set; } = null!;

    /// <summary>How many requests have reached the origin.</summary>
    public int Requests => _requests.Count;

    /// <summary>Their methods and targets.</summary>
    public IReadOnlyCollection<string> Targets => _requests;

    /// <summary>What the origin answers with is <paramref name="answer"/>'s; its <c>Date</c> is the test's clock's.</summary>
    public static async Task<CachedOrigin> StartAsync(
        RequestDelegate answer, Action<CacheOptions>? cache = null, Wire client = Wire.Http1, Action<ReverseProxyOptions>? options = null)
    {
        var result = new CachedOrigin();
        result._origin = await Peers.StartAsync(Wire.Http1, async context =>
        {
            result._requests.Enqueue($"{context.Request.Method} {context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget}");
            context.Response.Headers.Date = result.Time.GetUtcNow().ToString("R", CultureInfo.InvariantCulture);
            await answer(context);
        });
        await result.StartProxyAsync(result._origin.Url, cache, client, options);
        return result;
    }

    /// <summary>The same before an origin of the test's own, which does its own counting.</summary>
    public static async Task<CachedOrigin> BeforeAsync(string origin, Action<CacheOptions>? cache = null, Wire client = Wire.Http1)
    {
        var result = new CachedOrigin();
        await result.StartProxyAsync(origin, cache, client, null);
        return result;
    }

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, params (string Name, string Value)[] fields)
    {
        using var request = Request(method, path, fields);
        return await Http.SendAsync(request);
    }

    public Task<HttpResponseMessage> GetAsync(string path, params (string Name, string Value)[] fields) => SendAsync(HttpMethod.Get, path, fields);

    public async Task<string> TextAsync(string path, params (string Name, string Value)[] fields)
    {
        using var response = await GetAsync(path, fields);
        return await response.Content.ReadAsStringAsync();
    }

    /// <summary>Has the header section, and reads the body as it comes.</summary>
    public async Task<Stream> OpenAsync(string path, params (string Name, string Value)[] fields)
    {
        using var request = Request(HttpMethod.Get, path, fields);
        var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Peers.Patience);
        return await response.Content.ReadAsStreamAsync();
    }

    /// <summary>Sends this many GET requests at once.</summary>
    public Task<string>[] TextsAsync(int count, string path) => [.. Enumerable.Range(0, count).Select(_ => TextAsync(path))];

    /// <summary>Waits until something more is stored: the client may have all of it a moment before.</summary>
    public async Task StoredAsync()
    {
        var store = Proxy.Services.GetServices<IProxyCacheStore>().OfType<MemoryCacheStore>().Single();
        await Peers.EventuallyAsync(() => store.Size > _stored);
        _stored = store.Size;
    }

    /// <summary>Waits until so many requests have come to the proxy.</summary>
    public Task EnteredAsync(int count) => WhenAsync(() => _entered >= count);

    /// <summary>Waits until the proxy has seen so many clients go.</summary>
    public Task GoneAsync(int count) => WhenAsync(() => _gone >= count);

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await Proxy.DisposeAsync();
        if (_origin is not null)
            await _origin.DisposeAsync();
    }

    private HttpRequestMessage Request(HttpMethod method, string path, (string Name, string Value)[] fields)
    {
        var request = new HttpRequestMessage(method, path) { Version = Http.DefaultRequestVersion, VersionPolicy = Http.DefaultVersionPolicy };
        foreach (var (name, value) in fields)
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        return request;
    }

    private async Task StartProxyAsync(string origin, Action<CacheOptions>? cache, Wire client, Action<ReverseProxyOptions>? options)
    {
        Proxy = await Peers.StartAsync(
            client,
            app =>
            {
                app.Use((context, next) =>
                {
                    context.RequestAborted.Register(() => Change(ref _gone));
                    Change(ref _entered);
                    return next(context);
                });
                app.MapProxy("/{**path}", origin).WithCache(cache ?? (static _ => { }));
            },
            services =>
            {
                services.AddSingleton<TimeProvider>(Time);
                services.AddReverseProxy(options ?? (static _ => { }));
            });
        Http = Proxy.CreateClient(client);
    }

    private void Change(ref int count)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            count++;
            (changed, _changed) = (_changed, NewSignal());
        }
        changed.SetResult();
    }

    private async Task WhenAsync(Func<bool> condition)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (condition())
                    return;
                changed = _changed.Task;
            }
            await changed.WaitAsync(Peers.Patience);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

internal static class OriginAnswers
{
    /// <summary>Answers with this text and this <c>Cache-Control</c>.</summary>
    public static Task AnswerAsync(this HttpContext context, string text, string cacheControl = "max-age=60")
    {
        context.Response.Headers.CacheControl = cacheControl;
        context.Response.ContentLength = System.Text.Encoding.UTF8.GetByteCount(text);
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.WriteAsync(text);
    }
}
