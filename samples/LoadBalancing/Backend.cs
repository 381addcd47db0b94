using System.Globalization;

namespace LoadBalancing;

/// <summary>How a <see cref="Backend"/> behaves.</summary>
internal enum Mood
{
    /// <summary>It answers.</summary>
    Well,

    /// <summary>It answers 503, but says of itself that it is healthy, as programs do.</summary>
    Failing,

    /// <summary>It takes requests and does not answer, for a minute.</summary>
    Stalling,

    /// <summary>It drops connections, and fails its health check too.</summary>
    Down,
}

/// <summary>A server to put behind the proxy, which misbehaves when it is told to.</summary>
internal sealed class Backend
{
    private readonly string _name;
    private int _requests;

    private Backend(string name) => _name = name;

    public Mood Mood { get; set; }

    public static async Task<Backend> StartAsync(string name, int port, List<IAsyncDisposable> running)
    {
        var backend = new Backend(name);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls($"http://localhost:{port}");
        var app = builder.Build();
        app.MapGet("/healthz", (HttpContext context) =>
        {
            if (backend.Mood == Mood.Down)
                context.Abort();
        });
        app.Map("/{**path}", backend.AnswerAsync);
        await app.StartAsync();
        running.Add(app);
        return backend;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var number = Interlocked.Increment(ref _requests);
        switch (Mood)
        {
            case Mood.Failing:
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                return;
            case Mood.Stalling:
                await Task.Delay(TimeSpan.FromMinutes(1), context.RequestAborted);
                return;
            case Mood.Down:
                context.Abort();
                return;
        }
        // Long enough that there is something to see of limits and draining: /work/1 takes a second.
        if (context.Request.Path.StartsWithSegments("/work", out var rest) && double.TryParse(rest.Value?.TrimStart('/'), CultureInfo.InvariantCulture, out var seconds))
            await Task.Delay(TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 60)), context.RequestAborted);
        await context.Response.WriteAsync($"{_name} answers its request number {number}\n", context.RequestAborted);
    }
}
