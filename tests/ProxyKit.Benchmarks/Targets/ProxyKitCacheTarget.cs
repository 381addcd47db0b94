namespace ProxyKit.Benchmarks.Targets;

/// <summary>ProxyKit with a cache and compression under it, as its documentation sets them up.</summary>
internal static class ProxyKitCacheTarget
{
    public static WebApplication Build(WebApplicationBuilder builder, string backend)
    {
        builder.Services.AddReverseProxy();
        var app = builder.Build();
        app.MapProxy("/{**path}", backend).WithCache().WithCompression();
        return app;
    }
}
