using ProxyKit.Benchmarks.Caching;

namespace ProxyKit.Benchmarks.Targets;

/// <summary>No proxy: Kestrel answers as the backend would. What it costs is the part of every .NET proxy that is not the proxy.</summary>
internal static class KestrelTarget
{
    private static readonly byte[] Filler = [.. Enumerable.Repeat((byte)'x', 65536)];

    private static readonly (string Name, string Value)[] MoreHeaders =
        [.. Enumerable.Range(0, 32).Select(i => ($"X-Backend-Header-{i}", $"some-typical-value-{i * 7919}"))];

    public static WebApplication Build(WebApplicationBuilder builder, string backend)
    {
        var app = builder.Build();
        app.Run(static context => CachedText.IsAskedFor(context.Request.Path.Value!) ? AnswerStoredAsync(context) : AnswerAsync(context));
        return app;
    }

    // The least that an endpoint can do which has its bytes at hand: what the backend's header section has, and the body in one piece.
    private static Task AnswerStoredAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        var body = CachedText.Of(path);
        var response = context.Response;
        response.ContentType = "text/html";
        response.ContentLength = body.Length;
        response.Headers.ETag = "\"5f-1234567890\"";
        response.Headers.CacheControl = "max-age=86400";
        if (path.StartsWith(CachedText.CompressedPath, StringComparison.Ordinal))
        {
            response.Headers.ContentEncoding = "gzip";
            response.Headers.Vary = "Accept-Encoding";
        }
        return response.BodyWriter.WriteAsync(body).AsTask();
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        var response = context.Response;
        response.ContentType = "application/octet-stream";
        response.Headers.ETag = "\"5f-1234567890\"";
        response.Headers.CacheControl = "no-store";
        switch (context.Request.Path.Value!.Split('/'))
        {
            case ["", "s", var length]:
                await WriteAsync(response, long.Parse(length));
                break;
            case ["", "h", var length, var headers]:
                foreach (var (name, value) in MoreHeaders.AsSpan(0, int.Parse(headers)))
                    response.Headers[name] = value;
                await WriteAsync(response, long.Parse(length));
                break;
            case ["", "echo"]:
                response.ContentLength = context.Request.ContentLength;
                await context.Request.Body.CopyToAsync(response.Body);
                break;
            case ["", "sink"]:
                await context.Request.Body.CopyToAsync(Stream.Null);
                break;
            default:
                response.StatusCode = StatusCodes.Status404NotFound;
                break;
        }
    }

    private static async Task WriteAsync(HttpResponse response, long length)
    {
        response.ContentLength = length;
        for (int written; length > 0; length -= written)
        {
            written = (int)Math.Min(length, Filler.Length);
            await response.Body.WriteAsync(Filler.AsMemory(0, written));
        }
    }
}
