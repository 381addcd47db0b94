using ProxyKit.Benchmarks.Load;

namespace ProxyKit.Benchmarks.Php;

/// <summary>nginx before php-fpm, with the block that its documentation gives for PHP sites.</summary>
internal static class NginxPhp
{
    public static Task<ServerProcess?> StartAsync(string name, Workspace workspace, PhpFpm php, CancellationToken cancellation) =>
        NginxProcess.StartAsync(name, workspace, (folder, port, tlsPort) => Configuration(name, php, folder, port), tls: false, cancellation);

    private static string Configuration(string name, PhpFpm php, string folder, int port) => NginxProcess.Configuration(folder, $$"""
        upstream php {
            server unix:{{php.Socket}};
            {{(name.EndsWith(PhpTargets.KeepSuffix, StringComparison.Ordinal) ? $"keepalive {PhpTargets.KeptConnections};\nkeepalive_requests 1000000000;" : "")}}
        }
        server {
            listen 127.0.0.1:{{port}} reuseport backlog=4096;
            root {{php.Site.Root}};
            index index.php;
            location / {
                try_files $uri $uri/ /index.php$is_args$args;
            }
            location ~ \.php$ {
                try_files $fastcgi_script_name =404;
                fastcgi_pass php;
                {{(name.EndsWith(PhpTargets.KeepSuffix, StringComparison.Ordinal) ? "fastcgi_keep_conn on;" : "")}}
                {{(name.EndsWith("-unbuffered", StringComparison.Ordinal) ? "fastcgi_buffering off;\nfastcgi_request_buffering off;" : "")}}
                fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
                fastcgi_param QUERY_STRING $query_string;
                fastcgi_param REQUEST_METHOD $request_method;
                fastcgi_param CONTENT_TYPE $content_type;
                fastcgi_param CONTENT_LENGTH $content_length;
                fastcgi_param SCRIPT_NAME $fastcgi_script_name;
                fastcgi_param REQUEST_URI $request_uri;
                fastcgi_param DOCUMENT_URI $document_uri;
                fastcgi_param DOCUMENT_ROOT $document_root;
                fastcgi_param SERVER_PROTOCOL $server_protocol;
                fastcgi_param REQUEST_SCHEME $scheme;
                fastcgi_param HTTPS $https if_not_empty;
                fastcgi_param GATEWAY_INTERFACE CGI/1.1;
                fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;
                fastcgi_param REMOTE_ADDR $remote_addr;
                fastcgi_param REMOTE_PORT $remote_port;
                fastcgi_param SERVER_ADDR $server_addr;
                fastcgi_param SERVER_PORT $server_port;
                fastcgi_param SERVER_NAME $server_name;
                fastcgi_param REDIRECT_STATUS 200;
            }
        }
        """);
}
