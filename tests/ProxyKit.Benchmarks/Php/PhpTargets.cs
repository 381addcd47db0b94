using ProxyKit.Benchmarks.Load;

namespace ProxyKit.Benchmarks.Php;

/// <summary>The proxies that can stand before php-fpm, by name.</summary>
internal static class PhpTargets
{
    /// <summary>In a target's name: its connections to php-fpm are kept.</summary>
    public const string KeepSuffix = "-keep";

    /// <summary>How many connections to php-fpm a target with <see cref="KeepSuffix"/> keeps.</summary>
    public const int KeptConnections = 8;

    /// <summary>In a target's name: it speaks HTTP to an nginx, and that FastCGI to php-fpm.</summary>
    public const string HttpPart = "-http";

    public static IReadOnlyList<string> Names { get; } =
    [
        "proxykit-php", "proxykit-php-keep", "proxykit-php-http", "proxykit-php-http-buffered",
        "nginx-php", "nginx-php-keep", "nginx-php-unbuffered", "nginx-php-http", "caddy-php",
    ];

    /// <summary>The HTTP server behind a target with <see cref="HttpPart"/>; null for another target, and when nginx is not installed.</summary>
    public static async Task<ServerProcess?> StartUpstreamAsync(string name, Workspace workspace, PhpFpm php, CancellationToken cancellation) =>
        name.Contains(HttpPart, StringComparison.Ordinal) ? await NginxPhp.StartAsync($"{name}-upstream", workspace, php, cancellation) : null;

    /// <summary>Null, after saying so, when the program is not installed.</summary>
    public static Task<ServerProcess?> StartAsync(string name, Workspace workspace, PhpFpm php, ServerProcess? upstream, CancellationToken cancellation) => name.Split('-')[0] switch
    {
        "nginx" when upstream is not null => NginxProcess.StartAsync(workspace, upstream.Port, cancellation),
        "proxykit" when upstream is not null => DotNetProcess.StartAsync(name, workspace, $"http://127.0.0.1:{upstream.Port}", php.Site.Root, cancellation)!,
        "nginx" => NginxPhp.StartAsync(name, workspace, php, cancellation),
        "caddy" => CaddyPhp.StartAsync(name, workspace, php, cancellation),
        _ => DotNetProcess.StartAsync(name, workspace, $"fastcgi://unix:{php.Socket}", php.Site.Root, cancellation)!,
    };
}
