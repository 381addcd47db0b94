namespace ProxyKit.Benchmarks.Targets;

/// <summary>ProxyKit as its documentation sets it up, with nothing tuned.</summary>
internal static class ProxyKitTarget
{
    public static WebApplication Build(WebApplicationBuilder builder, string backend)
    {
        builder.Services.AddReverseProxy();
        var app = builder.Build();
        app.MapProxy("/{**path}", backend);
        return app;
    }
}
