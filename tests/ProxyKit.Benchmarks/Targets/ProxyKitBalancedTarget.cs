namespace ProxyKit.Benchmarks.Targets;

/// <summary>ProxyKit as a load balancer: two destinations, active and passive health checks, session affinity, retries.</summary>
internal static class ProxyKitBalancedTarget
{
    public static WebApplication Build(WebApplicationBuilder builder, string backend)
    {
        builder.Services.AddReverseProxy();
        var app = builder.Build();
        app.MapProxy("/{**path}", backend, BalancedBackends.Second(backend))
            .WithHealthChecks(h =>
            {
                h.Active.Interval = TimeSpan.FromSeconds(5);
                h.Active.Path = "/s/1";
            })
            .WithSessionAffinity("affinity")
            .WithRetries();
        return app;
    }
}

/// <summary>The one backend of the comparison under two names.</summary>
internal static class BalancedBackends
{
    public static string Second(string backend) => backend.Replace("127.0.0.1", "localhost", StringComparison.Ordinal);
}
