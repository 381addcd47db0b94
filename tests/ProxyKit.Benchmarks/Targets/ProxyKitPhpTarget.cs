using ProxyKit.Benchmarks.Php;

namespace ProxyKit.Benchmarks.Targets;

/// <summary>ProxyKit before php-fpm as its documentation sets it up; and with kept connections.</summary>
internal static class ProxyKitPhpTarget
{
    public static WebApplication Build(WebApplicationBuilder builder, string backend) => Build(builder, backend, static _ => { });

    public static WebApplication BuildKeeping(WebApplicationBuilder builder, string backend) =>
        Build(builder, backend, static site => site.WithFastCgiConnections(connections =>
        {
            connections.KeepConnections = true;
            connections.MaxConnections = PhpTargets.KeptConnections;
        }));

    private static WebApplication Build(WebApplicationBuilder builder, string backend, Action<ProxyRouteBuilder> configure)
    {
        builder.Services.AddReverseProxy();
        var app = builder.Build();
        configure(app.MapPhp(TargetEnvironment.Read(TargetEnvironment.Root), backend));
        return app;
    }
}
