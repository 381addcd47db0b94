namespace ProxyKit.Benchmarks.Targets;

/// <summary>ProxyKit as its documentation sets it up, with nothing tuned.</summary>
internal static class ProxyKitTarget
{
    public static WebApplication Build(WebApplicationBuilder builder, string backend) => Build(builder, backend, static _ => { });

    /// <summary>With buffers for slow clients in both directions.</summary>
    public static WebApplication BuildBuffered(WebApplicationBuilder builder, string backend) => Build(builder, backend, static route => route.WithBuffering());

    private static WebApplication Build(WebApplicationBuilder builder, string backend, Action<ProxyRouteBuilder> configure)
    {
        builder.Services.AddReverseProxy();
        var app = builder.Build();
        configure(app.MapProxy("/{**path}", backend));
        return app;
    }
}
