using System.Runtime.CompilerServices;

namespace QuickStart;

/// <summary>A server to put behind the proxy. It answers with what it sees of the request.</summary>
internal static class Backend
{
    public static async Task<WebApplication> StartAsync(string name, int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls($"http://localhost:{port}");
        var app = builder.Build();
        app.MapGet("/login", (HttpContext context) =>
        {
            context.Response.Cookies.Append("session", "42", new() { Path = "/", HttpOnly = true });
            return Results.Redirect($"http://localhost:{port}/cart");
        });
        app.MapGet("/events", (CancellationToken stop) => TypedResults.ServerSentEvents(CountAsync(stop)));
        app.MapFallback((HttpRequest request) =>
            $"{name} on port {port} got {request.Method} {request.Path}{request.QueryString}\n"
            + string.Concat(request.Headers.OrderBy(h => h.Key).Select(h => $"  {h.Key}: {h.Value}\n")));
        await app.StartAsync();
        return app;
    }

    private static async IAsyncEnumerable<int> CountAsync([EnumeratorCancellation] CancellationToken stop)
    {
        for (var i = 1; i <= 3; i++)
        {
            yield return i;
            await Task.Delay(TimeSpan.FromSeconds(1), stop);
        }
    }
}
