using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Http.Features;

namespace CachingGateway;

/// <summary>How the <see cref="Backend"/> behaves.</summary>
internal enum Mood
{
    /// <summary>It answers, slowly.</summary>
    Well,

    /// <summary>It drops connections.</summary>
    Down,
}

/// <summary>A slow shop to put behind the proxy: each answer takes half a second. What it says of its answers is what the cache goes by.</summary>
internal sealed class Backend
{
    private static readonly TimeSpan s_slowness = TimeSpan.FromSeconds(0.5);

    private readonly ConcurrentDictionary<int, int> _prices = new();
    private int _requests;

    public Mood Mood { get; set; }

    /// <summary>How many requests have reached it.</summary>
    public int Requests => Volatile.Read(ref _requests);

    public async Task<WebApplication> StartAsync(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls($"http://localhost:{port}");
        var app = builder.Build();
        app.Use(BeSlowAsync);
        app.MapGet("/shop/products/{id:int}", Product);
        app.MapPost("/shop/products/{id:int}", (int id) => $"article {id} costs {_prices.AddOrUpdate(id, 101, (_, price) => price + 1)} now\n");
        app.MapGet("/shop/catalogue.pdf", Catalogue);
        app.MapGet("/shop/news", () => "nothing is said of how long this is news\n");
        app.MapGet("/shop/cart", (HttpResponse response) =>
        {
            response.Headers.CacheControl = "private";
            response.Cookies.Append("session", "42", new() { Path = "/", HttpOnly = true });
            return "your cart is empty\n";
        });
        await app.StartAsync();
        return app;
    }

    private async Task BeSlowAsync(HttpContext context, RequestDelegate next)
    {
        Interlocked.Increment(ref _requests);
        if (Mood == Mood.Down)
        {
            context.Abort();
            return;
        }
        await Task.Delay(s_slowness, context.RequestAborted);
        await next(context);
    }

    // Fresh for ten seconds; for another minute the old price will do while the new one is asked for. The tag is for purging all products together.
    private IResult Product(int id, HttpContext context)
    {
        var price = _prices.GetOrAdd(id, 100);
        var tag = $"\"{id}-{price}\"";
        context.Response.Headers.CacheControl = "max-age=10, stale-while-revalidate=60";
        context.Response.Headers.ETag = tag;
        context.Response.Headers["Cache-Tag"] = $"products product-{id}";
        return context.Request.Headers.IfNoneMatch == tag
            ? Results.StatusCode(StatusCodes.Status304NotModified)
            : Results.Text(string.Create(CultureInfo.InvariantCulture, $"article {id} costs {price}; the shop said so at {DateTimeOffset.Now:T}\n"));
    }

    // A megabyte that takes a second: watch a second client get it while the first one does.
    private static async Task Catalogue(HttpContext context)
    {
        context.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();
        context.Response.ContentType = "application/pdf";
        context.Response.ContentLength = 1_000_000;
        context.Response.Headers.CacheControl = "max-age=3600";
        context.Response.Headers.ETag = "\"2026\"";
        for (var i = 0; i < 10; i++)
        {
            await context.Response.Body.WriteAsync(new byte[100_000], context.RequestAborted);
            await Task.Delay(TimeSpan.FromSeconds(0.1), context.RequestAborted);
        }
    }
}
