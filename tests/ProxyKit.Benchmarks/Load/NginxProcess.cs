using System.Diagnostics;

namespace ProxyKit.Benchmarks.Load;

/// <summary>Starts nginx; by itself as a reverse proxy with keep-alive to the backend and the forwarding headers that YARP sends.</summary>
internal static class NginxProcess
{
    public const string Name = "nginx";

    /// <summary>Null, after saying so, when nginx is not installed.</summary>
    public static Task<ServerProcess?> StartAsync(Workspace workspace, int backendPort, CancellationToken cancellation) =>
        StartAsync(Name, workspace, (folder, port, tlsPort) => ReverseProxy(workspace, folder, port, tlsPort, backendPort), tls: true, cancellation);

    /// <summary>Null, after saying so, when nginx is not installed. The configuration is given a folder and the ports to listen on.</summary>
    public static async Task<ServerProcess?> StartAsync(
        string name, Workspace workspace, Func<string, int, int, string> configure, bool tls, CancellationToken cancellation)
    {
        if (Tool.Find("nginx") is not { } nginx)
        {
            Console.WriteLine($"{name} is left out because nginx is not installed: apt-get install nginx");
            return null;
        }
        int port = Ports.Take(), tlsPort = tls ? Ports.Take() : 0;
        var folder = Directory.CreateDirectory(workspace.TargetFolder(name)).FullName;
        var configuration = Path.Combine(folder, "nginx.conf");
        await File.WriteAllTextAsync(configuration, configure(folder, port, tlsPort), cancellation);
        var start = new ProcessStartInfo(nginx, ["-p", folder, "-c", configuration, "-e", Path.Combine(folder, "error.log")]);
        return await ServerProcess.StartAsync(name, start, port, tlsPort, 0, cancellation);
    }

    /// <summary>What all of them have, around the servers.</summary>
    public static string Configuration(string folder, string servers) => $$"""
        daemon off;
        worker_processes auto;
        pid {{folder}}/nginx.pid;
        events { worker_connections 8192; }
        http {
            access_log off;
            error_log stderr crit;
            keepalive_requests 1000000000;
            keepalive_timeout 600s;
            client_max_body_size 0;
            client_body_temp_path {{folder}}/body;
            proxy_temp_path {{folder}}/proxy;
            fastcgi_temp_path {{folder}}/fastcgi;
            uwsgi_temp_path {{folder}}/uwsgi;
            scgi_temp_path {{folder}}/scgi;
            {{servers}}
        }
        """;

    private static string ReverseProxy(Workspace workspace, string folder, int port, int tlsPort, int backendPort) => Configuration(folder, $$"""
        map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
        upstream backend {
            server 127.0.0.1:{{backendPort}};
            keepalive 256;
            keepalive_requests 1000000000;
        }
        server {
            listen 127.0.0.1:{{port}} reuseport backlog=4096;
            listen 127.0.0.1:{{tlsPort}} ssl http2 reuseport backlog=4096;
            ssl_certificate {{workspace.CertificatePem}};
            ssl_certificate_key {{workspace.KeyPem}};
            location / {
                proxy_pass http://backend;
                proxy_http_version 1.1;
                proxy_set_header Host $host;
                proxy_set_header Connection $connection_upgrade;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                proxy_set_header X-Forwarded-Proto $scheme;
                proxy_set_header X-Forwarded-Host $host;
            }
        }
        """);
}
