using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ProxyKit.Benchmarks.Targets;

/// <summary>Hosts one .NET target. All of them get the same host, server, limits and (no) logging; only what they map differs.</summary>
internal static class TargetHost
{
    public static IReadOnlyDictionary<string, Func<WebApplicationBuilder, string, WebApplication>> Targets { get; } =
        new Dictionary<string, Func<WebApplicationBuilder, string, WebApplication>>
        {
            ["kestrel"] = KestrelTarget.Build,
            ["minimal"] = MinimalTarget.Build,
            ["proxykit"] = ProxyKitTarget.Build,
            ["proxykit-balanced"] = ProxyKitBalancedTarget.Build,
            ["proxykit-cache"] = ProxyKitCacheTarget.Build,
            ["proxykit-php"] = ProxyKitPhpTarget.Build,
            ["proxykit-php-keep"] = ProxyKitPhpTarget.BuildKeeping,
            ["proxykit-php-http"] = ProxyKitTarget.Build,
            ["proxykit-php-http-buffered"] = ProxyKitTarget.BuildBuffered,
            ["yarp"] = YarpTarget.Build,
            ["yarp-balanced"] = YarpBalancedTarget.Build,
            ["yarp-outputcache"] = YarpOutputCacheTarget.Build,
        };

    public static int Run(string name)
    {
        ExitWithParent();
        StatsEndpoint.Start(TargetEnvironment.ReadPort(TargetEnvironment.StatsPort));
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(Listen);
        if (Environment.GetEnvironmentVariable(TargetEnvironment.InlineScheduling) == "1")
            builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
        Targets[name](builder, TargetEnvironment.Read(TargetEnvironment.Backend)).Run();
        return 0;
    }

    private static void Listen(KestrelServerOptions kestrel)
    {
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Listen(IPAddress.Loopback, TargetEnvironment.ReadPort(TargetEnvironment.Port));
        kestrel.Listen(IPAddress.Loopback, TargetEnvironment.ReadPort(TargetEnvironment.TlsPort), endpoint =>
        {
            endpoint.Protocols = HttpProtocols.Http1AndHttp2;
            endpoint.UseHttps(X509CertificateLoader.LoadPkcs12FromFile(TargetEnvironment.Read(TargetEnvironment.Certificate), null));
        });
    }

    // The comparison holds the other end of standard input: however it ends, this process does not outlive it.
    private static void ExitWithParent()
    {
        var thread = new Thread(() =>
        {
            while (Console.In.Read() >= 0) { }
            Environment.Exit(0);
        })
        { IsBackground = true };
        thread.Start();
    }
}
