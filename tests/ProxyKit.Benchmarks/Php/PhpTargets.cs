using ProxyKit.Benchmarks.Load;

namespace ProxyKit.Benchmarks.Php;

/// <summary>The proxies that can stand before php-fpm, by name.</summary>
internal static class PhpTargets
{
    /// <summary>In a target's name: its connections to php-fpm are kept.</summary>
    public const string KeepSuffix = "-keep";

    /// <summary>How many connections to php-fpm a target with <see cref="KeepSuffix"/> keeps.</summary>
    public const int KeptConnections = 8;

    public static IReadOnlyList<string> Names { get; } =
        ["proxykit-php", "proxykit-php-keep", "nginx-php", "nginx-php-keep", "nginx-php-unbuffered", "caddy-php"];

    /// <summary>Null, after saying so, when the program is not installed.</summary>
    public static Task<ServerProcess?> StartAsync(string name, Workspace workspace, PhpFpm php, CancellationToken cancellation) => name.Split('-')[0] switch
    {
        "nginx" => NginxPhp.StartAsync(name, workspace, php, cancellation),
        "caddy" => CaddyPhp.StartAsync(name, workspace, php, cancellation),
        _ => DotNetProcess.StartAsync(name, workspace, $"fastcgi://unix:{php.Socket}", php.Site.Root, cancellation)!,
    };
}
