using ProxyKit.Benchmarks.Load;

namespace ProxyKit.Benchmarks.Caching;

/// <summary>What can answer with stored bytes, by name: caches before the backend, and Kestrel with the bytes at hand.</summary>
internal static class CacheTargets
{
    /// <summary>What the figures are divided by: nothing on Kestrel can be less.</summary>
    public const string Reference = "kestrel";

    public static IReadOnlyList<string> Names { get; } = [NginxCache.Name, Varnish.Name];

    public static IReadOnlyList<string> Defaults { get; } = [Reference, "proxykit-cache", "yarp-outputcache", .. Names];

    /// <summary>Null, after saying so, when the program is not installed.</summary>
    public static Task<ServerProcess?> StartAsync(string name, Workspace workspace, int backendPort, CancellationToken cancellation) =>
        name == NginxCache.Name ? NginxCache.StartAsync(workspace, backendPort, cancellation) : Varnish.StartAsync(workspace, backendPort, cancellation);
}
