using ProxyKit.Benchmarks.Php;

namespace ProxyKit.Benchmarks.Targets;

/// <summary>ProxyKit before php-fpm as its documentation sets it up; and with kept connections.</summary>
internal static class ProxyKitPhpTarget
{
    public static WebApplication Build(WebApplicationBuilder builder, string backend) => Build(builder, backend, []);

    public static WebApplication BuildKeeping(WebApplicationBuilder builder, string backend) => Build(builder, backend, new()
    {
        ["Clusters:php:FastCgi:KeepConnections"] = "true",
        ["Clusters:php:FastCgi:MaxConnections"] = $"{PhpTargets.KeptConnections}",
    });

    private static WebApplication Build(WebApplicationBuilder builder, string backend, Dictionary<string, string?> settings)
    {
        settings["Routes:site:Match:Path"] = "/{**path}";
        settings["Routes:site:ClusterId"] = "php";
        settings["Routes:site:FastCgi:Root"] = TargetEnvironment.Read(TargetEnvironment.Root);
        settings["Clusters:php:Destinations:fpm:Address"] = backend;
        builder.Services.AddReverseProxy().LoadFromConfig(new ConfigurationBuilder().AddInMemoryCollection(settings).Build());
        var app = builder.Build();
        app.MapReverseProxy();
        return app;
    }
}
