using ProxyKit.Benchmarks.Load;

namespace ProxyKit.Benchmarks.Caching;

/// <summary>nginx with <c>proxy_cache</c>, in files that the kernel keeps in memory. It compresses what it sends, not what it stores: at each hit anew.</summary>
internal static class NginxCache
{
    public const string Name = "nginx-cache";

    public static Task<ServerProcess?> StartAsync(Workspace workspace, int backendPort, CancellationToken cancellation) =>
        NginxProcess.StartAsync(Name, workspace, (folder, port, _) => Configuration(folder, port, backendPort), tls: false, cancellation);

    private static string Configuration(string folder, int port, int backendPort) => NginxProcess.Configuration(folder, $$"""
        proxy_cache_path {{folder}}/cache levels=1:2 keys_zone=cache:10m max_size=256m inactive=1d use_temp_path=off;
        upstream backend {
            server 127.0.0.1:{{backendPort}};
            keepalive 256;
        }
        server {
            listen 127.0.0.1:{{port}} reuseport backlog=4096;
            gzip on; # text/html, as it comes
            location / {
                proxy_pass http://backend;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_cache cache;
                proxy_cache_lock on;
            }
        }
        """);
}
